import type { Message } from "@bufbuild/protobuf";
import type { Command } from "./commands.js";
import { inFlags } from "./flag-words.js";
import type { RequestInit } from "./flags.js";
import type { CliPort, Invocation } from "./port.js";
import { chunkOf, Printer } from "./print.js";
import { buildRequest } from "./request.js";
import { UsageError } from "./usage-error.js";

type Call = (
  request: RequestInit,
  settings: { signal: AbortSignal },
) => Promise<Message> | AsyncIterable<Message>;

/**
 * Runs one subcommand: builds the request, calls the RPC, prints the answer. Resolves to whether the
 * answer is good news (a test that failed is none). Throws what went wrong.
 */
export async function runCommand(
  command: Command,
  invocation: Invocation,
  port: CliPort,
): Promise<boolean> {
  const request = await buildRequest(command, invocation, port);
  try {
    return await send(command, invocation, port, request);
  } catch (error) {
    // Whoever wrote the request themselves knows its fields.
    throw invocation.request ? error : inFlags(command, error);
  }
}

async function send(
  command: Command,
  invocation: Invocation,
  port: CliPort,
  request: RequestInit,
): Promise<boolean> {
  const isFile = command.isFile(request);
  if (isFile && port.toTerminal) {
    throw new UsageError("these are bytes for a file; send stdout to one with > name");
  }
  await ask(command, invocation, port);
  const methods = port.client(command.service) as unknown as Record<string, Call | undefined>;
  const call = methods[command.method.localName];
  if (call === undefined) {
    throw new Error(`${command.noun} ${command.verb} is not a call of this client`);
  }
  const printer = new Printer(command, {
    json: invocation.json,
    write: isFile ? port.tell : port.write,
    width: port.width,
  });
  const settings = { signal: port.signal };
  if (command.method.methodKind === "server_streaming") {
    return follow(call(request, settings) as AsyncIterable<Message>, command, printer, port);
  }
  let answer = await (call(request, settings) as Promise<Message>);
  printer.print(answer);
  while (invocation.all && pageToken(answer) !== "") {
    const next = { ...request, pageToken: pageToken(answer) };
    answer = await (call(next, settings) as Promise<Message>);
    printer.print(answer);
  }
  if (!invocation.all && !invocation.json && pageToken(answer) !== "") {
    port.write("(there are more: --all prints every page)\n");
  }
  return command.isGood?.(answer) ?? true;
}

async function ask(command: Command, invocation: Invocation, port: CliPort): Promise<void> {
  if (!command.asks || invocation.yes) return;
  const what = [command.noun, command.verb, ...invocation.positional].join(" ");
  if (!(await port.confirm(`${what}: ${command.help}. Go on?`))) {
    throw new UsageError("not done; say --yes to do it without being asked");
  }
}

async function follow(
  messages: AsyncIterable<Message>,
  command: Command,
  printer: Printer,
  port: CliPort,
): Promise<boolean> {
  let good = true;
  for await (const message of messages) {
    const chunk = chunkOf(message);
    if (chunk === undefined) printer.print(message);
    else port.writeBytes(chunk);
    good = verdict(good, message, command);
  }
  return good;
}

/** Of many verdicts one bad one counts; of the steps of one test the last message does. */
function verdict(before: boolean, message: Message, command: Command): boolean {
  const good = command.isGood?.(message) ?? true;
  return command.verb === "test-all" ? before && good : good;
}

function pageToken(answer: Message): string {
  const token = (answer as unknown as Record<string, unknown>)["nextPageToken"];
  return typeof token === "string" ? token : "";
}
