import type { Problem } from "../../codec.js";
import { failedResponse } from "../../openai-errors.js";
import { unreachable } from "../../../core/assert.js";
import type { Signature } from "../conversation.js";
import { type JsonObject, writeJson } from "../json.js";
import { keptBytesOf } from "../kept-bytes.js";
import type { Block, SaidStep } from "../reply.js";
import type { CallFacts, StreamWriter } from "../side.js";
import {
  callItem,
  contentPart,
  cutItem,
  endOf,
  itemId,
  keep,
  lacksAnswer,
  messageItem,
  responseOf,
} from "./reply.js";
import { toldReasoning } from "./thoughts.js";
import { customInput, declaredTool } from "./tools.js";

/** Bytes that an item takes in addition to its text. */
const ITEM_BYTES = 512;

/** Writes the events of a streamed response. */
export class ResponsesStreamWriter implements StreamWriter {
  readonly #call: CallFacts;
  #response: JsonObject = {};
  readonly #output: JsonObject[] = [];
  #sequence = 0;
  #block: Block | undefined;
  /** Of the open block. */
  #itemId = "";
  #isCustom = false;
  #text = "";
  #signature: Signature | undefined;
  #keptBytes = 0;
  /** Of the items that are whole. */
  #outputBytes = 0;
  /** Nothing more comes of the open block. Whether it is whole is known with the step that follows. */
  #isClosed = false;

  constructor(call: CallFacts) {
    this.#call = call;
  }

  /** The last event says all of it again. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  push(step: SaidStep): string {
    const before = this.#finishItem(step);
    return before + this.#said(step);
  }

  #said(step: SaidStep): string {
    switch (step.kind) {
      case "START":
        return this.#start(step.model);
      case "OPEN":
        return this.#open(step.block);
      case "DELTA":
        return this.#delta(step.text);
      case "SIGN":
        this.#signature = step.signature;
        return "";
      case "CLOSE":
        this.#isClosed = true;
        return "";
      case "END":
        return this.#end(endOf(step));
      default:
        return unreachable(step);
    }
  }

  #end(end: JsonObject): string {
    const empty = lacksAnswer(this.#output, end) ? this.#emptyMessage() : "";
    keep(this.#output, this.#call);
    const response = { ...this.#response, ...end, output: this.#output };
    const type = end["status"] === "completed" ? "response.completed" : "response.incomplete";
    return empty + this.#event(type, { response });
  }

  #emptyMessage(): string {
    return this.#open({ kind: "TEXT" }) + this.#closePart() + this.#done();
  }

  fail(problem: Problem): string {
    const item = this.#finishItem();
    // SDKs know of no response that fails before it was created.
    const before = this.#sequence === 0 ? this.#start(this.#call.modelAsked) : "";
    const told = failedResponse(problem, { response: this.#response, sequence: this.#sequence });
    return item + before + told;
  }

  #start(model: string): string {
    this.#response = responseOf(model, this.#call);
    return (
      this.#event("response.created", { response: this.#response }) +
      this.#event("response.in_progress", { response: this.#response })
    );
  }

  #open(block: Block): string {
    const signature = block.kind === "TOOL_CALL" ? block.signature : undefined;
    // Callers send reasoning back unchanged, and with it the signature of the call that follows.
    const before = signature === undefined ? "" : this.#signedAlone(signature);
    this.#begin(block);
    const item = this.#item(false);
    const added = this.#event("response.output_item.added", { output_index: this.#index, item });
    return before + added + this.#openPart(block);
  }

  #openPart(block: Block): string {
    if (block.kind !== "TEXT" && block.kind !== "REFUSAL") return "";
    return this.#inside("response.content_part.added", {
      content_index: 0,
      part: contentPart(block.kind, ""),
    });
  }

  /** A thought that is only signed has no summary, and begins none. */
  #openSummary(): string {
    return this.#inside("response.reasoning_summary_part.added", {
      summary_index: 0,
      part: { type: "summary_text", text: "" },
    });
  }

  #signedAlone(signature: Signature): string {
    this.#begin({ kind: "THINKING" });
    this.#signature = signature;
    const item = this.#item(false);
    const added = this.#event("response.output_item.added", { output_index: this.#index, item });
    return added + this.#done();
  }

  #begin(block: Block): void {
    this.#block = block;
    this.#text = "";
    this.#signature = undefined;
    // Once for all its deltas: a request may declare a great many tools.
    const name = block.kind === "TOOL_CALL" ? block.name : "";
    this.#itemId = itemId(this.#call, this.#index, block.kind, name);
    this.#isCustom = declaredTool(name, this.#call.tools)?.custom === true;
  }

  #delta(text: string): string {
    const isFirst = this.#text === "";
    this.#text += text;
    this.#keptBytes += keptBytesOf(text);
    switch (this.#block?.kind) {
      case "TEXT":
        return this.#inside("response.output_text.delta", {
          content_index: 0,
          delta: text,
          logprobs: [],
        });
      case "REFUSAL":
        return this.#inside("response.refusal.delta", { content_index: 0, delta: text });
      case "THINKING":
        return (
          (isFirst ? this.#openSummary() : "") +
          this.#inside("response.reasoning_summary_text.delta", { summary_index: 0, delta: text })
        );
      case "TOOL_CALL":
        // Text for a custom tool can be told only when it is whole.
        if (this.#isCustom) return "";
        return this.#inside("response.function_call_arguments.delta", { delta: text });
      case "REDACTED":
      case undefined:
      default:
        return "";
    }
  }

  #finishItem(next?: SaidStep): string {
    if (!this.#isClosed) return "";
    this.#isClosed = false;
    const isCut = next?.kind === "END" && endOf(next)["status"] === "incomplete";
    return this.#closePart() + this.#done(isCut);
  }

  #closePart(): string {
    const text = this.#text;
    switch (this.#block?.kind) {
      case "TEXT":
      case "REFUSAL": {
        const { kind } = this.#block;
        const refusal = kind === "REFUSAL";
        const whole = refusal ? { refusal: text } : { text, logprobs: [] };
        const type = refusal ? "response.refusal.done" : "response.output_text.done";
        return (
          this.#inside(type, { content_index: 0, ...whole }) +
          this.#inside("response.content_part.done", {
            content_index: 0,
            part: contentPart(kind, text),
          })
        );
      }
      case "THINKING":
        if (text === "") return "";
        return (
          this.#inside("response.reasoning_summary_text.done", { summary_index: 0, text }) +
          this.#inside("response.reasoning_summary_part.done", {
            summary_index: 0,
            part: { type: "summary_text", text },
          })
        );
      case "TOOL_CALL":
        return this.#closeCall(this.#block.name, text);
      case "REDACTED":
      case undefined:
      default:
        return "";
    }
  }

  #closeCall(name: string, args: string): string {
    if (!this.#isCustom) {
      // Who goes by the pieces alone is to have the same.
      const before = args === "" ? this.#delta("{}") : "";
      const declared = declaredTool(name, this.#call.tools)?.name ?? name;
      const whole = { name: declared, arguments: this.#text };
      return before + this.#inside("response.function_call_arguments.done", whole);
    }
    const input = customInput(args);
    return (
      this.#inside("response.custom_tool_call_input.delta", { delta: input }) +
      this.#inside("response.custom_tool_call_input.done", { input })
    );
  }

  #done(isCut = false): string {
    const whole = this.#item(true);
    const item = isCut ? cutItem(whole) : whole;
    const done = this.#event("response.output_item.done", { output_index: this.#index, item });
    this.#output.push(item);
    this.#outputBytes += this.#text.length + ITEM_BYTES;
    this.#keptBytes = this.#outputBytes;
    return done;
  }

  /** The item of the open block: as it begins, or whole. */
  #item(whole: boolean): JsonObject {
    const block = this.#block;
    const id = this.#itemId;
    const begun = { status: "in_progress" };
    const status = whole ? "completed" : "in_progress";
    switch (block?.kind) {
      case "TOOL_CALL": {
        const item = callItem({ ...block, args: this.#text }, id, this.#call.tools);
        if (whole) return item;
        const empty = this.#isCustom ? { input: "" } : { arguments: "" };
        return { ...item, ...begun, ...empty };
      }
      case "THINKING":
        return toldReasoning(
          { text: this.#text, signature: this.#signature, redacted: false },
          id,
          status,
        );
      case "REDACTED": {
        const signature = { origin: block.origin, value: block.data };
        return toldReasoning({ text: "", signature, redacted: true }, id, status);
      }
      case "TEXT":
      case "REFUSAL":
      case undefined:
      default: {
        const item = messageItem(id, contentPart(block?.kind ?? "TEXT", this.#text));
        return whole ? item : { ...item, ...begun, content: [] };
      }
    }
  }

  get #index(): number {
    return this.#output.length;
  }

  #inside(type: string, members: JsonObject): string {
    const item_id = this.#itemId;
    return this.#event(type, { item_id, output_index: this.#index, ...members });
  }

  #event(type: string, members: JsonObject): string {
    const given = { type, sequence_number: this.#sequence++, ...members };
    return `event: ${type}\ndata: ${writeJson(given)}\n\n`;
  }
}
