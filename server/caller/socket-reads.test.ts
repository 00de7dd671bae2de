import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import test, { type TestContext } from "node:test";
import { readFrom, type SocketReader } from "./socket-reads.js";

async function pair(t: TestContext): Promise<{ caller: net.Socket; accepted: net.Socket }> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const caller = net.connect(port, "127.0.0.1");
  const [accepted] = (await once(server, "connection")) as [net.Socket];
  t.after(() => {
    caller.destroy();
    accepted.destroy();
    server.close();
  });
  return { caller, accepted };
}

/** Keeps all that is read. */
function keeping(onRead: (bytes: Buffer) => void): SocketReader {
  return { onRead, onLent: () => false };
}

test("what two sockets read into one buffer is kept apart, whole and in order, to their ends", async (t) => {
  const sockets = await Promise.all([pair(t), pair(t)]);
  const ends = sockets.map(async ({ caller, accepted }, number) => {
    const pieces: Buffer[] = [];
    readFrom(
      accepted,
      keeping((bytes) => pieces.push(bytes)),
    );
    const sent = Buffer.alloc(300_000, `${number} says this `);
    caller.end(sent);
    await once(accepted, "end");
    assert.ok(Buffer.concat(pieces).equals(sent));
    assert.equal(accepted.bytesRead, sent.length);
  });
  await Promise.all(ends);
});

test("an accepted connection takes no stream and no buffer of its own to be read", async (t) => {
  const { accepted } = await pair(t);
  readFrom(
    accepted,
    keeping(() => undefined),
  );
  // Otherwise this version of Node keeps what `onread` says elsewhere.
  assert.equal(accepted.listenerCount("data"), 0);
});

test("a paused connection gives nothing until it is resumed", async (t) => {
  const { caller, accepted } = await pair(t);
  const pieces: string[] = [];
  readFrom(
    accepted,
    keeping((bytes) => pieces.push(bytes.toString())),
  );
  accepted.pause();
  await new Promise((sent) => caller.write("hello", sent));
  // It would have come before the answer to a round trip on the same loop.
  await new Promise((sent) => accepted.write("?", sent));
  await once(caller, "data");
  assert.deepEqual(pieces, []);
  accepted.resume();
  caller.end();
  await once(accepted, "end");
  assert.deepEqual(pieces, ["hello"]);
});

test("what is done with when it is lent does not come once more, and the rest does, in order", async (t) => {
  const { caller, accepted } = await pair(t);
  const sent = Buffer.from(Array.from({ length: 500_000 }, (_, at) => (at * 7) % 251));
  const pieces: Buffer[] = [];
  let lent = 0;
  let kept = 0;
  readFrom(accepted, {
    onLent: (bytes, length) => {
      if ((lent + kept) % 2 > 0) return false;
      lent++;
      pieces.push(Buffer.from(bytes.subarray(0, length)));
      return true;
    },
    onRead: (bytes) => {
      kept++;
      pieces.push(bytes);
    },
  });
  caller.end(sent);
  await once(accepted, "end");
  assert.ok(lent > 0 && kept > 0);
  assert.ok(Buffer.concat(pieces).equals(sent));
});
