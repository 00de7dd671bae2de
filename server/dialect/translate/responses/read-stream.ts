import { unwellEnd } from "../../response-status.js";
import { BlockQueue } from "../block-queue.js";
import { failedInside } from "../failures.js";
import { type JsonObject, nonEmpty, number, object, objects, string } from "../json.js";
import type { Block, StreamStep } from "../reply.js";
import type { CallFacts, StreamReader } from "../side.js";
import { eventObject, type SseEvent } from "../sse-events.js";
import { chatTokens } from "../chat/reply.js";
import { callOf, messageParts, readResponsesFailure, responsesStop, saysNothing } from "./reply.js";
import { type StreamedCall, StreamedCalls } from "./stream-calls.js";
import { thoughtOf } from "./thoughts.js";

type Handler = (event: JsonObject) => readonly StreamStep[];

/** Reads the events of a streamed response. Some say all in the event that ends an item, or the whole response, alone. */
export class ResponsesStreamReader implements StreamReader {
  readonly #call: CallFacts;
  readonly #queue = new BlockQueue();
  readonly #calls = new StreamedCalls();
  /** Messages and thoughts of which some text has come; what has not comes with the end of the item. */
  readonly #told = new Set<string>();
  /** How the reasoning of an item is told: in summary or in full, never both. */
  readonly #reasoning = new Map<string, string>();
  readonly #kinds = new Set<Block["kind"]>();
  /** Where the latest item stands, for events that do not say. */
  #place = "";
  #begun = false;
  #over = false;
  readonly #handlers: Readonly<Record<string, Handler>> = {
    "response.created": (event) => this.#start(event),
    "response.in_progress": (event) => this.#start(event),
    "response.output_item.added": (event) => this.#itemAdded(event),
    "response.output_text.delta": (event) => this.#text(event, "TEXT"),
    "response.refusal.delta": (event) => this.#text(event, "REFUSAL"),
    "response.function_call_arguments.delta": (event) => this.#args(event),
    "response.function_call_arguments.done": (event) => this.#wholeArgs(event),
    "response.reasoning_summary_part.added": (event) => this.#summaryPart(event),
    "response.reasoning_summary_text.delta": (event) => this.#thought(event, "summary"),
    "response.reasoning_text.delta": (event) => this.#thought(event, "full"),
    "response.output_item.done": (event) => this.#itemDone(event),
    "response.completed": (event) => this.#finish(responseIn(event)),
    "response.incomplete": (event) => this.#finish({ ...responseIn(event), status: "incomplete" }),
    "response.failed": (event) => this.#finish({ ...responseIn(event), status: "failed" }),
    "response.cancelled": (event) => this.#finish({ ...responseIn(event), status: "cancelled" }),
    error: (event) => this.#fail(event),
  };

  constructor(call: CallFacts) {
    this.#call = call;
  }

  get keptBytes(): number {
    return this.#queue.keptBytes + this.#calls.keptBytes;
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
    this.#placeOf(event);
    return item["type"] === "function_call" ? this.#open(this.#calls.begun(event, item)) : [];
  }

  #text(event: JsonObject, kind: "TEXT" | "REFUSAL"): StreamStep[] {
    const delta = string(event["delta"]) ?? "";
    if (delta === "") return [];
    const key = `message ${this.#placeOf(event)}`;
    this.#kinds.add(kind);
    this.#told.add(key);
    return this.#queue.push(
      `${key} ${String(number(event["content_index"]) ?? 0)}`,
      { kind },
      delta,
    );
  }

  #open({ key, call }: StreamedCall): StreamStep[] {
    this.#kinds.add("TOOL_CALL");
    return this.#queue.push(key, call, "");
  }

  #args(event: JsonObject): StreamStep[] {
    const call = this.#calls.goingOn(event);
    const delta = string(event["delta"]) ?? "";
    if (call === undefined || delta === "") return [];
    call.isTold = true;
    return this.#queue.push(call.key, call.call, delta);
  }

  #wholeArgs(event: JsonObject): StreamStep[] {
    const call = this.#calls.goingOn(event);
    return call === undefined ? [] : this.#tell(call, string(event["arguments"]) ?? "");
  }

  /** All the arguments of a call, if nothing of them has come. */
  #tell(call: StreamedCall, args: string): StreamStep[] {
    if (call.isTold || args === "") return [];
    call.isTold = true;
    return this.#queue.push(call.key, call.call, args);
  }

  #summaryPart(event: JsonObject): StreamStep[] {
    const later = (number(event["summary_index"]) ?? 0) > 0;
    return later ? this.#thought({ ...event, delta: "\n\n" }, "summary") : [];
  }

  #thought(event: JsonObject, told: string): StreamStep[] {
    const key = `thought ${this.#placeOf(event)}`;
    const delta = string(event["delta"]) ?? "";
    const before = this.#reasoning.get(key) ?? told;
    if (before !== told || delta === "") return [];
    this.#reasoning.set(key, told);
    this.#kinds.add("THINKING");
    this.#told.add(key);
    return this.#queue.push(key, { kind: "THINKING" }, delta);
  }

  #itemDone(event: JsonObject): StreamStep[] {
    const item = object(event["item"]) ?? {};
    const place = this.#placeOf(event);
    switch (item["type"]) {
      case "message":
        return this.#told.has(`message ${place}`) ? [] : this.#message(item, place);
      case "reasoning":
        return this.#reasoningItem(item, `thought ${place}`);
      case "function_call":
      case "custom_tool_call":
        return this.#wholeCall(this.#calls.ended(event, item), item);
      default:
        return [];
    }
  }

  /** One that came whole. */
  #message(item: JsonObject, place: string): StreamStep[] {
    return messageParts(item).flatMap(({ kind, text }, at) => {
      const key = `message ${place}`;
      this.#kinds.add(kind);
      this.#told.add(key);
      return this.#queue.push(`${key} ${String(at)}`, { kind }, text);
    });
  }

  #reasoningItem(item: JsonObject, key: string): StreamStep[] {
    const told = this.#told.has(key);
    const thought = thoughtOf(item);
    const { text, signature, redacted } = thought;
    if (!told && saysNothing(thought)) return [];
    this.#kinds.add("THINKING");
    if (redacted && signature !== undefined) {
      const { value: data, origin } = signature;
      return this.#queue.push(key, { kind: "REDACTED", data, origin }, "");
    }
    const steps = told ? [] : this.#queue.push(key, { kind: "THINKING" }, text);
    if (signature === undefined) return steps;
    return [...steps, ...this.#queue.inside(key, { kind: "SIGN", signature })];
  }

  #wholeCall(call: StreamedCall, item: JsonObject): StreamStep[] {
    return [...this.#open(call), ...this.#tell(call, callOf(item).args)];
  }

  #finish(response: JsonObject): StreamStep[] {
    if (unwellEnd(response["status"]) !== undefined) return this.#fail({ response });
    this.#over = true;
    const steps = [...this.#start({ response }), ...this.#untold(objects(response["output"]))];
    const kinds = [...this.#kinds].map((kind) => ({ kind }));
    const stop = responsesStop(response, kinds);
    const usage = chatTokens(response["usage"]);
    return [...steps, ...this.#queue.close(), { kind: "END", stop, usage }];
  }

  /**
   * What only the last event tells. Its items may go by other ids and places there: of messages and thoughts it is all,
   * where nothing of the kind came before, and nothing otherwise.
   */
  #untold(output: readonly JsonObject[]): StreamStep[] {
    const isSaid = this.#kinds.has("TEXT") || this.#kinds.has("REFUSAL");
    const isThought = this.#kinds.has("THINKING");
    const calls = this.#calls.inAll(output.filter(isCall));
    let next = 0;
    const steps = output.flatMap((item, at): StreamStep[] => {
      const place = `in all ${String(at)}`;
      if (isCall(item)) {
        const call = calls[next++];
        return call === undefined ? [] : this.#wholeCall(call, item);
      }
      if (item["type"] === "message" && !isSaid) return this.#message(item, place);
      return item["type"] === "reasoning" && !isThought ? this.#reasoningItem(item, place) : [];
    });
    return [...steps, ...this.#calls.untold.flatMap((call) => this.#tell(call, call.call.args))];
  }

  /** Where a message or a thought stands, by which its pieces are put together. */
  #placeOf(event: JsonObject): string {
    const index = number(event["output_index"]);
    const id = nonEmpty(event["item_id"]) ?? nonEmpty(object(event["item"])?.["id"]);
    this.#place = index === undefined ? (id ?? this.#place) : String(index);
    return this.#place;
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

function isCall({ type }: JsonObject): boolean {
  return type === "function_call" || type === "custom_tool_call";
}
