import {
  type Part,
  type Signature,
  signatureOf,
  signatureText,
  type ThinkingPart,
  type ToolCallPart,
} from "../conversation.js";
import { type JsonObject, list, object, objects, string } from "../json.js";
import { argumentsText } from "../tool-arguments.js";
import { originOfFormat } from "./reasoning-format.js";

/**
 * The thoughts of a chat message or delta, in the forms that OpenAI's imitators have for them: the list
 * `reasoning_details`, which alone carries signatures; one text; or pieces among the content.
 */
export function thoughtsOf(message: JsonObject): ThinkingPart[] {
  const details = objects(message["reasoning_details"]).flatMap(thoughtOf);
  if (details.length > 0) return withSignatures(details);
  const text = string(message["reasoning_content"]) ?? string(message["reasoning"]);
  if (text !== undefined && text !== "") return [thinking(text, undefined)];
  const inContent = objects(message["content"]).filter((part) => part["type"] === "thinking");
  return inContent.map((part) => thinking(thinkingText(part["thinking"]), undefined));
}

/**
 * The thoughts of a message that its caller brings back, put together again. Of what they were streamed some keep every
 * piece, others the last alone: a signature without the text that it is of, which its maker would refuse.
 */
export function thoughtsBroughtBack(message: JsonObject): ThinkingPart[] {
  const details = objects(message["reasoning_details"]);
  if (details.length === 0) return thoughtsOf(message);
  const whole: JsonObject[] = [];
  for (const detail of details) {
    const last = whole.at(-1);
    if (last !== undefined && goesOn(last, detail)) {
      const text = (string(last["text"]) ?? "") + (string(detail["text"]) ?? "");
      whole[whole.length - 1] = { ...last, ...detail, text };
    } else whole.push(detail);
  }
  return whole.flatMap((detail) =>
    isTorn(detail) ? [thinking("", undefined)] : thoughtOf(detail),
  );
}

function goesOn(last: JsonObject, { type, index }: JsonObject): boolean {
  const isSame = last["index"] === index && index !== undefined;
  return isSame && type === "reasoning.text" && last["type"] === type && !("signature" in last);
}

/** What Google and OpenAI signed is worth something without its text. */
function isTorn({ type, text, signature }: JsonObject): boolean {
  if (type !== "reasoning.text" || typeof text === "string") return false;
  return signatureOf(string(signature) ?? "", "ANTHROPIC")?.origin === "ANTHROPIC";
}

/** A signature that comes behind its text, as those of OpenAI and Google do, belongs to it. */
function withSignatures(thoughts: readonly ThinkingPart[]): ThinkingPart[] {
  const whole: ThinkingPart[] = [];
  for (const thought of thoughts) {
    const last = whole.at(-1);
    const isOfLast = thought.text === "" && !thought.redacted && thought.signature !== undefined;
    if (isOfLast && last !== undefined && last.signature === undefined && !last.redacted) {
      whole[whole.length - 1] = { ...thought, text: last.text };
    } else whole.push(thought);
  }
  return whole;
}

function thoughtOf(detail: JsonObject): ThinkingPart[] {
  const origin = originOfFormat(detail["format"]);
  const signed = (text: unknown) =>
    origin === undefined ? undefined : signatureOf(string(text) ?? "", origin);
  switch (detail["type"]) {
    case "reasoning.text":
      return [thinking(string(detail["text"]) ?? "", signed(detail["signature"]))];
    case "reasoning.summary":
      return [thinking(string(detail["summary"]) ?? "", undefined)];
    case "reasoning.encrypted": {
      if (origin === undefined) return [];
      const signature = signed(detail["data"]);
      return [{ kind: "THINKING", text: "", signature, redacted: origin === "ANTHROPIC" }];
    }
    default:
      return [];
  }
}

function thinking(text: string, signature: Signature | undefined): ThinkingPart {
  return { kind: "THINKING", text, signature, redacted: false };
}

function thinkingText(value: unknown): string {
  if (typeof value === "string") return value;
  return list(value)
    .map((each) => string(each) ?? string(object(each)?.["text"]) ?? "")
    .join("");
}

/** Thoughts as `reasoning_details`: what a caller sends back keeps its signatures. */
export function detailOf(part: ThinkingPart, index: number): JsonObject {
  const signature =
    part.signature === undefined ? undefined : signatureText(part.signature, "ANTHROPIC");
  if (part.redacted) return { type: "reasoning.encrypted", data: signature, index };
  return { type: "reasoning.text", text: part.text, signature, index };
}

/** A tool call of a message; `id` stands in where it has none of its own. */
export function toolCallOf(toolCall: JsonObject, id: string): ToolCallPart {
  const given = object(toolCall["function"]);
  const args = given?.["arguments"];
  return {
    kind: "TOOL_CALL",
    id,
    name: string(given?.["name"]) ?? "",
    // A few imitators give an object.
    args: string(args) ?? argumentsText(args),
    signature: thoughtSignatureOf(toolCall),
  };
}

/** The tool calls among parts as a message has them, with Google's signatures if they are wanted. */
export function toolCallsIn(parts: readonly Part[], signed: boolean): JsonObject[] | undefined {
  const calls = parts.flatMap((part) => (part.kind === "TOOL_CALL" ? [part] : []));
  if (calls.length === 0) return undefined;
  return calls.map(({ id, name, args, signature }) => ({
    id,
    type: "function",
    function: { name, arguments: args === "" ? "{}" : args },
    ...(signed ? extraContent(signature) : {}),
  }));
}

/** Google's signature of a tool call, where its OpenAI-compatible side puts it. */
export function thoughtSignatureOf(toolCall: JsonObject): Signature | undefined {
  const google = object(object(toolCall["extra_content"])?.["google"]);
  const value = string(google?.["thought_signature"]);
  return value === undefined ? undefined : { origin: "GEMINI", value };
}

/** The place of a signature in a tool call; nothing when it is not Google's. */
export function extraContent(signature: Signature | undefined): JsonObject {
  if (signature?.origin !== "GEMINI") return {};
  return { extra_content: { google: { thought_signature: signature.value } } };
}

/** The text of a message's content, which may be a list of pieces. */
export function contentText(content: unknown): string {
  if (typeof content === "string") return content;
  return objects(content)
    .map((part) => (part["type"] === "text" ? (string(part["text"]) ?? "") : ""))
    .join("");
}
