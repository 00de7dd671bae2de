import { isRecord } from "../../core/record.js";
import { parseRecord } from "../../dialect/json-record.js";

/** What a provider's error body says, whatever its shape. */
export interface ProviderError {
  /** The whole body as it came. */
  readonly body: string;
  /** The body is a JSON object that says what is wrong, in which SDKs look for it. */
  readonly found: boolean;
  /** Every short text in it that may be a code. */
  readonly codes: readonly string[];
  /** In words; empty if it has none. */
  readonly text: string;
  /** What OpenRouter says beside the words; empty elsewhere. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

const NOTHING: Readonly<Record<string, unknown>> = {};

/** Reads an error body. `text` may quote what the caller wrote; `codes` are the provider's own. */
export function errorOf(body: string): ProviderError {
  const parsed = parseRecord(body) ?? firstOf(body);
  if (parsed === undefined) return { body, found: false, codes: [], text: "", metadata: NOTHING };
  const error = isRecord(parsed["error"]) ? parsed["error"] : parsed;
  const metadata = isRecord(error["metadata"]) ? error["metadata"] : NOTHING;
  const codes = [error["code"], error["type"], error["status"], parsed["code"]];
  codes.push(metadata["error_type"], metadata["limit_source"]);
  for (const detail of Array.isArray(error["details"]) ? error["details"] : []) {
    if (isRecord(detail)) codes.push(detail["reason"]);
  }
  const given = [error["message"], parsed["error"], parsed["message"], parsed["detail"]];
  const text = wordsOf([...given, parsed["Message"], parsed["msg"]]);
  return {
    body,
    found: parsed["error"] !== undefined || text !== "",
    codes: codes.filter((code) => typeof code === "string"),
    text,
    metadata,
  };
}

/** The first text among them; FastAPI, and so vLLM and Mistral, list what is wrong with each field. */
function wordsOf(given: readonly unknown[]): string {
  for (const each of given) {
    if (typeof each === "string" && each !== "") return each;
    // Mistral puts one into the other.
    const within = isRecord(each) ? wordsOf([each["message"], each["detail"]]) : "";
    if (within !== "") return within;
    const first: unknown = Array.isArray(each) ? each[0] : undefined;
    if (isRecord(first) && typeof first["msg"] === "string") return first["msg"];
  }
  return "";
}

/** The words before the first quote or colon: what stands behind may be the caller's. */
export function ownWords(error: ProviderError): string {
  return /^(?:[^"`“‘:\s]|\s(?!'))*/.exec(error.text)?.[0] ?? "";
}

/** Gemini wraps the error of a streamed call in an array. */
function firstOf(body: string): Record<string, unknown> | undefined {
  const trimmed = body.trim();
  return trimmed.startsWith("[") && trimmed.endsWith("]")
    ? parseRecord(trimmed.slice(1, -1))
    : undefined;
}
