import type { TokenUsage } from "../../../core/call.js";
import { BlockQueue } from "../block-queue.js";
import { failedInside } from "../failures.js";
import { type JsonObject, nonEmpty, object, objects } from "../json.js";
import type { ReplyPart, StreamStep } from "../reply.js";
import type { CallFacts, StreamReader } from "../side.js";
import { eventObject, type SseEvent } from "../sse-events.js";
import {
  generateStop,
  blockIn,
  generateTokens,
  readGenerateFailure,
  readReplyPart,
  refusalFor,
} from "./reply.js";

/** Reads the events of a streamed reply. No event says that it is the last: only the stream's end does. */
export class GenerateStreamReader implements StreamReader {
  readonly #call: CallFacts;
  readonly #queue = new BlockQueue();
  #calls = 0;
  #begun = false;
  #over = false;
  #reason: unknown;
  /** Why the prompt was blocked; undefined where it was not. */
  #block: string | undefined;
  #usage: TokenUsage | undefined;

  constructor(call: CallFacts) {
    this.#call = call;
  }

  get keptBytes(): number {
    return this.#queue.keptBytes;
  }

  push(event: SseEvent): readonly StreamStep[] {
    const given = this.#over ? undefined : eventObject(event);
    if (given === undefined) return [];
    const failure = failedInside(readGenerateFailure(given, 0));
    if (failure !== undefined) {
      this.#over = true;
      return [{ kind: "FAIL", failure }];
    }
    this.#block ??= blockIn(given);
    this.#usage = generateTokens(given["usageMetadata"]) ?? this.#usage;
    const candidate = objects(given["candidates"])[0];
    this.#reason = candidate?.["finishReason"] ?? this.#reason;
    const parts = objects(object(candidate?.["content"])?.["parts"]);
    return [...this.#start(given), ...parts.flatMap((part) => this.#part(part))];
  }

  end(): readonly StreamStep[] {
    if (this.#over) return [];
    this.#over = true;
    const stop = generateStop(this.#reason, this.#block, this.#calls > 0);
    const refusal = refusalFor(stop, this.#block);
    const said =
      refusal === undefined ? [] : this.#queue.push("block", { kind: "REFUSAL" }, refusal.text);
    const last = [...said, ...this.#queue.close()];
    return [...this.#start({}), ...last, { kind: "END", stop, usage: this.#usage }];
  }

  #start(given: JsonObject): StreamStep[] {
    if (this.#begun) return [];
    this.#begun = true;
    const id = nonEmpty(given["responseId"]) ?? this.#call.id;
    const model = nonEmpty(given["modelVersion"]) ?? this.#call.modelAsked;
    // The prompt is counted from the first event on, and some of Anthropic's callers read that nowhere else.
    const usage = this.#usage && { ...this.#usage, output: 0, reasoning: 0 };
    return [{ kind: "START", id, model, usage }];
  }

  #part(part: JsonObject): StreamStep[] {
    const read: ReplyPart | undefined = readReplyPart(part, this.#call, this.#calls);
    if (read === undefined) return [];
    if (read.kind === "TOOL_CALL") {
      return this.#queue.push(`tool:${String(this.#calls++)}`, read, read.args);
    }
    return this.#queue.push(read.kind, { kind: read.kind }, read.text);
  }
}
