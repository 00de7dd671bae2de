import { utf8 } from "../core/bytes.js";
import type { StreamForm } from "./codec.js";
import {
  type JsonObject,
  list,
  object,
  objects,
  parseJson,
  string,
  writeJson,
} from "./translate/json.js";

// Some providers answer a request for a stream with a whole reply. SDKs that wait for events make nothing of it, so
// it becomes the events in which the provider would have sent it, with all that it holds.

/** A whole reply of status 200 as a stream of its form; undefined for what is no reply of that form. */
export function replyEvents(reply: Buffer, form: StreamForm): Buffer | undefined {
  try {
    const given = parseJson(utf8(reply));
    const events =
      form === "GENERATE" ? generateEvents(given) : EVENTS[form]?.(object(given) ?? {});
    return events === undefined || events === "" ? undefined : Buffer.from(events);
  } catch {
    // No JSON, or nested too deep to be written again.
    return undefined;
  }
}

type Framing = (reply: JsonObject) => string | undefined;

const EVENTS: Readonly<Partial<Record<StreamForm, Framing>>> = {
  CHAT: chatEvents,
  RESPONSES: responseEvents,
  MESSAGES: messageEvents,
};

function data(event: unknown): string {
  return `data: ${writeJson(event)}\n\n`;
}

function named(type: string, members: JsonObject): string {
  return `event: ${type}\n${data({ type, ...members })}`;
}

/** Also of the older completions, whose choices hold their text and are the same in a stream. */
function chatEvents(reply: JsonObject): string | undefined {
  if (!Array.isArray(reply["choices"])) return undefined;
  const { usage, ...rest } = reply;
  const choices = objects(reply["choices"]);
  const chunk = { ...rest, object: chunkName(reply["object"]) };
  const said = choices.map(({ message, ...choice }) => ({
    ...choice,
    ...(message === undefined ? {} : { delta: deltaOf(object(message) ?? {}) }),
    finish_reason: null,
  }));
  const ends = choices.map(({ index, finish_reason, message, text }) => ({
    index,
    ...(message === undefined && text !== undefined ? { text: "" } : { delta: {} }),
    finish_reason: finish_reason ?? "stop",
  }));
  const last = usage === undefined ? "" : data({ ...chunk, choices: [], usage });
  return [
    data({ ...chunk, choices: said }),
    data({ ...chunk, choices: ends }),
    last,
    "data: [DONE]\n\n",
  ].join("");
}

function chunkName(name: unknown): unknown {
  return name === "text_completion" ? name : "chat.completion.chunk";
}

function deltaOf(message: JsonObject): JsonObject {
  const calls = list(message["tool_calls"]);
  if (calls.length === 0) return message;
  const indexed = calls.map((call, index) => ({ index, ...object(call) }));
  return { ...message, tool_calls: indexed };
}

function messageEvents(reply: JsonObject): string | undefined {
  if (!Array.isArray(reply["content"])) return undefined;
  const { content, stop_reason, stop_sequence, stop_details, container, ...rest } = reply;
  const usage = object(reply["usage"]) ?? {};
  const begun = { ...rest, content: [], stop_reason: null, stop_sequence: null, usage };
  return [
    named("message_start", { message: begun }),
    ...objects(content).map(blockEvents),
    named("message_delta", {
      delta: {
        stop_reason: stop_reason ?? "end_turn",
        stop_sequence: stop_sequence ?? null,
        stop_details,
        container,
      },
      usage,
    }),
    named("message_stop", {}),
  ].join("");
}

function blockEvents(block: JsonObject, index: number): string {
  const deltas = blockDeltas(block);
  const begun = deltas.length === 0 ? block : { ...block, ...EMPTY[string(block["type"]) ?? ""] };
  return [
    named("content_block_start", { index, content_block: begun }),
    ...deltas.map((delta) => named("content_block_delta", { index, delta })),
    named("content_block_stop", { index }),
  ].join("");
}

/** What a block begins with where the rest of it comes in pieces. */
const EMPTY: Readonly<Record<string, JsonObject>> = {
  text: { text: "", citations: undefined },
  thinking: { thinking: "", signature: "" },
  tool_use: { input: {} },
  server_tool_use: { input: {} },
  mcp_tool_use: { input: {} },
};

function blockDeltas(block: JsonObject): JsonObject[] {
  switch (block["type"]) {
    case "text":
      return [
        { type: "text_delta", text: block["text"] },
        ...objects(block["citations"]).map((citation) => ({ type: "citations_delta", citation })),
      ];
    case "thinking":
      return [
        { type: "thinking_delta", thinking: block["thinking"] },
        { type: "signature_delta", signature: block["signature"] ?? "" },
      ];
    case "tool_use":
    case "server_tool_use":
    case "mcp_tool_use":
      return [{ type: "input_json_delta", partial_json: writeJson(block["input"] ?? {}) }];
    // It comes whole.
    default:
      return [];
  }
}

/** A response in the background is not over yet, and nothing would end its stream. */
const ENDS: Readonly<Record<string, string>> = {
  completed: "response.completed",
  incomplete: "response.incomplete",
  failed: "response.failed",
};

function responseEvents(response: JsonObject): string | undefined {
  const end = ENDS[string(response["status"]) ?? "completed"];
  if (end === undefined || !Array.isArray(response["output"])) return undefined;
  let sequence = 0;
  const event = (type: string, members: JsonObject): string =>
    named(type, { sequence_number: sequence++, ...members });
  const begun = { ...response, status: "in_progress", output: [], usage: null };
  return [
    event("response.created", { response: begun }),
    event("response.in_progress", { response: begun }),
    ...objects(response["output"]).map((item, at) => itemEvents(item, at, event)),
    event(end, { response }),
  ].join("");
}

type Event = (type: string, members: JsonObject) => string;

function itemEvents(item: JsonObject, output_index: number, event: Event): string {
  const inside: Event = (type, members) =>
    event(type, { item_id: item["id"], output_index, ...members });
  const added = { ...item, ...BEGUN[string(item["type"]) ?? ""] };
  return [
    event("response.output_item.added", { output_index, item: added }),
    ...partsOf(item, inside),
    event("response.output_item.done", { output_index, item }),
  ].join("");
}

/** What an item begins with where the rest of it comes in pieces. */
const BEGUN: Readonly<Record<string, JsonObject>> = {
  message: { status: "in_progress", content: [] },
  reasoning: { summary: [], content: undefined },
  function_call: { status: "in_progress", arguments: "" },
  custom_tool_call: { status: "in_progress", input: "" },
};

function partsOf(item: JsonObject, event: Event): string[] {
  switch (item["type"]) {
    case "message":
      return objects(item["content"]).map((part, at) => contentEvents(part, at, event));
    case "reasoning":
      return [
        ...objects(item["summary"]).map((part, at) => summaryEvents(part, at, event)),
        ...objects(item["content"]).map((part, at) => contentEvents(part, at, event)),
      ];
    case "function_call":
      return [
        event("response.function_call_arguments.delta", { delta: item["arguments"] }),
        event("response.function_call_arguments.done", { arguments: item["arguments"] }),
      ];
    case "custom_tool_call":
      return [
        event("response.custom_tool_call_input.delta", { delta: item["input"] }),
        event("response.custom_tool_call_input.done", { input: item["input"] }),
      ];
    default:
      return [];
  }
}

function contentEvents(part: JsonObject, content_index: number, event: Event): string {
  const type = string(part["type"]) ?? "";
  const key = type === "refusal" ? "refusal" : "text";
  const text = part[key] ?? "";
  const more = type === "output_text" ? { logprobs: list(part["logprobs"]) } : {};
  return [
    event("response.content_part.added", { content_index, part: { ...part, [key]: "" } }),
    event(`response.${type}.delta`, { content_index, delta: text, ...more }),
    event(`response.${type}.done`, { content_index, [key]: text, ...more }),
    event("response.content_part.done", { content_index, part }),
  ].join("");
}

function summaryEvents(part: JsonObject, summary_index: number, event: Event): string {
  const { text } = part;
  const begun = { ...part, text: "" };
  return [
    event("response.reasoning_summary_part.added", { summary_index, part: begun }),
    event("response.reasoning_summary_text.delta", { summary_index, delta: text }),
    event("response.reasoning_summary_text.done", { summary_index, text }),
    event("response.reasoning_summary_part.done", { summary_index, part }),
  ].join("");
}

/** Each event is a reply of its own, and an array of them is a stream in Google's other framing. */
function generateEvents(reply: unknown): string {
  const replies = Array.isArray(reply) ? objects(reply) : objects([reply]);
  return replies.map((each) => `data: ${writeJson(each)}\r\n\r\n`).join("");
}
