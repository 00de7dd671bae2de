import { append } from "../../../core/append.js";
import { unreachable } from "../../../core/assert.js";
import {
  CLOSING_TEXT,
  type Conversation,
  endsWithAssistant,
  type MediaPart,
  mergedTurns,
  openingText,
  type Part,
  resultsFirst,
  type Signature,
  type ToolChoice,
  type ToolResultPart,
  type Turn,
  withSystemFirst,
} from "../conversation.js";
import { nearestEffort, takesEffort, wantedEffort } from "../efforts.js";
import type { JsonObject } from "../json.js";
import { type Notes, untranslatable } from "../notes.js";
import { outputLimit } from "../models.js";
import type { Target } from "../side.js";
import { argumentsObject } from "../tool-arguments.js";
import { FOREIGN_CALL } from "./parts.js";
import { withKnownReferences } from "./references.js";

/** Writes a generateContent request; the model and whether it streams stand in its path. */
export function writeGenerateRequest(
  conversation: Conversation,
  target: Target,
  notes: Notes,
): JsonObject {
  const { tools, toolChoice } = conversation;
  if (conversation.parallelTools === false) notes.lose("parallel_tools");
  const { system, turns } = withSystemFirst(conversation, notes);
  const place: Place = { names: namesOf(turns), signs: signsCalls(target.model), notes };
  const declarations = tools.map((tool) => ({
    name: tool.name,
    description: tool.description,
    parametersJsonSchema: tool.schema && withKnownReferences(tool.schema),
  }));
  const contents = joined(mergedTurns(turns).flatMap((turn) => contentOf(turn, place)));
  if (contents[0]?.role !== "user") {
    notes.lose("first_turn");
    const text = openingText(contents.length === 0, system);
    contents.unshift({ role: "user", parts: [{ text }] });
  }
  if (contents.at(-1)?.role === "model" && endsWithAssistant(turns)) {
    notes.lose("last_turn");
    contents.push({ role: "user", parts: [{ text: CLOSING_TEXT }] });
  }
  return {
    contents,
    systemInstruction:
      system.length === 0 ? undefined : { parts: system.map((text) => ({ text })) },
    tools: tools.length === 0 ? undefined : [{ functionDeclarations: declarations }],
    toolConfig:
      tools.length === 0 || toolChoice === undefined
        ? undefined
        : { functionCallingConfig: callingOf(toolChoice) },
    generationConfig: configOf(conversation, target, notes),
  };
}

interface Place {
  /** The names of tools by their calls' ids: results must name them. */
  readonly names: ReadonlyMap<string, string>;
  readonly signs: boolean;
  readonly notes: Notes;
}

/** Models since Gemini 3 refuse calls without a signature. */
function signsCalls(model: string): boolean {
  return !/gemini-[12]\b/.test(model);
}

function namesOf(turns: readonly Turn[]): Map<string, string> {
  const names = new Map<string, string>();
  for (const turn of turns) {
    for (const part of turn.parts) if (part.kind === "TOOL_CALL") names.set(part.id, part.name);
  }
  return names;
}

function configOf(conversation: Conversation, target: Target, notes: Notes): JsonObject {
  const { format, stop } = conversation;
  const effort = wantedEffort(conversation, target);
  const isShown = conversation.thoughtsShown;
  const thinkingConfig =
    effort === undefined
      ? ownThinking(target.model, isShown)
      : thinkingOf(effort, target.model, isShown !== false);
  if (effort !== undefined && thinkingConfig === undefined) notes.lose("gemini_effort");
  return {
    maxOutputTokens: outputLimit(conversation.maxTokens, target.maxOutput),
    temperature: conversation.temperature,
    topP: conversation.topP,
    topK: conversation.topK,
    seed: conversation.seed,
    frequencyPenalty: conversation.frequencyPenalty,
    presencePenalty: conversation.presencePenalty,
    stopSequences: stopOf(stop, notes),
    responseMimeType: format === undefined ? undefined : "application/json",
    responseJsonSchema: format?.schema && withKnownReferences(format.schema),
    thinkingConfig,
  };
}

/** Google refuses more of them. */
const STOPS_MAX = 5;

function stopOf(stop: readonly string[], notes: Notes): readonly string[] | undefined {
  if (stop.length > STOPS_MAX) notes.lose("gemini_stop");
  return stop.length === 0 ? undefined : stop.slice(0, STOPS_MAX);
}

const BUDGETS: Readonly<Record<string, number>> = {
  minimal: 1024,
  low: 4096,
  medium: 8192,
  high: 24_576,
  xhigh: 24_576,
  max: 24_576,
};

/** Gemini 2.5 Pro takes no smaller budget. */
const BUDGET_MIN = 128;

/** A model that nobody tells how hard to think thinks as is its default, and shows it where it is asked to. */
function ownThinking(model: string, isShown: boolean | undefined): JsonObject | undefined {
  return isShown === true && takesEffort(model) ? { includeThoughts: true } : undefined;
}

/** Models since Gemini 3 take a level, the one before a budget of tokens; older ones do not think. */
function thinkingOf(
  effort: string,
  model: string,
  includeThoughts: boolean,
): JsonObject | undefined {
  if (/gemini-(?:1|2\.0)/.test(model)) return undefined;
  if (effort === "none") return leastThinking(model);
  if (/gemini-2/.test(model)) {
    const budget = BUDGETS[effort];
    return budget === undefined ? undefined : { thinkingBudget: budget, includeThoughts };
  }
  const level = nearestEffort(effort, levelsOf(model));
  return level === undefined ? undefined : { thinkingLevel: level, includeThoughts };
}

/** Without a word of it they think as much as they like. Only the small ones can be kept from it. */
function leastThinking(model: string): JsonObject | undefined {
  if (/gemini-2/.test(model)) {
    return { thinkingBudget: model.includes("flash") ? 0 : BUDGET_MIN };
  }
  return model.includes("gemini") ? { thinkingLevel: levelsOf(model)[0] } : undefined;
}

const LEVELS: readonly string[] = ["minimal", "low", "medium", "high"];

/** Small models, up to Flash 3.6 and without end for Flash-Lite, can be told to think next to nothing. */
const TAKES_MINIMAL = /flash-lite|gemini-3(?:\.[0-6])?-flash/;

/** The levels that a model takes. The first with levels had two, as have those of names that say nothing. */
function levelsOf(model: string): readonly string[] {
  if (!model.includes("gemini") || /gemini-3-pro/.test(model)) return ["low", "high"];
  return TAKES_MINIMAL.test(model) ? LEVELS : LEVELS.slice(1);
}

function callingOf(choice: ToolChoice): JsonObject {
  switch (choice.kind) {
    case "AUTO":
    case "NONE":
      return { mode: choice.kind };
    case "REQUIRED":
      return { mode: "ANY" };
    case "TOOL":
      return { mode: "ANY", allowedFunctionNames: [choice.name] };
    default:
      return unreachable(choice);
  }
}

interface Content {
  readonly role: "user" | "model";
  readonly parts: JsonObject[];
}

/** Neighbours of one role as one: a turn between them may have had nothing that is sent. */
function joined(contents: readonly Content[]): Content[] {
  const made: Content[] = [];
  for (const content of contents) {
    const last = made.at(-1);
    if (last?.role === content.role) for (const part of content.parts) last.parts.push(part);
    else made.push(content);
  }
  return made;
}

function contentOf(turn: Turn, place: Place): Content[] {
  const role = turn.role === "ASSISTANT" ? "model" : "user";
  const parts: JsonObject[] = [];
  // A signature that came as a thought of its own belongs to the call after it.
  let signature: Signature | undefined;
  let signed = false;
  for (const part of resultsFirst(turn)) {
    if (part.kind === "THINKING") {
      if (part.signature?.origin === "GEMINI") signature = part.signature;
      else place.notes.lose("thinking_unsigned");
    } else if (part.kind === "TOOL_CALL") {
      parts.push(callOf(part, part.signature ?? signature, signed || !place.signs, place.notes));
      signature = undefined;
      signed = true;
    } else append(parts, partsOf(part, place));
  }
  return parts.length === 0 ? [] : [{ role, parts }];
}

/** Of parallel calls only the first wants a signature; `free` says that this one may go without. */
function callOf(
  part: Part & { kind: "TOOL_CALL" },
  signature: Signature | undefined,
  free: boolean,
  notes: Notes,
): JsonObject {
  const { id, name, args } = part;
  const functionCall = { id, name, args: argumentsObject(args) };
  if (signature?.origin === "GEMINI") return { functionCall, thoughtSignature: signature.value };
  if (free) return { functionCall };
  notes.lose("gemini_unsigned");
  return { functionCall, thoughtSignature: FOREIGN_CALL };
}

function partsOf(
  part: Exclude<Part, { kind: "THINKING" | "TOOL_CALL" }>,
  place: Place,
): JsonObject[] {
  switch (part.kind) {
    case "TEXT":
    case "REFUSAL":
      return part.text === "" ? [] : [{ text: part.text }];
    case "IMAGE":
    case "DOCUMENT":
    case "AUDIO":
      return [mediaOf(part)];
    case "TOOL_RESULT":
      return resultOf(part, place);
    default:
      return unreachable(part);
  }
}

function resultOf(part: ToolResultPart, place: Place): JsonObject[] {
  const { id, failed } = part;
  const texts = part.parts.flatMap((each) => (each.kind === "TEXT" ? [each.text] : []));
  const media = part.parts.filter((each): each is MediaPart => each.kind !== "TEXT");
  const text = texts.join("\n");
  const name = part.name === "" ? (place.names.get(id) ?? "") : part.name;
  const response = failed ? { error: text } : { output: text };
  return [{ functionResponse: { id, name, response } }, ...media.map(mediaOf)];
}

function mediaOf(part: MediaPart): JsonObject {
  const { mediaType, data, url } = part;
  if (url === undefined) return { inlineData: { mimeType: mediaType, data } };
  const mimeType = mediaType === "" ? typeOfUrl(url) : mediaType;
  if (mimeType === undefined) throw untranslatable("media_type");
  return { fileData: { mimeType, fileUri: url } };
}

const TYPES: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  pdf: "application/pdf",
};

function typeOfUrl(url: string): string | undefined {
  const ending = /\.([a-z]{3,4})(?:[?#]|$)/i.exec(url)?.[1];
  return TYPES[(ending ?? "").toLowerCase()];
}
