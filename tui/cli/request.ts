import { randomUUID } from "node:crypto";
import { fromJson, ScalarType, type DescField, type DescMessage } from "@bufbuild/protobuf";
import type { Command } from "./commands.js";
import {
  flagsOf,
  parseFlag,
  requestFieldsOf,
  secretFieldsOf,
  type Flag,
  type RequestInit,
} from "./flags.js";
import { readSecretOrNone, readSecrets, readStdin } from "./secrets.js";
import type { CliPort, Invocation } from "./port.js";
import { UsageError } from "./usage-error.js";

/** Secrets that are asked for only when a flag `--ask-…` says so: the RPC works without. */
const OPTIONAL_SECRETS = new Set([
  "latchkey.v1.CreateUserRequest.password",
  "latchkey.v1.RevealProviderKeyRequest.password",
  "latchkey.v1.RevealClientKeyRequest.password",
  "latchkey.v1.RotateRootKeyRequest.current_passphrase",
  "latchkey.v1.RotateRootKeyRequest.new_passphrase",
]);

/** Only a vault whose root key comes from a passphrase needs one, and only the server knows that. */
const UNLOCK = "latchkey.v1.UnlockRequest";

/** Pages of `--all`, as large as the server gives them. */
const PAGE_SIZE_MAX = 1000;

/** True for a secret that the command must ask for. */
export function asksFor(command: Command, fieldName: string): boolean {
  return !OPTIONAL_SECRETS.has(`${command.method.input.typeName}.${fieldName}`);
}

/** The switch with which such a secret is asked for, without its dashes. */
export function askFlag(fieldName: string): string {
  return `ask-${fieldName.replaceAll("_", "-")}`;
}

/** A request under construction, and the message inside it that a command speaks of. */
class Draft {
  readonly request: RequestInit;
  readonly #inner: RequestInit = {};
  readonly #command: Command;

  constructor(command: Command, start: RequestInit) {
    this.#command = command;
    this.request = start;
    const { nested } = command;
    if (nested !== undefined) put(this.request, nested, this.#inner);
  }

  /** Sets a field of the request or of the message inside it. */
  set(field: DescField, value: unknown): void {
    const { nested } = this.#command;
    put(field.parent === nested?.message ? this.#inner : this.request, field, value);
  }
}

/** Makes the request of a command from its arguments and flags, stdin and the prompt. */
export async function buildRequest(
  command: Command,
  invocation: Invocation,
  port: CliPort,
): Promise<RequestInit> {
  const { input } = command.method;
  const has = (name: string): boolean => input.fields.some((field) => field.name === name);
  const start = invocation.request ? await readRequest(input, port) : { ...command.defaults };
  Object.assign(start, command.fixed);
  const draft = new Draft(command, start);
  await setPositional(draft, command, invocation, port);
  const given = await setFlags(draft, command, invocation, port);
  if (!invocation.request) {
    checkComplete(command, given);
    await setSecrets(draft, command, invocation, port);
    // Exactly the fields named: an empty value then clears one.
    if (has("update_mask")) draft.request["updateMask"] = { paths: changedFields(given) };
  }
  if (invocation.all) draft.request["pageSize"] ??= PAGE_SIZE_MAX;
  if (has("request_id")) draft.request["requestId"] = randomUUID();
  return draft.request;
}

async function readRequest(input: DescMessage, port: CliPort): Promise<RequestInit> {
  const text = await readStdin(port.secrets);
  try {
    return fromJson(input, JSON.parse(text));
  } catch {
    // The parser's own words may quote what was read, secrets included.
    throw new UsageError(`stdin is not the JSON of a ${input.name}; see proto/latchkey/v1`);
  }
}

async function setPositional(
  draft: Draft,
  command: Command,
  invocation: Invocation,
  port: CliPort,
): Promise<void> {
  for (const [i, name] of command.positional.entries()) {
    const text = invocation.positional[i];
    const field = command.method.input.fields.find((each) => each.name === name);
    if (text === undefined || field === undefined) continue;
    draft.set(field, await port.resolveId(command.noun, name, text));
  }
}

/** Returns the flags that were given, those that clear their field included. */
async function setFlags(
  draft: Draft,
  command: Command,
  invocation: Invocation,
  port: CliPort,
): Promise<readonly Flag[]> {
  const given = flagsOf(command).filter((flag) => invocation.flags[flag.name] !== undefined);
  for (const flag of given) {
    const value = parseFlag(flag, String(invocation.flags[flag.name]), port.nowMs());
    if (value === undefined) continue;
    const resolved =
      typeof value === "string"
        ? await port.resolveId(command.noun, flag.field.name, value)
        : value;
    draft.set(flag.field, resolved);
  }
  return given;
}

/** Says what is missing before a secret is asked for in vain. */
function checkComplete(command: Command, given: readonly Flag[]): void {
  if (requestFieldsOf(command).some(({ oneof }) => oneof === undefined)) {
    const { name } = command.method.input;
    throw new UsageError(
      `${command.noun} ${command.verb} needs --request, with ${name} as JSON on stdin; see proto/latchkey/v1`,
    );
  }
  const flags = flagsOf(command);
  const names = flags.map((flag) => flag.name);
  const known = new Set(given.map((flag) => flag.name));
  const missing = flags.filter((flag) => flag.required && !known.has(flag.name));
  if (missing.length > 0) {
    const wanted = missing.map(({ name, placeholder }) => `--${name} ${placeholder}`.trim());
    throw new UsageError(`${command.noun} ${command.verb} needs ${wanted.join(" and ")}`);
  }
  const changes = command.method.input.fields.some((field) => field.name === "update_mask");
  if (changes && changedFields(given).length === 0) {
    throw new UsageError(`there is nothing to change; give one of --${names.join(" --")}`);
  }
}

function changedFields(given: readonly Flag[]): string[] {
  return given.map(({ field }) => field.name).filter((name) => name !== "expected_version");
}

async function setSecrets(
  draft: Draft,
  command: Command,
  invocation: Invocation,
  port: CliPort,
): Promise<void> {
  const fields = secretFieldsOf(command).filter(
    ({ name }) => asksFor(command, name) || invocation.flags[askFlag(name)] === true,
  );
  const labels = fields.map(({ name }) => name.replaceAll("_", " "));
  const [only] = fields;
  const texts =
    only?.parent.typeName === UNLOCK
      ? [await readSecretOrNone("passphrase, if the root key comes from one", port.secrets)]
      : await readSecrets(labels, port.secrets);
  fields.forEach((field, i) => {
    const text = texts[i] ?? "";
    draft.set(field, field.scalar === ScalarType.BYTES ? Buffer.from(text) : text);
  });
}

/** Puts a value where `create` expects it; members of a oneof stand under the group's name. */
function put(request: RequestInit, field: DescField, value: unknown): void {
  if (field.oneof === undefined) request[field.localName] = value;
  else request[field.oneof.localName] = { case: field.localName, value };
}
