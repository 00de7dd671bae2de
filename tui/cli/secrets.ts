import { createInterface } from "node:readline";
import type { ReadStream } from "node:tty";

/** Where secrets come from: never the command line, which other users of the host can read. */
export interface SecretSource {
  readonly input: NodeJS.ReadStream | (NodeJS.ReadableStream & { isTTY?: boolean });
  /** Prompts go here, so that stdout stays clean for pipes. */
  readonly prompt: NodeJS.WritableStream;
}

const SECRET_BYTES_MAX = 64 * 1024;

/**
 * Asks for a secret without echo on a terminal; else reads all of stdin. A trailing newline is not part
 * of it. Throws when nothing came or when the person pressed Ctrl-C.
 */
export async function readSecret(label: string, source: SecretSource): Promise<string> {
  const { input, prompt } = source;
  const secret = isTerminal(input)
    ? await askHidden(label, input, prompt)
    : (await readAll(input)).replace(/\r?\n$/, "");
  if (secret === "")
    throw new Error(`no ${label} was given; type it at the prompt or send it on stdin`);
  return secret;
}

function isTerminal(input: SecretSource["input"]): input is ReadStream {
  return input.isTTY === true && "setRawMode" in input;
}

async function readAll(input: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of input) {
    const buffer = Buffer.from(chunk);
    bytes += buffer.length;
    if (bytes > SECRET_BYTES_MAX)
      throw new Error("stdin holds more than 64 KiB; that is no secret");
    chunks.push(buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function askHidden(
  label: string,
  input: ReadStream,
  prompt: NodeJS.WritableStream,
): Promise<string> {
  prompt.write(`${label} (not shown): `);
  return new Promise((resolve, reject) => {
    // Readline without an output echoes nothing, yet edits the line and takes a paste whole.
    const lines = createInterface({ input, terminal: true });
    let answered = false;
    lines.once("line", (line) => {
      answered = true;
      lines.close();
      prompt.write("\n");
      resolve(line);
    });
    lines.once("SIGINT", () => lines.close());
    lines.once("close", () => {
      if (!answered) reject(new Error("cancelled"));
    });
  });
}
