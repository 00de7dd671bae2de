import { unreachable } from "../../../core/assert.js";
import {
  CLOSING_TEXT,
  type Conversation,
  endsWithAssistant,
  mergedTurns,
  openingText,
  resultsFirst,
  type Tool,
  type ToolChoice,
  type Turn,
  withSystemFirst,
} from "../conversation.js";
import { type JsonObject, writeJson } from "../json.js";
import type { Notes } from "../notes.js";
import { type ClaudeTraits, claudeTraits, outputLimit } from "../models.js";
import type { Target } from "../side.js";
import { type BlockPlace, blockOf } from "./blocks.js";
import { type Said, withCachePoints } from "./cache-points.js";
import { isClosable, replySchema } from "./reply-schema.js";
import { forcesTool, thinkingFor } from "./thinking.js";

/** Writes a request to Anthropic's Messages API. Throws Fault `untranslatable`. */
export function writeMessagesRequest(
  conversation: Conversation,
  target: Target,
  notes: Notes,
): JsonObject {
  const traits = claudeTraits(target.model);
  const { maxOutput } = target;
  const maxTokens = outputLimit(conversation.maxTokens, maxOutput) ?? maxOutput ?? traits.output;
  const { system, turns } = placed(conversation, traits, notes);
  const { thinking, effort } = thinkingFor({ ...conversation, turns }, traits, maxTokens, notes);
  const format = schemaFormat(conversation, traits, notes);
  const config = effort !== undefined || format !== undefined ? { effort, format } : undefined;
  const { tools, tool_choice } = toolsOf(conversation, traits, notes);
  const said: Said = {
    tools,
    system: system.length === 1 ? system[0] : blocksOfSystem(system),
    messages: turns.map((turn, at) => messageOf(turn, at === turns.length - 1, notes)),
  };
  return {
    model: target.model,
    max_tokens: maxTokens,
    ...(target.session === undefined ? said : withCachePoints(said)),
    tool_choice,
    ...sampling(conversation, traits, thinking !== undefined, notes),
    stop_sequences: stopOf(conversation),
    thinking,
    output_config: config,
    stream: conversation.stream ? true : undefined,
  };
}

/** Undefined where the model is told in words. */
function schemaFormat(
  { format }: Conversation,
  traits: ClaudeTraits,
  notes: Notes,
): JsonObject | undefined {
  if (format?.schema === undefined || !traits.schemas || !isClosable(format.schema))
    return undefined;
  return { type: "json_schema", schema: replySchema(format.schema, notes) };
}

/** Anthropic refuses sequences of blanks. */
function stopOf(conversation: Conversation): string[] | undefined {
  const stop = conversation.stop.filter((each) => each.trim() !== "");
  return stop.length === 0 ? undefined : stop;
}

function blocksOfSystem(system: readonly string[]): JsonObject[] | undefined {
  return system.length === 0 ? undefined : system.map((text) => ({ type: "text", text }));
}

/** System texts in one place, and turns such as Anthropic takes: each speaker once, the user first. */
function placed(
  conversation: Conversation,
  traits: ClaudeTraits,
  notes: Notes,
): { system: string[]; turns: Turn[] } {
  const { system, turns } = withSystemFirst(conversation, notes);
  const instruction = formatInstruction(conversation, traits, notes);
  if (instruction !== undefined) system.push(instruction);
  const call = traits.forcesTools ? undefined : callInstruction(conversation, notes);
  if (call !== undefined) system.push(call);
  const merged = mergedTurns(turns);
  if (merged[0]?.role !== "USER") {
    notes.lose("first_turn");
    const text = openingText(merged.length === 0, system);
    merged.unshift({ role: "USER", parts: [{ kind: "TEXT", text }] });
  }
  if (!traits.prefill && endsWithAssistant(merged)) {
    notes.lose("last_turn");
    merged.push({ role: "USER", parts: [{ kind: "TEXT", text: CLOSING_TEXT }] });
  }
  return { system: system.filter((text) => text.trim() !== ""), turns: merged };
}

function formatInstruction(
  conversation: Conversation,
  traits: ClaudeTraits,
  notes: Notes,
): string | undefined {
  const { format } = conversation;
  if (format === undefined) return undefined;
  if (format.schema !== undefined && traits.schemas && isClosable(format.schema)) return undefined;
  notes.lose("json_mode");
  const only = "Reply with one JSON object and nothing else: no other text, no code fence.";
  if (format.schema === undefined) return only;
  return `${only} It must be valid against this JSON Schema:\n${writeJson(format.schema)}`;
}

/** Where no tool can be forced, the model is told in words. */
function callInstruction({ tools, toolChoice }: Conversation, notes: Notes): string | undefined {
  if (tools.length === 0) return undefined;
  if (toolChoice?.kind !== "REQUIRED" && toolChoice?.kind !== "TOOL") return undefined;
  notes.lose("forced_tool");
  return toolChoice.kind === "TOOL"
    ? `Call the tool ${JSON.stringify(toolChoice.name)} in this reply, and no other tool.`
    : "Call at least one of the tools in this reply.";
}

function messageOf(turn: Turn, isLast: boolean, notes: Notes): JsonObject {
  const role = turn.role === "ASSISTANT" ? "assistant" : "user";
  const place: BlockPlace = { notes, trimmed: isLast && role === "assistant" };
  const content = resultsFirst(turn).flatMap((part) => blockOf(part, place));
  while (isThought(content.at(-1))) {
    notes.lose("thinking_last");
    content.pop();
  }
  const first = content[0];
  if (content.length === 0) return { role, content: "." };
  if (content.length === 1 && first?.["type"] === "text") return { role, content: first["text"] };
  return { role, content };
}

function isThought(block: JsonObject | undefined): boolean {
  return block?.["type"] === "thinking" || block?.["type"] === "redacted_thinking";
}

function sampling(
  conversation: Conversation,
  traits: ClaudeTraits,
  thinks: boolean,
  notes: Notes,
): JsonObject {
  const { temperature, topP, topK, seed, frequencyPenalty, presencePenalty } = conversation;
  if ([seed, frequencyPenalty, presencePenalty].some((each) => each !== undefined)) {
    notes.lose("seed");
  }
  if (!traits.sampling || thinks) {
    if ([temperature, topP, topK].some((each) => each !== undefined)) notes.lose("temperature");
    return {};
  }
  if (temperature === undefined) return { top_p: topP, top_k: topK };
  if (topP !== undefined || temperature > 1) notes.lose("temperature");
  return { temperature: Math.min(Math.max(temperature, 0), 1), top_k: topK };
}

interface ToolsAsked {
  readonly tools?: JsonObject[];
  readonly tool_choice?: JsonObject | undefined;
}

function toolsOf(conversation: Conversation, traits: ClaudeTraits, notes: Notes): ToolsAsked {
  const { parallelTools } = conversation;
  const isTold = !traits.forcesTools && forcesTool(conversation);
  const toolChoice = isTold ? undefined : conversation.toolChoice;
  if (conversation.tools.length === 0) return toolsOfPast(conversation.turns);
  const oneByOne = parallelTools === false ? true : undefined;
  if (conversation.tools.some((tool) => tool.strict === true)) notes.lose("tool_strict");
  return {
    tools: conversation.tools.map(toolOf),
    tool_choice:
      toolChoice === undefined && oneByOne === undefined
        ? undefined
        : choiceOf(toolChoice ?? { kind: "AUTO" }, oneByOne),
  };
}

function toolOf(tool: Pick<Tool, "name" | "description" | "schema">): JsonObject {
  return {
    name: tool.name,
    description: tool.description,
    input_schema: { type: "object", ...(tool.schema ?? { properties: {} }) },
  };
}

/** Calls of the past want their tools declared, even where none may be called any more. */
function toolsOfPast(turns: readonly Turn[]): ToolsAsked {
  const names = new Set(
    turns.flatMap((turn) =>
      turn.parts.flatMap((part) => (part.kind === "TOOL_CALL" ? [part.name] : [])),
    ),
  );
  if (names.size === 0) return {};
  const tools = [...names].map((name) =>
    toolOf({ name, description: undefined, schema: undefined }),
  );
  return { tools, tool_choice: { type: "none" } };
}

function choiceOf(choice: ToolChoice, oneByOne: true | undefined): JsonObject {
  switch (choice.kind) {
    case "AUTO":
      return { type: "auto", disable_parallel_tool_use: oneByOne };
    case "REQUIRED":
      return { type: "any", disable_parallel_tool_use: oneByOne };
    case "TOOL":
      return { type: "tool", name: choice.name, disable_parallel_tool_use: oneByOne };
    case "NONE":
      return { type: "none" };
    default:
      return unreachable(choice);
  }
}
