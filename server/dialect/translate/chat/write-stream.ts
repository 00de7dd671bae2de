import type { Problem } from "../../codec.js";
import { unreachable } from "../../../core/assert.js";
import { signatureText } from "../conversation.js";
import { type JsonObject, writeJson } from "../json.js";
import type { Block, SaidStep } from "../reply.js";
import type { CallFacts, StreamWriter } from "../side.js";
import { chatUsage } from "../usage.js";
import { CODECS } from "../../codecs.js";
import { extraContent } from "./parts.js";
import { finishReason } from "./reply.js";

/** Writes the chunks of a streamed chat completion. */
export class ChatStreamWriter implements StreamWriter {
  readonly #call: CallFacts;
  #id = "";
  #model = "";
  #block: Block | undefined;
  #toolIndex = -1;
  #thoughtIndex = -1;
  /** Of the open thought something was said. */
  #hasThought = false;
  /** A call that was begun and not told of yet: its first arguments, often all of them, come with its name. */
  #begun: (Block & { readonly kind: "TOOL_CALL" }) | undefined;

  constructor(call: CallFacts) {
    this.#call = call;
  }

  get keptBytes(): number {
    return 0;
  }

  push(step: SaidStep): string {
    switch (step.kind) {
      case "START":
        this.#id = step.id;
        this.#model = step.model;
        return this.#delta({ role: "assistant", content: "" });
      case "OPEN":
        return this.#open(step.block);
      case "DELTA":
        return this.#text(step.text);
      case "SIGN": {
        const signature = signatureText(step.signature, "ANTHROPIC");
        // Who keeps this piece alone would bring the signature back as one of no text, unless no text stands for that.
        const text = this.#hasThought ? undefined : "";
        return this.#detail({ type: "reasoning.text", text, signature });
      }
      case "CLOSE":
        return this.#close();
      case "END":
        return this.#end(step);
      default:
        return unreachable(step);
    }
  }

  fail(problem: Problem): string {
    return CODECS.OPENAI.streamError(problem);
  }

  #open(block: Block): string {
    this.#block = block;
    switch (block.kind) {
      case "TOOL_CALL":
        this.#toolIndex++;
        this.#begun = block;
        return "";
      case "REDACTED": {
        this.#thoughtIndex++;
        const data = signatureText({ origin: block.origin, value: block.data }, "ANTHROPIC");
        return this.#detail({ type: "reasoning.encrypted", data });
      }
      case "THINKING":
        this.#thoughtIndex++;
        this.#hasThought = false;
        return "";
      case "TEXT":
      case "REFUSAL":
        return "";
      default:
        return unreachable(block);
    }
  }

  #text(text: string): string {
    switch (this.#block?.kind) {
      case "TOOL_CALL":
        return this.#arguments(text);
      case "THINKING":
        this.#hasThought = true;
        return this.#delta({
          reasoning_content: text,
          reasoning_details: [{ type: "reasoning.text", text, index: this.#thoughtIndex }],
        });
      case "REFUSAL":
        return this.#delta({ refusal: text });
      case "TEXT":
        return this.#delta({ content: text });
      case "REDACTED":
      case undefined:
      default:
        return "";
    }
  }

  #close(): string {
    return this.#begun === undefined ? "" : this.#arguments("{}");
  }

  #end(step: SaidStep & { kind: "END" }): string {
    const last = this.#chunk([
      { index: 0, delta: {}, logprobs: null, finish_reason: finishReason(step.stop) },
    ]);
    const told = this.#call.usageAsked && step.usage !== undefined;
    const usage = told ? this.#chunk([], { usage: chatUsage(step.usage) }) : "";
    return `${last}${usage}data: [DONE]\n\n`;
  }

  /** Mistral's SDK and AI SDK's provider for xAI cannot put calls together: they take the first chunk for all of one. */
  #arguments(text: string): string {
    const begun = this.#begun;
    this.#begun = undefined;
    if (begun === undefined) return this.#toolCall({ function: { arguments: text } });
    const { id, name, signature } = begun;
    return this.#toolCall({
      id,
      type: "function",
      function: { name, arguments: text },
      ...extraContent(signature),
    });
  }

  #toolCall(given: JsonObject): string {
    return this.#delta({ tool_calls: [{ index: this.#toolIndex, ...given }] });
  }

  #detail(given: JsonObject): string {
    return this.#delta({ reasoning_details: [{ ...given, index: this.#thoughtIndex }] });
  }

  #delta(delta: JsonObject): string {
    return this.#chunk([{ index: 0, delta, logprobs: null, finish_reason: null }]);
  }

  #chunk(choices: readonly JsonObject[], more: JsonObject = {}): string {
    const chunk = {
      id: this.#id,
      object: "chat.completion.chunk",
      created: this.#call.nowSeconds,
      model: this.#model,
      choices,
      ...more,
    };
    return `data: ${writeJson(chunk)}\n\n`;
  }
}
