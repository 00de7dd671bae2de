import { RepeatedText } from "../../core/repeated-text.js";
import type { Dialect } from "../../core/provider.js";
import { HeaderBlock } from "../../http/header-block.js";
import type { HeaderLines } from "../../http/header-lines.js";
import { HeaderTable } from "../../http/header-table.js";
import type { Secret } from "../../core/secret.js";
import { redact } from "../../upstream/redact.js";

/** What the head of a provider's reply says that matters here, and what of it goes on to the caller. */
export interface ReplyHead {
  readonly httpStatus: number;
  /** In the order sent. */
  forward: HeaderBlock;
  /** Undefined without the header. */
  contentLength: number | undefined;
  /** Lower case, without parameters. */
  contentType: string;
  contentEncoding: string;
  /** Where the provider wants an upload to go on; empty if it says nothing. It does not go on to callers. */
  uploadUrl: string;
  /** Headers that say when to come back, and by which clock; by lower-case name. */
  readonly pacing: Map<string, string> | undefined;
}

type Part =
  "FORWARD" | "DATE" | "LIMIT" | "TYPE" | "ENCODING" | "REQUEST_ID" | "UPLOAD_URL" | "OTHER";

/** Headers that go on to callers. Cookies, organisations and whatever speaks of this hop stay here. */
const HEADERS = new HeaderTable<Part>(
  {
    "content-type": "TYPE",
    "content-encoding": "ENCODING",
    // Our own id has this name; the provider's goes on under another.
    "x-request-id": "REQUEST_ID",
    "cache-control": "FORWARD",
    "content-disposition": "FORWARD",
    "content-language": "FORWARD",
    date: "DATE",
    etag: "FORWARD",
    "last-modified": "FORWARD",
    "request-id": "FORWARD",
    "retry-after": "FORWARD",
    "retry-after-ms": "FORWARD",
    "x-should-retry": "FORWARD",
    "openai-processing-ms": "FORWARD",
    "openai-version": "FORWARD",
    "openai-model": "FORWARD",
    "openai-poll-after-ms": "FORWARD",
    "x-model-id": "FORWARD",
    "x-reasoning-included": "FORWARD",
    "x-gemini-service-tier": "FORWARD",
    "x-goog-upload-status": "FORWARD",
    "x-goog-upload-size-received": "FORWARD",
    "x-goog-upload-chunk-granularity": "FORWARD",
    "x-goog-upload-url": "UPLOAD_URL",
  },
  { "x-ratelimit-": "LIMIT", "anthropic-ratelimit-": "LIMIT", "x-codex-": "FORWARD" },
);

const contentTypes = new RepeatedText();

const PACING =
  /^(?:date$|retry-after(?:-ms)?$|ratelimit$|(?:x-|anthropic-)?ratelimit(?:bysize)?-.)/;

/** Reads a head where it stands. `dropLimits` leaves out the provider's rate limits where we state our own. */
export function readReplyHead(
  httpStatus: number,
  lines: HeaderLines,
  dropLimits: boolean,
): ReplyHead {
  const head: ReplyHead = {
    httpStatus,
    forward: new HeaderBlock(),
    contentLength: lines.contentLength < 0 ? undefined : lines.contentLength,
    contentType: "",
    contentEncoding: "",
    uploadUrl: "",
    pacing: httpStatus < 400 ? undefined : pacingIn(lines),
  };
  const { length } = lines;
  /** From here on all lines go on. */
  let from = 0;
  for (let i = 0; i < length; i += 4) {
    const part = HEADERS.find(lines, i)?.means ?? "OTHER";
    if (part === "DATE") head.forward.isDated = true;
    else if (part === "TYPE") head.contentType = mediaType(lines.repeatedValue(i, contentTypes));
    else if (part === "ENCODING") head.contentEncoding = lines.value(i).toLowerCase();
    else if (part === "UPLOAD_URL") head.uploadUrl = lines.value(i);
    if (goesOn(part, dropLimits)) continue;
    head.forward.addRead(lines, from, i);
    if (part === "REQUEST_ID") head.forward.addReadAs("x-upstream-request-id", lines, i);
    from = i + 4;
  }
  head.forward.addRead(lines, from, length);
  const { named } = lines;
  if (named.length > 0) head.forward = head.forward.without(named);
  return head;
}

/** Takes out of a head the key with which the provider was asked, where it echoes that. */
export function hideKey(head: ReplyHead, secret: Secret): void {
  const { forward, httpStatus } = head;
  // Of a good reply only as it is, for whoever looks closer asks what was wrong with it.
  if (httpStatus < 400 && !forward.text.includes(secret.reveal())) return;
  if (redact(forward.text, secret) === forward.text) return;
  const clean = new HeaderBlock();
  for (const [name, value] of forward.pairs()) clean.add(name, redact(value, secret));
  head.forward = clean;
}

/** To the caller, as it stands. */
function goesOn(part: Part, dropLimits: boolean): boolean {
  if (part === "LIMIT") return !dropLimits;
  return part === "FORWARD" || part === "TYPE" || part === "DATE";
}

function pacingIn(lines: HeaderLines): Map<string, string> {
  const pacing = new Map<string, string>();
  for (let i = 0; i < lines.length; i += 4) {
    const name = lines.name(i).toLowerCase();
    if (PACING.test(name)) pacing.set(name, lines.value(i));
  }
  return pacing;
}

/** Headers that mean the same whatever language the body is in. */
const TRANSLATED = new Set([
  "date",
  "retry-after",
  "retry-after-ms",
  // OpenAI's and Anthropic's SDKs obey it alike.
  "x-should-retry",
  "x-upstream-request-id",
]);

/** The head of a reply whose body was translated: what speaks of the provider's own API stays here. */
export function translatedHead(
  head: ReplyHead,
  caller: { readonly contentType: string; readonly dialect: Dialect; readonly id: string },
): ReplyHead {
  const forward = new HeaderBlock();
  forward.add("content-type", caller.contentType);
  for (const [name, value] of head.forward.pairs()) {
    if (TRANSLATED.has(name)) forward.add(name, value);
    else if (name === "request-id") forward.add("x-upstream-request-id", value);
  }
  // Where Anthropic's SDKs look for it.
  if (caller.dialect === "ANTHROPIC") forward.addOwn(`request-id: ${caller.id}\r\n`);
  return {
    httpStatus: head.httpStatus,
    forward,
    contentLength: undefined,
    contentType: mediaType(caller.contentType),
    contentEncoding: "",
    uploadUrl: "",
    pacing: head.pacing,
  };
}

/** The head of a reply that is, or becomes, a stream of events although it was not called one. */
export function eventsHead(head: ReplyHead): ReplyHead {
  return withType(head, EVENTS_IN_UTF8);
}

/** The head of a stream that becomes a whole reply. */
export function jsonHead(head: ReplyHead): ReplyHead {
  return withType(head, "application/json");
}

function withType(head: ReplyHead, contentType: string): ReplyHead {
  const forward = new HeaderBlock();
  forward.add("content-type", contentType);
  for (const [name, value] of head.forward.pairs()) {
    if (name !== "content-type") forward.add(name, value);
  }
  return { ...head, forward, contentLength: undefined, contentType: mediaType(contentType) };
}

const EVENTS = "text/event-stream";
const EVENTS_IN_UTF8 = `${EVENTS}; charset=utf-8`;

/** The body is a stream of server-sent events. */
export function isEvents({ contentType }: ReplyHead): boolean {
  return contentType === EVENTS;
}

/** `text/event-stream; charset=utf-8` → `text/event-stream`. */
function mediaType(value: string): string {
  // What most replies are, at once.
  if (value === "application/json" || value === EVENTS) return value;
  if (value === EVENTS_IN_UTF8) return EVENTS;
  const end = value.indexOf(";");
  return (end < 0 ? value : value.slice(0, end)).trim().toLowerCase();
}
