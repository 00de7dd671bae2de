import { createInterface } from "node:readline";
import type { ReadStream } from "node:tty";
import { UsageError } from "./usage-error.js";

/** Where secrets come from: never the command line, which other users of the host can read. */
export interface SecretSource {
  readonly input: NodeJS.ReadStream | (NodeJS.ReadableStream & { isTTY?: boolean });
  /** Prompts go here, so that stdout stays clean for pipes. */
  readonly prompt: NodeJS.WritableStream;
}

/** What an import may hold; far more than any one secret. */
const STDIN_BYTES_MAX = 4 * 1024 * 1024;

/** Asks for several secrets in turn; without a terminal each is a line of stdin, or all of it if there is one. */
export async function readSecrets(
  labels: readonly string[],
  source: SecretSource,
): Promise<readonly string[]> {
  const [only] = labels;
  if (only === undefined) return [];
  if (labels.length === 1) return [await readSecret(only, source)];
  const { input } = source;
  if (!isTerminal(input)) {
    const lines = (await readAll(input)).split(/\r?\n/);
    return labels.map((_label, i) => {
      const line = lines[i] ?? "";
      if (line === "") throw new UsageError(`stdin needs a line for each of: ${labels.join(", ")}`);
      return line;
    });
  }
  const texts: string[] = [];
  for (const label of labels) texts.push(await readSecret(label, source));
  return texts;
}

/** All of stdin as text, e.g. a request in JSON. */
export function readStdin({ input }: SecretSource): Promise<string> {
  return readAll(input);
}

/**
 * Asks for a secret without echo on a terminal; else reads all of stdin. A trailing newline is not part
 * of it. Throws when nothing came or when the person pressed Ctrl-C.
 */
export async function readSecret(label: string, source: SecretSource): Promise<string> {
  const secret = await readSecretOrNone(label, source);
  if (secret === "")
    throw new UsageError(`no ${label} was given; type it at the prompt or send it on stdin`);
  return secret;
}

/** The same for one that may be left out. */
export async function readSecretOrNone(label: string, source: SecretSource): Promise<string> {
  const { input, prompt } = source;
  return isTerminal(input)
    ? askHidden(label, input, prompt)
    : (await readAll(input)).replace(/\r?\n$/, "");
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
    if (bytes > STDIN_BYTES_MAX) throw new UsageError("stdin holds more than 4 MiB");
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
