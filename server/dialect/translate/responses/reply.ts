import { unreachable } from "../../../core/assert.js";
import { NO_TOKENS } from "../../../core/call.js";
import { unwellEnd } from "../../response-status.js";
import type { ThinkingPart } from "../conversation.js";
import { type JsonObject, nonEmpty, object, objects, string } from "../json.js";
import { chatTokens, readChatFailure } from "../chat/reply.js";
import { keptItem } from "../kept-response.js";
import {
  type Block,
  type Failure,
  type Reply,
  type ReplyPart,
  type Stop,
  stopped,
  stopWithTools,
} from "../reply.js";
import type { CallFacts, NamedTool } from "../side.js";
import { argumentsText } from "../tool-arguments.js";
import { responsesUsage } from "../usage.js";
import { PLAIN_TEXT, saidAgain } from "./settings.js";
import { thoughtOf, toldReasoning } from "./thoughts.js";
import { customInput, declaredTool, flatName } from "./tools.js";

/** Reads a whole response. */
export function readResponsesReply(body: JsonObject, call: CallFacts): Reply {
  const parts = objects(body["output"]).flatMap(readItem);
  return {
    id: nonEmpty(body["id"]) ?? call.id,
    model: nonEmpty(body["model"]) ?? call.modelAsked,
    parts,
    stop: responsesStop(body, parts),
    usage: chatTokens(body["usage"]),
  };
}

function readItem(item: JsonObject): ReplyPart[] {
  switch (item["type"]) {
    case "message":
      return messageParts(item);
    case "reasoning": {
      const thought = thoughtOf(item);
      return saysNothing(thought) ? [] : [thought];
    }
    case "function_call":
    case "custom_tool_call":
      return [callOf(item)];
    // What the provider's own tools did is its own affair; the text says what came of it.
    default:
      return [];
  }
}

/** A model that did not think may say so with an item that holds nothing. */
export function saysNothing({ text, signature }: ThinkingPart): boolean {
  return text === "" && signature === undefined;
}

type SaidPart = ReplyPart & { readonly kind: "TEXT" | "REFUSAL" };

/** What a message says, each part by itself; nothing of a part that is empty. */
export function messageParts(item: JsonObject): SaidPart[] {
  return objects(item["content"]).flatMap((part): SaidPart[] => {
    const kind = SAID[string(part["type"]) ?? ""];
    const text = string(part["text"]) ?? string(part["refusal"]) ?? "";
    return kind === undefined || text === "" ? [] : [{ kind, text }];
  });
}

const SAID: Readonly<Record<string, SaidPart["kind"]>> = {
  output_text: "TEXT",
  refusal: "REFUSAL",
};

/** A call of a tool; text given to a custom tool becomes an object. */
export function callOf(item: JsonObject): ReplyPart & { kind: "TOOL_CALL" } {
  const input = string(item["input"]) ?? "";
  const custom = item["type"] === "custom_tool_call";
  return {
    kind: "TOOL_CALL",
    id: string(item["call_id"]) ?? string(item["id"]) ?? "",
    name: flatName(string(item["namespace"]) ?? "", string(item["name"]) ?? ""),
    args: custom ? argumentsText({ input }) : (string(item["arguments"]) ?? ""),
    signature: undefined,
  };
}

export function responsesStop(body: JsonObject, parts: readonly { readonly kind: string }[]): Stop {
  if (body["status"] === "incomplete") {
    const reason = object(body["incomplete_details"])?.["reason"];
    return stopped(reason === "content_filter" ? "FILTER" : "LENGTH");
  }
  if (parts.some((part) => part.kind === "REFUSAL")) return stopped("REFUSED");
  return stopWithTools(
    stopped("END"),
    parts.some((part) => part.kind === "TOOL_CALL"),
  );
}

/** Writes a whole response. */
export function writeResponsesReply(reply: Reply, call: CallFacts): JsonObject {
  const items = reply.parts.flatMap((part, index) => itemsOf(part, index, call));
  const end = endOf(reply);
  if (lacksAnswer(items, end)) {
    items.push(messageItem(itemId(call, items.length, "TEXT"), contentPart("TEXT", "")));
  }
  const output = items.map((item, at) =>
    at === items.length - 1 && end["status"] === "incomplete" ? cutItem(item) : item,
  );
  keep(output, call);
  return { ...responseOf(reply.model, call), ...end, output };
}

/** True where a model has ended without a word. OpenAI's says so in a message without text, where callers look for one. */
export function lacksAnswer(items: readonly JsonObject[], end: JsonObject): boolean {
  return end["status"] === "completed" && items.every((item) => item["type"] === "reasoning");
}

/** The item in the midst of which a model was stopped. */
export function cutItem(item: JsonObject): JsonObject {
  return { ...item, status: "incomplete" };
}

/** Keeps a whole response, so that the caller can name it and its items. */
export function keep(output: readonly JsonObject[], call: CallFacts): void {
  if (call.asked !== undefined) {
    call.memory?.keep({ id: responseId(call), ...call.asked, output: output.map(keptItem) });
  }
}

/** Our own: a provider's may come again, and would then name another conversation. */
function responseId(call: CallFacts): string {
  return `resp_${call.id}`;
}

/** True for the id of a response that was made by a translation. */
export function isOwnResponse(id: string): boolean {
  return id.startsWith("resp_call_");
}

/** True for the id of an item of such a response. */
export function isOwnItem(id: string): boolean {
  return /^(?:msg|rs|fc|ctc)_call_/.test(id);
}

/** OpenAI refuses the id of an item that begins otherwise, should the conversation go on there. */
const PREFIXES: Readonly<Record<Block["kind"], string>> = {
  TEXT: "msg",
  REFUSAL: "msg",
  THINKING: "rs",
  REDACTED: "rs",
  TOOL_CALL: "fc",
};

/** An item's id, which callers send back. `name` is that of the tool that the item calls. */
export function itemId(call: CallFacts, index: number, kind: Block["kind"], name = ""): string {
  const isCustom = declaredTool(name, call.tools)?.custom === true;
  return `${isCustom ? "ctc" : PREFIXES[kind]}_${call.id}_${String(index)}`;
}

/** A response as it begins. */
export function responseOf(model: string, call: CallFacts): JsonObject {
  return {
    id: responseId(call),
    object: "response",
    created_at: call.nowSeconds,
    completed_at: null,
    status: "in_progress",
    background: false,
    error: null,
    frequency_penalty: 0,
    incomplete_details: null,
    instructions: null,
    max_output_tokens: null,
    metadata: {},
    model,
    output: [],
    parallel_tool_calls: true,
    presence_penalty: 0,
    previous_response_id: call.asked?.previousId ?? null,
    store: call.asked !== undefined && call.memory !== undefined,
    temperature: null,
    text: PLAIN_TEXT,
    tool_choice: "auto",
    tools: [],
    top_p: null,
    truncation: "disabled",
    usage: null,
    ...saidAgain(call.settings),
  };
}

/** What a response says when it is over. */
export function endOf(reply: Pick<Reply, "stop" | "usage">): JsonObject {
  const { kind } = reply.stop;
  const cut = kind === "LENGTH" || kind === "CONTEXT_FULL";
  const reason = cut ? "max_output_tokens" : kind === "FILTER" ? "content_filter" : undefined;
  return {
    status: reason === undefined ? "completed" : "incomplete",
    incomplete_details: reason === undefined ? null : { reason },
    // AI SDK takes no response without it.
    usage: responsesUsage(reply.usage ?? NO_TOKENS),
  };
}

function itemsOf(part: ReplyPart, index: number, call: CallFacts): JsonObject[] {
  const id = itemId(call, index, part.kind, part.kind === "TOOL_CALL" ? part.name : "");
  switch (part.kind) {
    case "TEXT":
    case "REFUSAL":
      return [messageItem(id, contentPart(part.kind, part.text))];
    case "THINKING":
      return [toldReasoning(part, id, "completed")];
    case "TOOL_CALL": {
      const item = callItem(part, id, call.tools);
      const { signature } = part;
      if (signature === undefined) return [item];
      // Callers send reasoning back unchanged, and with it the signature of the call that follows.
      const ofSignature = `${itemId(call, index, "THINKING")}_s`;
      const thought = { text: "", signature, redacted: false };
      return [toldReasoning(thought, ofSignature, "completed"), item];
    }
    default:
      return unreachable(part);
  }
}

export function messageItem(id: string, content: JsonObject): JsonObject {
  return { id, type: "message", status: "completed", role: "assistant", content: [content] };
}

export function contentPart(kind: "TEXT" | "REFUSAL", text: string): JsonObject {
  if (kind === "REFUSAL") return { type: "refusal", refusal: text };
  return { type: "output_text", text, annotations: [], logprobs: [] };
}

/** A call as the caller declared its tool. */
export function callItem(
  call: { readonly id: string; readonly name: string; readonly args: string },
  id: string,
  tools: readonly NamedTool[],
): JsonObject {
  const declared = declaredTool(call.name, tools);
  const name = declared?.name ?? call.name;
  const namespace = (declared?.namespace ?? "") === "" ? undefined : declared?.namespace;
  const common = { id, status: "completed", call_id: call.id, name, namespace };
  if (declared?.custom === true) {
    return { ...common, type: "custom_tool_call", input: customInput(call.args) };
  }
  const args = call.args === "" ? "{}" : call.args;
  return { ...common, type: "function_call", arguments: args };
}

/** The error of an answer, an event, or a response that failed. */
export function readResponsesFailure(body: JsonObject, httpStatus: number): Failure | undefined {
  const response = object(body["response"]) ?? body;
  const error = object(response["error"]) ?? nonEmpty(response["error"]);
  if (error !== undefined) return readChatFailure({ error }, httpStatus);
  const unwell = unwellEnd(response["status"]);
  if (unwell !== undefined) return { httpStatus, ...unwell };
  // The type is the event's, not the error's.
  const event = body["type"] === "error" ? { ...body, type: undefined } : undefined;
  if (event !== undefined) return readChatFailure({ error: event }, httpStatus);
  return response["object"] === "response" ? undefined : readChatFailure(response, httpStatus);
}
