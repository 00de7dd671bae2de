import type { Dialect } from "../core/provider.js";
import type { RawHeaders } from "../http/header-lines.js";
import { HeaderTable } from "../http/header-table.js";

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

type Part = "FORWARD" | "LIMIT" | "LENGTH" | "TYPE" | "ENCODING" | "REQUEST_ID";

/** Headers that go on to callers. Cookies, organisations and whatever speaks of this hop stay here. */
const HEADERS = new HeaderTable<Part>(
  {
    "content-length": "LENGTH",
    "content-type": "TYPE",
    "content-encoding": "ENCODING",
    // Our own id has this name; the provider's goes on under another.
    "x-request-id": "REQUEST_ID",
    "cache-control": "FORWARD",
    "content-disposition": "FORWARD",
    "content-language": "FORWARD",
    date: "FORWARD",
    etag: "FORWARD",
    "last-modified": "FORWARD",
    location: "FORWARD",
    "request-id": "FORWARD",
    "retry-after": "FORWARD",
    "retry-after-ms": "FORWARD",
    "x-should-retry": "FORWARD",
    "openai-processing-ms": "FORWARD",
    "openai-version": "FORWARD",
    "openai-model": "FORWARD",
    "x-model-id": "FORWARD",
    "x-gemini-service-tier": "FORWARD",
    warning: "FORWARD",
  },
  { "x-ratelimit-": "LIMIT", "anthropic-ratelimit-": "FORWARD", "x-codex-": "FORWARD" },
);

const PACING = /^(?:retry-after|x-ratelimit-|anthropic-ratelimit-)/;

/** Reads a head where it stands. `dropLimits` leaves out the provider's rate limits where we state our own. */
export function readReplyHead(httpStatus: number, raw: RawHeaders, dropLimits: boolean): ReplyHead {
  const failed = httpStatus >= 400;
  const head: ReplyHead = {
    httpStatus,
    forward: [],
    contentLength: undefined,
    contentType: "",
    contentEncoding: "",
    pacing: failed ? new Map<string, string>() : undefined,
  };
  const { marks } = raw;
  for (let i = 0; i + 3 < marks.length; i += 4) {
    const known = HEADERS.find(raw, i);
    if (known === undefined) continue;
    const value = raw.text(marks[i + 2] ?? 0, marks[i + 3] ?? 0);
    const dropped = known.means === "LIMIT" && dropLimits;
    if (dropped && !failed) continue;
    const name = HEADERS.nameOf(known, raw, i);
    if (failed && PACING.test(name)) head.pacing?.set(name, value);
    if (!dropped) take(head, known.means, name, value);
  }
  return head;
}

function take(head: ReplyHead, part: Part, name: string, value: string): void {
  switch (part) {
    case "LENGTH":
      // The parser has refused what is no number.
      head.contentLength = Number(value);
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
    case "LIMIT":
      head.forward.push(name, value);
  }
}

/** Headers that mean the same whatever language the body is in. */
const TRANSLATED = new Set(["date", "retry-after", "retry-after-ms", "x-upstream-request-id"]);

/** The head of a reply whose body was translated: what speaks of the provider's own API stays here. */
export function translatedHead(
  head: ReplyHead,
  caller: { readonly contentType: string; readonly dialect: Dialect; readonly id: string },
): ReplyHead {
  const forward = ["content-type", caller.contentType];
  for (let i = 0; i + 1 < head.forward.length; i += 2) {
    const name = head.forward[i] ?? "";
    const value = head.forward[i + 1] ?? "";
    if (TRANSLATED.has(name)) forward.push(name, value);
    else if (name === "request-id") forward.push("x-upstream-request-id", value);
  }
  // Where Anthropic's SDKs look for it.
  if (caller.dialect === "ANTHROPIC") forward.push("request-id", caller.id);
  return {
    httpStatus: head.httpStatus,
    forward,
    contentLength: undefined,
    contentType: mediaType(caller.contentType),
    contentEncoding: "",
    pacing: head.pacing,
  };
}

/** `text/event-stream; charset=utf-8` → `text/event-stream`. */
export function mediaType(value: string): string {
  // What most replies are, as it is.
  if (value === "application/json") return value;
  const end = value.indexOf(";");
  return (end < 0 ? value : value.slice(0, end)).trim().toLowerCase();
}
