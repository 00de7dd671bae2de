import type { Problem } from "../../codec.js";
import { unreachable } from "../../../core/assert.js";
import type { TokenUsage } from "../../../core/call.js";
import { CODECS } from "../../codecs.js";
import { type JsonObject, writeJson } from "../json.js";
import { keptBytesOf } from "../kept-bytes.js";
import type { Block, Stop, SaidStep } from "../reply.js";
import type { CallFacts, StreamWriter } from "../side.js";
import { generateReply, partOf, showsThoughts } from "./reply.js";

/** Chats of Google's SDK since 3.0 forget a whole reply of which one piece has no part. */
const NOTHING: JsonObject = { text: "" };

/** Writes the pieces of a streamed reply, as events or as one JSON array. */
export class GenerateStreamWriter implements StreamWriter {
  readonly #call: CallFacts;
  #id = "";
  #model = "";
  #block: Block | undefined;
  #args = "";
  #keptBytes = 0;
  #pieces = 0;

  constructor(call: CallFacts) {
    this.#call = call;
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  push(step: SaidStep): string {
    switch (step.kind) {
      case "START":
        this.#id = step.id;
        this.#model = step.model;
        return "";
      case "OPEN":
        this.#block = step.block;
        return "";
      case "DELTA":
        return this.#delta(step.text);
      case "SIGN":
        return "";
      case "CLOSE":
        return this.#close();
      case "END":
        return this.#piece([NOTHING], step.stop, step.usage) + (this.#call.asArray ? "]" : "");
      default:
        return unreachable(step);
    }
  }

  fail(problem: Problem): string {
    if (!this.#call.asArray) return CODECS.GEMINI.streamError(problem);
    return `${this.#separator()}${CODECS.GEMINI.errorBody(problem)}]`;
  }

  #delta(text: string): string {
    switch (this.#block?.kind) {
      case "TEXT":
      case "REFUSAL":
        return this.#piece([{ text }]);
      case "THINKING":
        return showsThoughts(this.#call) ? this.#piece([{ text, thought: true }]) : "";
      case "TOOL_CALL":
        // A call is told whole.
        this.#args += text;
        this.#keptBytes += keptBytesOf(text);
        return "";
      case "REDACTED":
      case undefined:
      default:
        return "";
    }
  }

  #close(): string {
    if (this.#block?.kind !== "TOOL_CALL") return "";
    const args = this.#args;
    this.#args = "";
    this.#keptBytes = 0;
    return this.#piece(partOf({ ...this.#block, args }));
  }

  #piece(parts: readonly JsonObject[], stop?: Stop, usage?: TokenUsage): string {
    const text = writeJson(generateReply({ id: this.#id, model: this.#model, parts, stop, usage }));
    return this.#call.asArray ? `${this.#separator()}${text}` : `data: ${text}\r\n\r\n`;
  }

  #separator(): string {
    return this.#pieces++ === 0 ? "[" : ",\r\n";
  }
}
