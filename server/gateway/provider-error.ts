import { isRecord, parseRecord } from "../dialect/json-find.js";

/** What a provider's error body says, whatever its shape. */
export interface ProviderError {
  /** The whole body as it came. */
  readonly body: string;
  /** The body is an error such as the dialects' SDKs read. */
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
  const message =
    error["message"] ?? parsed["error"] ?? parsed["message"] ?? parsed["detail"] ?? "";
  return {
    body,
    found: parsed["error"] !== undefined || parsed["message"] !== undefined,
    codes: codes.filter((code) => typeof code === "string"),
    text: typeof message === "string" ? message : "",
    metadata,
  };
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
