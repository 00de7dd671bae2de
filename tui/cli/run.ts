import { create, type DescMessage, type Message } from "@bufbuild/protobuf";
import { randomUUID } from "node:crypto";
import type { ServiceClient } from "../api/client.js";
import type { DescService } from "@bufbuild/protobuf";
import type { Command } from "./commands.js";
import { flagsOf, parseFlag, secretFieldsOf, type RequestInit } from "./flags.js";
import { fieldsOf, jsonOf, tableOf } from "./output.js";
import { readSecret, type SecretSource } from "./secrets.js";

/** What a subcommand works with; the process's own outside of tests. */
export interface CliPort {
  readonly client: <S extends DescService>(service: S) => ServiceClient<S>;
  readonly secrets: SecretSource;
  readonly write: (text: string) => void;
  readonly writeBytes: (bytes: Uint8Array) => void;
  /** Asks a yes/no question on the terminal; false when there is none to ask. */
  readonly confirm: (question: string) => Promise<boolean>;
  /** Finds the id behind a name; the text itself when it is one already. */
  readonly resolveId: (field: string, text: string) => Promise<string>;
  readonly nowMs: () => number;
  readonly signal: AbortSignal;
}

export interface Invocation {
  readonly positional: readonly string[];
  readonly flags: Readonly<Record<string, unknown>>;
  readonly json: boolean;
  readonly yes: boolean;
}

type Call = (
  request: RequestInit,
  settings: { signal: AbortSignal },
) => Promise<Message> | AsyncIterable<Message>;

/** Secrets that are asked for only when a flag `--ask-…` says so: the RPC works without. */
const OPTIONAL_SECRETS = new Set([
  "latchkey.v1.CreateUserRequest.password",
  "latchkey.v1.ResetPasswordRequest.password",
  "latchkey.v1.RevealProviderKeyRequest.password",
  "latchkey.v1.RevealClientKeyRequest.password",
  "latchkey.v1.RotateRootKeyRequest.current_passphrase",
  "latchkey.v1.RotateRootKeyRequest.new_passphrase",
]);

/** Runs one subcommand: builds the request, calls the RPC, prints the answer. Throws what went wrong. */
export async function runCommand(
  command: Command,
  invocation: Invocation,
  port: CliPort,
): Promise<void> {
  const request = await buildRequest(command, invocation, port);
  if (command.asks && !invocation.yes) {
    const what = invocation.positional.join(" ");
    if (!(await port.confirm(`${command.noun} ${command.verb} ${what}: ${command.help}. Go on?`))) {
      throw new Error("not done; say --yes to do it without being asked");
    }
  }
  const methods = port.client(command.service) as unknown as Record<string, Call | undefined>;
  const call = methods[command.method.localName];
  if (call === undefined)
    throw new Error(`${command.noun} ${command.verb} is not a call of this client`);
  const answer = call(request, { signal: port.signal });
  if (command.method.methodKind === "server_streaming") {
    await printStream(command, answer as AsyncIterable<Message>, invocation.json, port);
  } else {
    print(command, await (answer as Promise<Message>), invocation.json, port);
  }
}

/** True for a secret that the command must ask for. */
export function asksFor(command: Command, fieldName: string): boolean {
  return !OPTIONAL_SECRETS.has(`${command.method.input.typeName}.${fieldName}`);
}

async function buildRequest(
  command: Command,
  invocation: Invocation,
  port: CliPort,
): Promise<RequestInit> {
  const { input } = command.method;
  const request: RequestInit = {};
  for (const [i, name] of command.positional.entries()) {
    const text = invocation.positional[i];
    if (text !== undefined) assign(request, input, name, await port.resolveId(name, text));
  }
  for (const flag of flagsOf(command)) {
    const text = invocation.flags[flag.name];
    if (text === undefined) continue;
    const value = parseFlag(flag, String(text), port.nowMs());
    const resolved =
      typeof value === "string" ? await port.resolveId(flag.field.name, value) : value;
    assign(request, input, flag.field.name, resolved);
  }
  for (const field of secretFieldsOf(input)) {
    if (!asksFor(command, field.name) && invocation.flags[`ask-${field.name}`] !== true) continue;
    const text = await readSecret(field.name.replaceAll("_", " "), port.secrets);
    assign(request, input, field.name, field.name === "content" ? Buffer.from(text) : text);
  }
  if (input.fields.some((field) => field.name === "request_id"))
    request["requestId"] = randomUUID();
  return request;
}

/** Puts a value where `create` expects it; members of a oneof stand under the group's name. */
function assign(request: RequestInit, schema: DescMessage, name: string, value: unknown): void {
  const field = schema.fields.find((each) => each.name === name);
  if (field === undefined) throw new Error(`${schema.typeName} has no field ${name}`);
  if (field.oneof === undefined || field.oneof.name.startsWith("_"))
    request[field.localName] = value;
  else request[field.oneof.localName] = { case: field.localName, value };
}

function print(command: Command, answer: Message, json: boolean, port: CliPort): void {
  const schema = command.method.output;
  if (json) {
    port.write(`${jsonOf(schema, answer)}\n`);
    return;
  }
  const rows = rowsOf(command, answer);
  if (rows === undefined) {
    const text = fieldsOf(schema, answer);
    port.write(text === "" ? "done\n" : `${text}\n`);
    return;
  }
  port.write(`${tableOf(rows.schema, rows.messages, command.columns)}\n`);
  const next = (answer as unknown as Record<string, unknown>)["nextPageToken"];
  if (typeof next === "string" && next !== "") port.write("(more: use --page-size or --filter)\n");
}

async function printStream(
  command: Command,
  messages: AsyncIterable<Message>,
  json: boolean,
  port: CliPort,
): Promise<void> {
  for await (const message of messages) {
    const chunk = (message as unknown as Record<string, unknown>)["chunk"];
    if (chunk instanceof Uint8Array) {
      port.writeBytes(chunk);
      continue;
    }
    if (json) {
      port.write(`${jsonOf(command.method.output, message)}\n`);
      continue;
    }
    const rows = rowsOf(command, message);
    if (rows === undefined) port.write(`${fieldsOf(command.method.output, message)}\n\n`);
    else if (rows.messages.length > 0) {
      port.write(`${tableOf(rows.schema, rows.messages, command.columns)}\n`);
    }
  }
}

/** The listed rows of an answer: its first repeated message field. */
function rowsOf(
  command: Command,
  answer: Message,
): { schema: DescMessage; messages: readonly Message[] } | undefined {
  if (command.columns.length === 0) return undefined;
  for (const field of command.method.output.fields) {
    if (field.fieldKind !== "list" || field.listKind !== "message") continue;
    const messages = (answer as unknown as Record<string, unknown>)[field.localName];
    return { schema: field.message, messages: messages as readonly Message[] };
  }
  return undefined;
}

/** An empty request of a command, for tests that every command's fields exist. */
export function emptyRequest(command: Command): Message {
  return create(command.method.input);
}
