import { utf8 } from "../../core/bytes.js";
import type { StreamForm } from "../codec.js";
import { foreignBegins, signatureOf, type SignatureOrigin } from "./conversation.js";
import { type JsonObject, list, object, parseObject, string, writeJson } from "./json.js";

/** What is taken out of a request, and where that has a trace in its bytes. */
interface Cleaner {
  readonly marks: readonly Buffer[];
  /** The same object where there is nothing to change. */
  clean(body: JsonObject): JsonObject;
}

const CLEANERS: Partial<Readonly<Record<StreamForm, Cleaner>>> = {
  MESSAGES: { marks: marksOf(foreignBegins("ANTHROPIC")), clean: cleanMessages },
  RESPONSES: { marks: marksOf(foreignBegins("OPENAI")), clean: cleanItems },
};

function marksOf(begins: readonly string[]): Buffer[] {
  return begins.map((each) => Buffer.from(each));
}

/** False for nearly every request. */
export function mayBringForeignThoughts(body: Buffer, form: StreamForm): boolean {
  return CLEANERS[form]?.marks.some((mark) => body.includes(mark)) === true;
}

/**
 * A request to a provider of the caller's own dialect, without the thoughts that others had earlier: the conversation
 * may have begun with a model that was translated, before a fallback or before its caller chose anew, and providers
 * refuse thoughts that they did not sign. Nearly all requests have none of those, go on as they are and are not parsed.
 */
export function withoutForeignThoughts(body: Buffer, form: StreamForm): Buffer {
  const cleaner = CLEANERS[form];
  if (cleaner === undefined || !mayBringForeignThoughts(body, form)) return body;
  const given = parseObject(utf8(body));
  if (given === undefined) return body;
  const cleaned = cleaner.clean(given);
  return cleaned === given ? body : Buffer.from(writeJson(cleaned));
}

/**
 * A request without any thoughts that were brought back, in the Responses API without the sealed ones: all that was said,
 * called and answered stays.
 */
export function withoutThoughts(body: Buffer, form: StreamForm): Buffer {
  const given = parseObject(utf8(body));
  const name = form === "CHAT" ? "messages" : "input";
  const said = given?.[name];
  if (!Array.isArray(said)) return body;
  const left =
    form === "CHAT"
      ? said.map(withoutBroughtThoughts)
      : said.filter((item) => sealedThought(object(item)) === undefined);
  return Buffer.from(writeJson({ ...given, [name]: left }));
}

/** Where messages of chat completions say what was thought: none of it is OpenAI's own. */
const BROUGHT = ["reasoning_content", "reasoning_details", "extra_content"];
const BROUGHT_MARKS = BROUGHT.map((name) => Buffer.from(`"${name}"`));

/** False for a request for a chat completion that brings none back. */
export function mayBringThoughts(body: Buffer, form: StreamForm): boolean {
  return form !== "CHAT" || BROUGHT_MARKS.some((mark) => body.includes(mark));
}

function withoutBroughtThoughts(message: unknown): unknown {
  const given = object(message);
  if (given?.["role"] !== "assistant") return message;
  const rest = unthought(given);
  const calls = rest["tool_calls"];
  if (!Array.isArray(calls)) return rest;
  return { ...rest, tool_calls: calls.map((call) => unthought(object(call) ?? {})) };
}

/** OpenRouter's and Groq's `reasoning` comes beside the others. */
function unthought(given: JsonObject): JsonObject {
  const left = Object.entries(given).filter(
    ([name]) => name !== "reasoning" && !BROUGHT.includes(name),
  );
  return Object.fromEntries(left);
}

function cleanMessages(body: JsonObject): JsonObject {
  const messages = list(body["messages"]);
  const cleaned = messages.map((message) => {
    const given = object(message);
    const content = list(given?.["content"]);
    const own = content.filter((block) => !isForeignBlock(object(block)));
    if (own.length === content.length) return message;
    return { ...given, content: own.length === 0 ? [{ type: "text", text: "." }] : own };
  });
  if (cleaned.every((message, at) => message === messages[at])) return body;
  const { thinking, ...rest } = body;
  const isOn = object(thinking)?.["type"] === "enabled";
  const thinks = isOn && lacksThought(cleaned) ? {} : { thinking };
  return { ...rest, ...thinks, messages: cleaned };
}

function isForeignBlock(block: JsonObject | undefined): boolean {
  if (block?.["type"] === "thinking") return isForeign(block["signature"], "ANTHROPIC");
  return block?.["type"] === "redacted_thinking" && isForeign(block["data"], "ANTHROPIC");
}

function isForeign(signature: unknown, own: SignatureOrigin): boolean {
  return signatureOf(string(signature) ?? "", own)?.origin !== own;
}

/** Models that think by a budget refuse to in the middle of calls that they did not begin with a thought. */
function lacksThought(messages: readonly unknown[]): boolean {
  const last = messages.findLast((message) => object(message)?.["role"] === "assistant");
  const content = list(object(last)?.["content"]);
  const calls = content.some((block) => object(block)?.["type"] === "tool_use");
  return calls && string(object(content[0])?.["type"])?.endsWith("thinking") !== true;
}

function cleanItems(body: JsonObject): JsonObject {
  const { input } = body;
  if (!Array.isArray(input)) return body;
  const own = input.filter((item) => !isForeignItem(object(item)));
  return own.length === input.length ? body : { ...body, input: own };
}

function isForeignItem(item: JsonObject | undefined): boolean {
  const sealed = sealedThought(item);
  return sealed !== undefined && isForeign(sealed, "OPENAI");
}

/** Undefined for other items, and for thoughts that OpenAI stores itself, which come back without. */
function sealedThought(item: JsonObject | undefined): string | undefined {
  return item?.["type"] === "reasoning" ? string(item["encrypted_content"]) : undefined;
}
