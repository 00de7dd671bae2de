import { BlockQueue } from "../block-queue.js";
import { failedInside } from "../failures.js";
import { type JsonObject, nonEmpty, number, object, string } from "../json.js";
import { keptBytesOf } from "../kept-bytes.js";
import type { StreamStep } from "../reply.js";
import type { CallFacts, StreamReader } from "../side.js";
import { eventObject, type SseEvent } from "../sse-events.js";
import { chatTokens } from "../chat/reply.js";
import { callOf, messageParts, readResponsesFailure, responsesStop, saysNothing } from "./reply.js";
import { thoughtOf } from "./thoughts.js";

type Handler = (event: JsonObject) => readonly StreamStep[];

/** Reads the events of a streamed response. */
export class ResponsesStreamReader implements StreamReader {
  readonly #call: CallFacts;
  readonly #queue = new BlockQueue();
  /** The calls that have begun, by the index of their item. */
  readonly #calls = new Map<number, ReturnType<typeof callOf>>();
  /** Bytes of these, in addition to what the queue holds. */
  #callBytes = 0;
  /** Pieces of which some text has come; what has not comes with the end of its item. */
  readonly #told = new Set<string>();
  /** How the reasoning of an item is told: in summary or in full, never both. */
  readonly #reasoning = new Map<number, string>();
  readonly #kinds = new Set<string>();
  #begun = false;
  #over = false;
  readonly #handlers: Readonly<Record<string, Handler>> = {
    "response.created": (event) => this.#start(event),
    "response.in_progress": (event) => this.#start(event),
    "response.output_item.added": (event) => this.#itemAdded(event),
    "response.output_text.delta": (event) => this.#text(event, "TEXT"),
    "response.refusal.delta": (event) => this.#text(event, "REFUSAL"),
    "response.function_call_arguments.delta": (event) => this.#args(event),
    "response.reasoning_summary_part.added": (event) => this.#summaryPart(event),
    "response.reasoning_summary_text.delta": (event) => this.#thought(event, "summary"),
    "response.reasoning_text.delta": (event) => this.#thought(event, "full"),
    "response.output_item.done": (event) => this.#itemDone(event),
    "response.completed": (event) => this.#finish(responseIn(event)),
    "response.incomplete": (event) => this.#finish({ ...responseIn(event), status: "incomplete" }),
    "response.failed": (event) =>
      this.#fail({ response: { ...responseIn(event), status: "failed" } }),
    error: (event) => this.#fail(event),
  };

  constructor(call: CallFacts) {
    this.#call = call;
  }

  get keptBytes(): number {
    return this.#queue.keptBytes + this.#callBytes;
  }

  push(event: SseEvent): readonly StreamStep[] {
    const given = this.#over ? undefined : eventObject(event);
    if (given === undefined) return [];
    const steps = this.#handlers[string(given["type"]) ?? ""]?.(given) ?? [];
    const first = steps[0]?.kind;
    // Some imitations leave out the first event.
    const isLate = !this.#begun && first !== undefined && first !== "FAIL";
    return isLate ? [...this.#start({}), ...steps] : steps;
  }

  end(): readonly StreamStep[] {
    return this.#over ? [] : this.#finish({});
  }

  #start(event: JsonObject): StreamStep[] {
    if (this.#begun) return [];
    this.#begun = true;
    const response = responseIn(event);
    const id = nonEmpty(response["id"]) ?? this.#call.id;
    const model = nonEmpty(response["model"]) ?? this.#call.modelAsked;
    return [{ kind: "START", id, model, usage: undefined }];
  }

  #itemAdded(event: JsonObject): StreamStep[] {
    const item = object(event["item"]) ?? {};
    if (item["type"] !== "function_call") return [];
    this.#kinds.add("TOOL_CALL");
    const call = callOf(item);
    this.#callBytes += keptBytesOf(call.id) + keptBytesOf(call.name) + keptBytesOf(call.args);
    this.#calls.set(indexOf(event), call);
    return this.#queue.push(keyOf(event), call, "");
  }

  #text(event: JsonObject, kind: "TEXT" | "REFUSAL"): StreamStep[] {
    const delta = string(event["delta"]) ?? "";
    if (delta === "") return [];
    this.#kinds.add(kind);
    const key = `${keyOf(event)}.${String(number(event["content_index"]) ?? 0)}`;
    this.#told.add(keyOf(event));
    return this.#queue.push(key, { kind }, delta);
  }

  #args(event: JsonObject): StreamStep[] {
    const call = this.#calls.get(indexOf(event));
    const delta = string(event["delta"]) ?? "";
    if (call === undefined || delta === "") return [];
    this.#told.add(keyOf(event));
    return this.#queue.push(keyOf(event), call, delta);
  }

  #summaryPart(event: JsonObject): StreamStep[] {
    const later = (number(event["summary_index"]) ?? 0) > 0;
    return later ? this.#thought({ ...event, delta: "\n\n" }, "summary") : [];
  }

  #thought(event: JsonObject, told: string): StreamStep[] {
    const index = indexOf(event);
    const delta = string(event["delta"]) ?? "";
    const before = this.#reasoning.get(index) ?? told;
    if (before !== told || delta === "") return [];
    this.#reasoning.set(index, told);
    this.#told.add(keyOf(event));
    return this.#queue.push(keyOf(event), { kind: "THINKING" }, delta);
  }

  #itemDone(event: JsonObject): StreamStep[] {
    const item = object(event["item"]) ?? {};
    const key = keyOf(event);
    const told = this.#told.has(key);
    switch (item["type"]) {
      case "message":
        return told ? [] : this.#message(item, key);
      case "function_call":
      case "custom_tool_call": {
        const call = callOf(item);
        this.#kinds.add("TOOL_CALL");
        return told ? [] : this.#queue.push(key, call, call.args);
      }
      case "reasoning": {
        const thought = thoughtOf(item);
        const { text, signature, redacted } = thought;
        if (!told && saysNothing(thought)) return [];
        if (redacted && signature !== undefined) {
          const { value: data, origin } = signature;
          return this.#queue.push(key, { kind: "REDACTED", data, origin }, "");
        }
        const steps = told ? [] : this.#queue.push(key, { kind: "THINKING" }, text);
        if (signature === undefined) return steps;
        return [...steps, ...this.#queue.inside(key, { kind: "SIGN", signature })];
      }
      default:
        return [];
    }
  }

  /** One that came whole. */
  #message(item: JsonObject, key: string): StreamStep[] {
    return messageParts(item).flatMap(({ kind, text }, at) => {
      this.#kinds.add(kind);
      return this.#queue.push(`${key}.${String(at)}`, { kind }, text);
    });
  }

  #finish(response: JsonObject): StreamStep[] {
    this.#over = true;
    const kinds = [...this.#kinds].map((kind) => ({ kind }));
    const stop = responsesStop(response, kinds);
    const usage = chatTokens(response["usage"]);
    return [...this.#start({ response }), ...this.#queue.close(), { kind: "END", stop, usage }];
  }

  #fail(event: JsonObject): StreamStep[] {
    this.#over = true;
    const failure = failedInside(readResponsesFailure(event, 0));
    return failure === undefined ? [] : [{ kind: "FAIL", failure }];
  }
}

function responseIn(event: JsonObject): JsonObject {
  return object(event["response"]) ?? {};
}

function indexOf(event: JsonObject): number {
  return number(event["output_index"]) ?? 0;
}

function keyOf(event: JsonObject): string {
  return String(indexOf(event));
}
