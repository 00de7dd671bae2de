import { append } from "../../../core/append.js";
import { unreachable } from "../../../core/assert.js";
import {
  type Conversation,
  type MediaPart,
  openingText,
  type Part,
  type ReplyFormat,
  type ToolChoice,
  type ToolResultPart,
  type Turn,
  urlOfMedia,
} from "../conversation.js";
import { effortFor } from "../efforts.js";
import type { JsonObject } from "../json.js";
import { type Notes, untranslatable } from "../notes.js";
import { atLeastSome, cacheKey, isReasoningModel, outputLimit } from "../models.js";
import type { Target } from "../side.js";
import { isStrictSchema, parametersOf } from "../strict-schema.js";
import { reasoningItem } from "./thoughts.js";

/** Writes a request to the Responses API. Throws Fault `untranslatable`. */
export function writeResponsesRequest(
  conversation: Conversation,
  target: Target,
  notes: Notes,
): JsonObject {
  const { stream, format } = conversation;
  const { verbosity, ...openais } = conversation.openais ?? {};
  notes.keep(Object.keys(conversation.openais ?? {}));
  const system = [...conversation.system];
  const thinks = isReasoningModel(target.model);
  const hidesThoughts = target.hidesThoughts === true || conversation.thoughtsShown === false;
  if (conversation.stop.length > 0) {
    if (!thinks) throw untranslatable("stop_sequences");
    notes.lose("stop");
  }
  const { topK, seed, frequencyPenalty, presencePenalty } = conversation;
  if ([topK, seed, frequencyPenalty, presencePenalty].some((each) => each !== undefined)) {
    notes.lose("penalties");
  }
  const input = inputOf(conversation, system, notes);
  return {
    model: target.model,
    instructions: system.length === 0 ? undefined : system.join("\n\n"),
    input,
    max_output_tokens: atLeastSome(outputLimit(conversation.maxTokens, target.maxOutput), notes),
    ...sampling(conversation, thinks, notes),
    ...toolsOf(conversation),
    text: format === undefined && verbosity === undefined ? undefined : textOf(format, verbosity),
    reasoning: thinks
      ? {
          effort: effortFor(conversation, target, "RESPONSES"),
          summary: hidesThoughts ? undefined : "auto",
        }
      : undefined,
    prompt_cache_key: cacheKey(target),
    ...openais,
    // What is not stored can be brought back by the caller alone.
    store: false,
    include: thinks ? ["reasoning.encrypted_content"] : undefined,
    stream: stream ? true : undefined,
  };
}

/** What is said, and what of `system` must be: that is then taken out of it. */
function inputOf({ turns, format }: Conversation, system: string[], notes: Notes): JsonObject[] {
  const input = followedThoughts(
    turns.flatMap((turn) => itemsOf(turn, notes)),
    notes,
  );
  if (input.length === 0) {
    notes.lose("first_turn");
    const content = [{ type: "input_text", text: openingText(true, system) }];
    input.push({ type: "message", role: "user", content });
  }
  // OpenAI refuses its JSON mode where the word is not said, and looks for it in the messages alone.
  if (format !== undefined && format.schema === undefined && system.length > 0) {
    const content = [{ type: "input_text", text: system.splice(0).join("\n\n") }];
    input.unshift({ type: "message", role: "system", content });
  }
  return input;
}

function sampling(conversation: Conversation, thinks: boolean, notes: Notes): JsonObject {
  const { temperature, topP } = conversation;
  if (!thinks) return { temperature, top_p: topP };
  if (temperature !== undefined || topP !== undefined) notes.lose("reasoning_model_sampling");
  return {};
}

function toolsOf({ tools, toolChoice, parallelTools }: Conversation): JsonObject {
  if (tools.length === 0) return {};
  return {
    tools: tools.map(toolOf),
    tool_choice: choiceOf(toolChoice),
    parallel_tool_calls: parallelTools,
  };
}

function toolOf(tool: Conversation["tools"][number]): JsonObject {
  return {
    type: "function",
    name: tool.name,
    description: tool.description,
    parameters: parametersOf(tool.schema ?? {}),
    // Strict is the default there.
    strict: tool.strict ?? false,
  };
}

function choiceOf(choice: ToolChoice | undefined): unknown {
  if (choice === undefined) return undefined;
  return choice.kind === "TOOL"
    ? { type: "function", name: choice.name }
    : choice.kind.toLowerCase();
}

function textOf(format: ReplyFormat | undefined, verbosity: unknown): JsonObject {
  return { format: format === undefined ? undefined : formatOf(format), verbosity };
}

function formatOf({ name, schema, strict }: ReplyFormat): JsonObject {
  if (schema === undefined) return { type: "json_object" };
  return { type: "json_schema", name, schema, strict: strict ?? isStrictSchema(schema) };
}

/** Without the thoughts behind which the assistant said nothing: OpenAI refuses them. */
function followedThoughts(items: readonly JsonObject[], notes: Notes): JsonObject[] {
  let isFollowed = false;
  const kept = items.toReversed().filter(({ type, role }) => {
    if (type === "reasoning") {
      if (!isFollowed) notes.lose("thinking_last");
      return isFollowed;
    }
    isFollowed = type === "function_call" || role === "assistant";
    return true;
  });
  return kept.toReversed();
}

function itemsOf(turn: Turn, notes: Notes): JsonObject[] {
  const role = turn.role.toLowerCase();
  const items: JsonObject[] = [];
  let content: JsonObject[] = [];
  const flush = (): void => {
    if (content.length > 0) items.push({ type: "message", role, content });
    content = [];
  };
  for (const part of turn.parts) {
    const item = itemOf(part, notes);
    if (item === undefined) append(content, contentOf(part, turn.role === "ASSISTANT"));
    else {
      flush();
      append(items, item);
    }
  }
  flush();
  return items;
}

/** A part that is an item of its own; undefined for one that belongs into a message. */
function itemOf(part: Part, notes: Notes): JsonObject[] | undefined {
  switch (part.kind) {
    case "THINKING":
      if (part.signature?.origin === "OPENAI") return [reasoningItem(part, undefined)];
      notes.lose("thinking_unsigned");
      return [];
    case "TOOL_CALL": {
      const { id, name, args } = part;
      return [{ type: "function_call", call_id: id, name, arguments: args === "" ? "{}" : args }];
    }
    case "TOOL_RESULT":
      return [resultItem(part)];
    case "TEXT":
    case "REFUSAL":
    case "IMAGE":
    case "DOCUMENT":
    case "AUDIO":
      return undefined;
    default:
      return unreachable(part);
  }
}

function resultItem(part: ToolResultPart): JsonObject {
  const onlyText = part.parts.every((each) => each.kind === "TEXT");
  const texts = part.parts.flatMap((each) => (each.kind === "TEXT" ? [each.text] : []));
  if (texts.length === 0 && part.failed) texts.push("The tool failed.");
  return {
    type: "function_call_output",
    call_id: part.id,
    output: onlyText ? texts.join("\n") : part.parts.flatMap((each) => contentOf(each, false)),
  };
}

function contentOf(part: Part, ofAssistant: boolean): JsonObject[] {
  switch (part.kind) {
    case "TEXT":
      return [{ type: ofAssistant ? "output_text" : "input_text", text: part.text }];
    case "REFUSAL":
      return [{ type: "refusal", refusal: part.text }];
    case "IMAGE":
      return [{ type: "input_image", image_url: urlOfMedia(part), detail: part.detail ?? "auto" }];
    case "DOCUMENT":
      return [documentOf(part)];
    case "AUDIO":
      throw untranslatable("audio");
    case "THINKING":
    case "TOOL_CALL":
    case "TOOL_RESULT":
      return [];
    default:
      return unreachable(part);
  }
}

function documentOf(part: MediaPart): JsonObject {
  if (part.url !== undefined) return { type: "input_file", file_url: part.url };
  if (part.mediaType.startsWith("text/")) {
    const text = Buffer.from(part.data ?? "", "base64").toString("utf8");
    return { type: "input_text", text };
  }
  return {
    type: "input_file",
    filename: part.name ?? "document.pdf",
    file_data: urlOfMedia(part),
  };
}
