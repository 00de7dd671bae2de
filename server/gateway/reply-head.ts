import { latin1 } from "../dialect/bytes.js";

/** What the head of a provider's reply says that matters here, and what of it goes on to the caller. */
export interface ReplyHead {
  readonly httpStatus: number;
  /** Names and values in turn, in the order sent. */
  readonly forward: string[];
  /** Undefined without the header. */
  contentLength: number | undefined;
  /** Lower case, without parameters. */
  contentType: string;
  contentEncoding: string;
  /** Headers that say when to come back, by lower-case name. */
  readonly pacing: Map<string, string> | undefined;
}

type Part = "FORWARD" | "LENGTH" | "TYPE" | "ENCODING" | "REQUEST_ID";

/** Headers that go on to callers. Cookies, organisations and whatever speaks of this hop stay here. */
const PARTS: ReadonlyMap<string, Part> = new Map<string, Part>([
  ["content-length", "LENGTH"],
  ["content-type", "TYPE"],
  ["content-encoding", "ENCODING"],
  // Our own id has this name; the provider's goes on under another.
  ["x-request-id", "REQUEST_ID"],
  ...[
    "cache-control",
    "content-disposition",
    "content-language",
    "date",
    "etag",
    "last-modified",
    "location",
    "request-id",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "openai-processing-ms",
    "openai-version",
    "openai-model",
    "x-model-id",
    "x-gemini-service-tier",
    "warning",
  ].map((name) => [name, "FORWARD"] as const),
]);

const FORWARD_PREFIXES = ["x-ratelimit-", "anthropic-ratelimit-", "x-codex-"];
const PACING = /^(?:retry-after|x-ratelimit-|anthropic-ratelimit-)/;

/** Reads a head from the raw list. `dropLimits` leaves out the provider's rate limits where we state our own. */
export function readReplyHead(
  httpStatus: number,
  raw: readonly Buffer[],
  dropLimits: boolean,
): ReplyHead {
  const failed = httpStatus >= 400;
  const head: ReplyHead = {
    httpStatus,
    forward: [],
    contentLength: undefined,
    contentType: "",
    contentEncoding: "",
    pacing: failed ? new Map<string, string>() : undefined,
  };
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const key = raw[i];
    const bytes = raw[i + 1];
    if (key === undefined || bytes === undefined) continue;
    const name = latin1(key).toLowerCase();
    const part = PARTS.get(name);
    if (part === undefined && !FORWARD_PREFIXES.some((prefix) => name.startsWith(prefix))) continue;
    const value = latin1(bytes);
    if (failed && PACING.test(name)) head.pacing?.set(name, value);
    if (part === undefined && dropLimits && name.startsWith("x-ratelimit-")) continue;
    take(head, part ?? "FORWARD", name, value);
  }
  return head;
}

function take(head: ReplyHead, part: Part, name: string, value: string): void {
  switch (part) {
    case "LENGTH":
      head.contentLength = /^\d{1,15}$/.test(value) ? Number(value) : undefined;
      return;
    case "TYPE":
      head.contentType = mediaType(value);
      head.forward.push(name, value);
      return;
    case "ENCODING":
      head.contentEncoding = value.trim().toLowerCase();
      return;
    case "REQUEST_ID":
      head.forward.push("x-upstream-request-id", value);
      return;
    case "FORWARD":
      head.forward.push(name, value);
  }
}

/** `text/event-stream; charset=utf-8` → `text/event-stream`. */
export function mediaType(value: string): string {
  const end = value.indexOf(";");
  return (end < 0 ? value : value.slice(0, end)).trim().toLowerCase();
}
