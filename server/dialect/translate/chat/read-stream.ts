import type { TokenUsage } from "../../../core/call.js";
import { BlockQueue } from "../block-queue.js";
import type { ThinkingPart } from "../conversation.js";
import { type JsonObject, nonEmpty, number, object, objects, string, writeJson } from "../json.js";
import { keptBytesOf } from "../kept-bytes.js";
import { ObjectEnd } from "../object-end.js";
import type { Block, StreamStep } from "../reply.js";
import type { CallFacts, StreamReader } from "../side.js";
import { eventObject, type SseEvent } from "../sse-events.js";
import { failedInside } from "../failures.js";
import { contentText, thoughtSignatureOf, thoughtsOf } from "./parts.js";
import { CallIds, chatStop, chatTokens, idOf, readChatFailure } from "./reply.js";

interface KnownCall {
  readonly key: string;
  readonly id: string;
  readonly block: Block;
  readonly end: ObjectEnd;
  /** As far as they have come. */
  args: string;
}

/** Reads the chunks of a streamed chat completion. */
export class ChatStreamReader implements StreamReader {
  readonly #call: CallFacts;
  readonly #queue = new BlockQueue();
  /** The latest call at each index; a new id at a known index is a new call. */
  readonly #calls = new Map<number, KnownCall>();
  /** Where these stand, by their ids. */
  readonly #indexes = new Map<string, number>();
  readonly #ids = new CallIds();
  #lastIndex = 0;
  #callCount = 0;
  /** Bytes of these, in addition to what the queue holds. */
  #callBytes = 0;
  #thoughtCount = 0;
  #begun = false;
  #over = false;
  #refuses = false;
  #reason: unknown;
  #usage: TokenUsage | undefined;

  constructor(call: CallFacts) {
    this.#call = call;
  }

  get keptBytes(): number {
    return this.#queue.keptBytes + this.#callBytes;
  }

  push(event: SseEvent): readonly StreamStep[] {
    if (this.#over) return [];
    if (event.data.trim() === "[DONE]") return this.end();
    const chunk = eventObject(event);
    if (chunk === undefined) return [];
    const failure = failedInside(readChatFailure(chunk, 0));
    if (failure !== undefined) {
      this.#over = true;
      return [{ kind: "FAIL", failure }];
    }
    return this.#chunk(chunk);
  }

  end(): readonly StreamStep[] {
    if (this.#over) return [];
    this.#over = true;
    const steps = [...this.#start({}), ...this.#queue.close()];
    const stop = chatStop(this.#reason, this.#callCount > 0, this.#refuses);
    return [...steps, { kind: "END", stop, usage: this.#usage }];
  }

  #chunk(chunk: JsonObject): StreamStep[] {
    const grok = object(chunk["x_groq"]);
    this.#usage = chatTokens(chunk["usage"]) ?? chatTokens(grok?.["usage"]) ?? this.#usage;
    const choice = objects(chunk["choices"]).find((each) => (number(each["index"]) ?? 0) === 0);
    if (choice === undefined) return [];
    // Some providers send the last piece as a whole message.
    const delta = object(choice["delta"]) ?? object(choice["message"]) ?? {};
    this.#reason = choice["finish_reason"] ?? this.#reason;
    return [
      ...this.#start(chunk),
      ...thoughtsOf(delta).flatMap((thought) => this.#thought(thought)),
      ...this.#said("TEXT", contentText(delta["content"])),
      ...this.#said("REFUSAL", string(delta["refusal"]) ?? ""),
      ...objects(delta["tool_calls"]).flatMap((toolCall) => this.#toolCall(toolCall)),
    ];
  }

  #said(kind: "TEXT" | "REFUSAL", text: string): StreamStep[] {
    if (text === "") return [];
    this.#refuses ||= kind === "REFUSAL";
    return this.#queue.push(kind, { kind }, text);
  }

  #start(chunk: JsonObject): StreamStep[] {
    if (this.#begun) return [];
    this.#begun = true;
    const id = nonEmpty(chunk["id"]) ?? this.#call.id;
    const model = nonEmpty(chunk["model"]) ?? this.#call.modelAsked;
    return [{ kind: "START", id, model, usage: undefined }];
  }

  #thought(thought: ThinkingPart): StreamStep[] {
    const { signature, text } = thought;
    if (thought.redacted) {
      const data = signature?.value ?? "";
      const origin = signature?.origin ?? "ANTHROPIC";
      const key = `redacted:${String(this.#thoughtCount++)}`;
      return this.#queue.push(key, { kind: "REDACTED", data, origin }, "");
    }
    const key = `thinking:${String(this.#thoughtCount)}`;
    const steps = this.#queue.push(key, { kind: "THINKING" }, text);
    if (signature === undefined) return steps;
    // Whatever follows a signature is another thought.
    this.#thoughtCount++;
    return [...steps, ...this.#queue.inside(key, { kind: "SIGN", signature })];
  }

  #toolCall(delta: JsonObject): StreamStep[] {
    const id = nonEmpty(delta["id"]);
    const index = number(delta["index"]) ?? this.#indexWithout(id);
    this.#lastIndex = index;
    const text = argumentsOf(delta);
    let known = this.#calls.get(index);
    if (known !== undefined && id === known.id && known.end.reached && known.args === text) {
      // What was said in pieces is said again as a whole.
      return [];
    }
    if (known === undefined || this.#isAnother(known, delta, text)) {
      if (known !== undefined) this.#indexes.delete(known.id);
      known = this.#newCall(delta);
      this.#calls.set(index, known);
      this.#indexes.set(known.id, index);
    }
    known.args += text;
    known.end.push(text);
    this.#callBytes += keptBytesOf(text);
    return this.#queue.push(known.key, known.block, text);
  }

  /**
   * A piece at the index of a known call begins another one: its id is new, or it names a tool and has arguments where
   * those of the known call are complete. Some providers have one index for all calls, and some one id too.
   */
  #isAnother(known: KnownCall, delta: JsonObject, text: string): boolean {
    const id = nonEmpty(delta["id"]);
    if (id !== undefined && id !== known.id) return true;
    return known.end.reached && nameOf(delta) !== "" && text.trim() !== "";
  }

  /** Some providers leave the index out: then an id that is new begins a call, and anything else goes on. */
  #indexWithout(id: string | undefined): number {
    if (id === undefined) return this.#lastIndex;
    return this.#indexes.get(id) ?? this.#calls.size;
  }

  #newCall(delta: JsonObject): KnownCall {
    const count = this.#callCount++;
    const given = idOf(delta, this.#call, count);
    const id = this.#ids.unique(given, count);
    const name = nameOf(delta);
    const key = `tool:${String(count)}`;
    const signature = thoughtSignatureOf(delta);
    this.#callBytes += keptBytesOf(id) + keptBytesOf(name) + (signature?.value.length ?? 0);
    const block: Block = { kind: "TOOL_CALL", id, name, signature };
    return { key, id: given, block, end: new ObjectEnd(), args: "" };
  }
}

function nameOf(delta: JsonObject): string {
  return string(object(delta["function"])?.["name"]) ?? "";
}

/** Some providers say them all at once, as an object. */
function argumentsOf(delta: JsonObject): string {
  const args = object(delta["function"])?.["arguments"];
  const whole = object(args);
  return whole === undefined ? (string(args) ?? "") : writeJson(whole);
}
