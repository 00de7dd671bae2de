import type { TokenUsage } from "../../../core/call.js";
import { Fault } from "../../../core/fault.js";
import { usageAtEnd } from "../../tokens.js";
import { signatureOf } from "../conversation.js";
import { failedInside } from "../failures.js";
import { type JsonObject, number, object, string } from "../json.js";
import { type Block, type Stop, stopped, type StreamStep } from "../reply.js";
import type { CallFacts, StreamReader } from "../side.js";
import { eventObject, type SseEvent } from "../sse-events.js";
import { argumentsText } from "../tool-arguments.js";
import { messagesStop, messagesTokens, readMessagesFailure, refusalOf } from "./reply.js";

/** Reads the events of a streamed message. */
export class MessagesStreamReader implements StreamReader {
  readonly #call: CallFacts;
  /** Index of the block that is open and understood. */
  #open: number | undefined;
  /** Arguments that came whole with the beginning of a call; unused if deltas follow. */
  #input = "";
  #begun = false;
  /** Of the message, as it began. */
  #id: string | undefined;
  #over = false;
  #stop: Stop = stopped("END");
  #usage: TokenUsage | undefined;
  /** The same in the provider's words. */
  #told: JsonObject = {};

  constructor(call: CallFacts) {
    this.#call = call;
  }

  get keptBytes(): number {
    return this.#input.length;
  }

  push(event: SseEvent): readonly StreamStep[] {
    const steps = this.#read(event);
    const first = steps[0]?.kind;
    // Some imitations leave out the first event.
    const isLate = !this.#begun && first !== undefined && first !== "FAIL";
    return isLate ? [...this.#start({}), ...steps] : steps;
  }

  #read(event: SseEvent): readonly StreamStep[] {
    const given = this.#over ? undefined : eventObject(event);
    switch (given?.["type"]) {
      case "message_start":
        return this.#start(object(given["message"]) ?? {});
      case "content_block_start":
        return this.#blockStart(given);
      case "content_block_delta":
        return this.#delta(given);
      case "content_block_stop":
        return number(given["index"]) === this.#open ? this.#close() : [];
      case "message_delta":
        return this.#messageDelta(given);
      case "message_stop":
        return this.end();
      case "error":
        return this.#fail(given);
      default:
        return [];
    }
  }

  end(): readonly StreamStep[] {
    if (this.#over) return [];
    const steps = [...this.#start({}), ...this.#close()];
    this.#over = true;
    return [...steps, { kind: "END", stop: this.#stop, usage: this.#usage }];
  }

  /**
   * Between Anthropic and here a stream that broke off may be asked for again, and the new one follows in the same body.
   * What both say is no one reply: Anthropic refuses their thoughts when they come back as those of one message.
   */
  #start(message: JsonObject): StreamStep[] {
    const id = string(message["id"]);
    if (this.#begun) {
      if (id === undefined || id === this.#id) return [];
      throw new Fault("upstream_error", "The provider began another message inside the first.");
    }
    this.#begun = true;
    this.#id = id;
    this.#count(object(message["usage"]));
    const model = string(message["model"]) ?? this.#call.modelAsked;
    return [{ kind: "START", id: id ?? this.#call.id, model, usage: this.#usage }];
  }

  #blockStart(event: JsonObject): StreamStep[] {
    const given = object(event["content_block"]) ?? {};
    const block = blockOf(given);
    if (block === undefined) return [];
    const steps: StreamStep[] = [...this.#close(), { kind: "OPEN", block }];
    this.#open = number(event["index"]) ?? 0;
    const text = string(given["text"]) ?? string(given["thinking"]) ?? "";
    if (text !== "") steps.push({ kind: "DELTA", text });
    const input = object(given["input"]);
    const whole = block.kind === "TOOL_CALL" && Object.keys(input ?? {}).length > 0;
    this.#input = whole ? argumentsText(input) : "";
    return steps;
  }

  #delta(event: JsonObject): StreamStep[] {
    if ((number(event["index"]) ?? 0) !== this.#open) return [];
    const delta = object(event["delta"]) ?? {};
    if (delta["type"] === "signature_delta") {
      const signature = signatureOf(string(delta["signature"]) ?? "", "ANTHROPIC");
      return signature === undefined ? [] : [{ kind: "SIGN", signature }];
    }
    const text =
      string(delta["text"]) ?? string(delta["thinking"]) ?? string(delta["partial_json"]) ?? "";
    if (text === "") return [];
    this.#input = "";
    return [{ kind: "DELTA", text }];
  }

  #close(): StreamStep[] {
    if (this.#open === undefined) return [];
    this.#open = undefined;
    const text = this.#input;
    this.#input = "";
    return text === "" ? [{ kind: "CLOSE" }] : [{ kind: "DELTA", text }, { kind: "CLOSE" }];
  }

  #messageDelta(given: JsonObject): StreamStep[] {
    const delta = object(given["delta"]) ?? {};
    this.#count(object(given["usage"]));
    if (typeof delta["stop_reason"] === "string") {
      this.#stop = messagesStop(delta["stop_reason"], delta["stop_sequence"]);
    }
    const refusal = refusalOf(delta).flatMap(({ kind, text }): StreamStep[] => [
      { kind: "OPEN", block: { kind } },
      { kind: "DELTA", text },
      { kind: "CLOSE" },
    ]);
    return refusal.length === 0 ? [] : [...this.#close(), ...refusal];
  }

  #count(usage: JsonObject | undefined): void {
    if (usage === undefined) return;
    this.#told = usageAtEnd(this.#told, usage);
    this.#usage = messagesTokens(this.#told);
  }

  #fail(given: JsonObject): StreamStep[] {
    this.#over = true;
    const failure = failedInside(readMessagesFailure(given, 0));
    return failure === undefined ? [] : [{ kind: "FAIL", failure }];
  }
}

function blockOf(given: JsonObject): Block | undefined {
  switch (given["type"]) {
    case "text":
      return { kind: "TEXT" };
    case "thinking":
      return { kind: "THINKING" };
    case "redacted_thinking":
      return { kind: "REDACTED", data: string(given["data"]) ?? "", origin: "ANTHROPIC" };
    case "tool_use": {
      const id = string(given["id"]) ?? "";
      return { kind: "TOOL_CALL", id, name: string(given["name"]) ?? "", signature: undefined };
    }
    default:
      return undefined;
  }
}
