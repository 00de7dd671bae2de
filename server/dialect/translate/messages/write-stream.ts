import type { Problem } from "../../codec.js";
import { unreachable } from "../../../core/assert.js";
import { NO_TOKENS } from "../../../core/call.js";
import { CODECS } from "../../codecs.js";
import { type Signature, signatureText } from "../conversation.js";
import { type JsonObject, writeJson } from "../json.js";
import { keptBytesOf } from "../kept-bytes.js";
import type { Block, SaidStep } from "../reply.js";
import type { StreamWriter } from "../side.js";
import { argumentsObject, plainToolId } from "../tool-arguments.js";
import { messagesUsage, ownMessagesUsage } from "../usage.js";
import { messagesEnd } from "./reply.js";

/** Writes the events of a streamed message. */
export class MessagesStreamWriter implements StreamWriter {
  #index = -1;
  #block: Block | undefined;
  #signed = false;
  /** Of a call: whether its arguments are an object, as far as is known, and what of them waits for that. */
  #isObject: boolean | undefined;
  #arguments = "";
  /** Told when the message ends. */
  #refusal = "";
  #refusalBytes = 0;
  #keptBytes = 0;

  get keptBytes(): number {
    return this.#keptBytes + this.#refusalBytes;
  }

  push(step: SaidStep): string {
    switch (step.kind) {
      case "START":
        return this.#start(step);
      case "OPEN":
        return this.#open(step.block);
      case "DELTA":
        return this.#text(step.text);
      case "SIGN":
        return this.#signature(step.signature);
      case "CLOSE":
        return this.#close();
      case "END":
        return (
          event("message_delta", {
            delta: messagesEnd(step.stop, this.#refusal),
            usage: messagesUsage(step.usage ?? NO_TOKENS),
          }) + event("message_stop", {})
        );
      default:
        return unreachable(step);
    }
  }

  fail(problem: Problem): string {
    return CODECS.ANTHROPIC.streamError(problem);
  }

  #start(step: SaidStep & { kind: "START" }): string {
    return event("message_start", {
      message: {
        id: step.id,
        type: "message",
        role: "assistant",
        model: step.model,
        content: [],
        stop_reason: null,
        stop_sequence: null,
        stop_details: null,
        usage: ownMessagesUsage(step.usage ?? NO_TOKENS),
      },
    });
  }

  #open(block: Block): string {
    if (block.kind === "REFUSAL") {
      this.#block = block;
      return "";
    }
    // Callers send thoughts back unchanged, and with them the signature of the call that follows.
    const signature = block.kind === "TOOL_CALL" ? block.signature : undefined;
    const before =
      signature === undefined
        ? ""
        : this.#begin({ kind: "THINKING" }) +
          this.#signature(signature) +
          event("content_block_stop", { index: this.#index });
    return before + this.#begin(block);
  }

  #close(): string {
    if (this.#block?.kind === "REFUSAL") return "";
    const unsigned = this.#block?.kind === "THINKING" && !this.#signed;
    const before = unsigned ? this.#signature(undefined) : this.#noObject();
    return before + event("content_block_stop", { index: this.#index });
  }

  #begin(block: Exclude<Block, { kind: "REFUSAL" }>): string {
    this.#block = block;
    this.#signed = false;
    this.#isObject = undefined;
    this.#index++;
    return event("content_block_start", { index: this.#index, content_block: startOf(block) });
  }

  #signature(signature: Signature | undefined): string {
    this.#signed = true;
    return this.#delta({
      type: "signature_delta",
      signature: signatureText(signature, "ANTHROPIC"),
    });
  }

  #argument(text: string): string {
    if (this.#isObject === true) return this.#delta(inputDelta(text));
    if (this.#isObject === undefined && text.trim() !== "") {
      this.#isObject = text.trimStart().startsWith("{");
    }
    this.#arguments += text;
    this.#keptBytes += keptBytesOf(text);
    return this.#isObject === true ? this.#delta(inputDelta(this.#waiting())) : "";
  }

  #waiting(): string {
    const waiting = this.#arguments;
    this.#arguments = "";
    this.#keptBytes = 0;
    return waiting;
  }

  /** What is no object is told as one, as in a whole reply. */
  #noObject(): string {
    const args = this.#waiting();
    return args.trim() === "" ? "" : this.#delta(inputDelta(writeJson(argumentsObject(args))));
  }

  #text(text: string): string {
    switch (this.#block?.kind) {
      case "TOOL_CALL":
        return this.#argument(text);
      case "THINKING":
        return this.#delta({ type: "thinking_delta", thinking: text });
      case "REFUSAL":
        this.#refusal += text;
        this.#refusalBytes += keptBytesOf(text);
        return "";
      case "TEXT":
      case "REDACTED":
      case undefined:
      default:
        return this.#delta({ type: "text_delta", text });
    }
  }

  #delta(delta: JsonObject): string {
    return event("content_block_delta", { index: this.#index, delta });
  }
}

function inputDelta(partial_json: string): JsonObject {
  return { type: "input_json_delta", partial_json };
}

function startOf(block: Exclude<Block, { kind: "REFUSAL" }>): JsonObject {
  switch (block.kind) {
    case "TEXT":
      return { type: "text", text: "" };
    case "THINKING":
      return { type: "thinking", thinking: "", signature: "" };
    case "REDACTED":
      return {
        type: "redacted_thinking",
        data: signatureText({ origin: block.origin, value: block.data }, "ANTHROPIC"),
      };
    case "TOOL_CALL":
      return { type: "tool_use", id: plainToolId(block.id), name: block.name, input: {} };
    default:
      return unreachable(block);
  }
}

function event(type: string, members: JsonObject): string {
  return `event: ${type}\ndata: ${writeJson({ type, ...members })}\n\n`;
}
