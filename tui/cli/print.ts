import { isFieldSet, type DescMessage, type Message } from "@bufbuild/protobuf";
import { StreamInfo_Kind } from "../../proto/gen/latchkey/v1/common_pb.js";
import type { Command } from "./commands.js";
import { fieldsOf, jsonOf, tableLines } from "./output.js";

type Values = Readonly<Record<string, unknown>>;

/** Prints the answers of one command: a table with one head, fields, or JSON with one line each. */
export class Printer {
  readonly #command: Command;
  readonly #json: boolean;
  readonly #write: (text: string) => void;
  readonly #width: number;
  #headed = false;

  constructor(
    command: Command,
    options: {
      readonly json: boolean;
      readonly write: (text: string) => void;
      /** Columns of the terminal; Infinity without one. */
      readonly width: number;
    },
  ) {
    this.#command = command;
    this.#json = options.json;
    this.#write = options.write;
    this.#width = options.width;
  }

  print(answer: Message): void {
    const schema = this.#command.method.output;
    if (this.#json) {
      this.#write(`${jsonOf(schema, answer)}\n`);
      return;
    }
    if (this.#command.line !== undefined) {
      const line = this.#command.line(answer);
      if (line !== undefined) this.#write(`${line}\n`);
      return;
    }
    const rows = rowsOf(this.#command, answer);
    if (rows === undefined) this.#fields(schema, answer);
    else this.#table(rows);
  }

  #fields(schema: DescMessage, answer: Message): void {
    const streams = this.#command.method.methodKind === "server_streaming";
    if (streams && saysNothing(schema, answer)) return;
    const text = fieldsOf(schema, answer);
    if (text !== "") this.#write(`${text}\n${streams ? "\n" : ""}`);
    else if (!streams) this.#write("done\n");
  }

  #table(rows: { schema: DescMessage; messages: readonly Message[] }): void {
    const streams = this.#command.method.methodKind === "server_streaming";
    // A stream has many messages without rows; an empty list still shows what its columns would be.
    if (streams && rows.messages.length === 0) return;
    const { columns } = this.#command;
    const { head, body } = tableLines(rows.schema, rows.messages, columns, this.#width);
    const lines = this.#headed ? body : [...head, ...body];
    this.#headed = true;
    if (lines.length > 0) this.#write(`${lines.join("\n")}\n`);
  }
}

/** A stream's begin or heartbeat without anything else. */
function saysNothing(schema: DescMessage, answer: Message): boolean {
  const set = schema.fields.filter((field) => isFieldSet(answer, field));
  if (set.some(({ name }) => name !== "stream")) return false;
  const { stream } = answer as unknown as { stream?: { kind: StreamInfo_Kind } };
  return stream !== undefined && stream.kind !== StreamInfo_Kind.RESYNC;
}

/** The listed rows of an answer: its first repeated message field. */
function rowsOf(
  command: Command,
  answer: Message,
): { schema: DescMessage; messages: readonly Message[] } | undefined {
  if (command.columns.length === 0) return undefined;
  for (const field of command.method.output.fields) {
    if (field.fieldKind !== "list" || field.listKind !== "message") continue;
    const messages = (answer as unknown as Values)[field.localName];
    return { schema: field.message, messages: messages as readonly Message[] };
  }
  return undefined;
}

/** The bytes of a message that carries a part of a file, in a oneof or not. */
export function chunkOf(message: Message): Uint8Array | undefined {
  const values = message as unknown as Values;
  const { chunk, part } = values as { chunk?: unknown; part?: { case?: string; value?: unknown } };
  if (chunk instanceof Uint8Array) return chunk;
  return part?.case === "chunk" && part.value instanceof Uint8Array ? part.value : undefined;
}
