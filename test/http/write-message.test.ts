import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { after, before, test } from "node:test";
import { flushMessages, writeMessage, writeNow } from "../../server/http/write-message.js";

const MESSAGE_BYTES = 15 * 1024;

let server: net.Server;

before(async () => {
  server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
});

after(() => {
  server.close();
});

/** Both ends of a connection; nothing is read yet. */
async function connected(): Promise<{ writer: net.Socket; reader: net.Socket }> {
  const { port } = server.address() as net.AddressInfo;
  const reader = net.connect(port, "127.0.0.1");
  reader.pause();
  const [writer] = (await once(server, "connection")) as [net.Socket];
  return { writer, reader };
}

async function textOf(reader: net.Socket, bytes: number): Promise<string> {
  let text = "";
  for await (const chunk of reader) {
    text += (chunk as Buffer).toString("latin1");
    if (text.length >= bytes) break;
  }
  return text;
}

test("what a slow reader has not taken stays as it was written, whatever is written to others", async () => {
  const slow = await connected();
  const other = await connected();
  let written = "";
  const write = (letter: string): void => {
    const piece = Buffer.alloc(MESSAGE_BYTES, letter);
    writeNow(slow.writer, `<${letter}`, [piece, piece.subarray(0, 3)], "\xff>");
    written += `<${letter}${letter.repeat(MESSAGE_BYTES + 3)}\xff>`;
  };
  let count = 0;
  while (slow.writer.writableLength === 0) write(String.fromCharCode(97 + (count++ % 26)));
  write("A");
  writeNow(other.writer, "", [Buffer.alloc(MESSAGE_BYTES, "-")], "");
  write("B");
  assert.equal(await textOf(other.reader, MESSAGE_BYTES), "-".repeat(MESSAGE_BYTES));
  assert.equal((await textOf(slow.reader, written.length)) === written, true);
  slow.writer.destroy();
  other.writer.destroy();
});

test("a short body leaves with a head of any length, and with the messages that wait with it", async (t) => {
  const { writer, reader } = await connected();
  t.after(() => writer.destroy());
  const heads = [10, 32 * 1024, 16 * 1024, 16 * 1024 - 4].map((length) => "h".repeat(length));
  for (const head of heads) writeMessage(writer, head, Buffer.from("body"));
  flushMessages();
  const written = heads.map((head) => `${head}body`).join("");
  assert.equal((await textOf(reader, written.length)) === written, true);
});

test("what is written to a connection leaves in order, short or long, whole or in pieces", async () => {
  const { writer, reader } = await connected();
  let written = "";
  for (let i = 0; i < 40; i++) {
    const body = Buffer.alloc((i * 977) % 23_000, String(i % 10));
    const text = body.toString();
    if (i % 3 === 0) {
      writeNow(writer, "(", [body, body], ")");
      written += `(${text}${text})`;
    } else {
      writeMessage(writer, `[${String(i)}`, body);
      written += `[${String(i)}${text}`;
    }
  }
  flushMessages();
  assert.equal((await textOf(reader, written.length)) === written, true);
  writer.destroy();
});
