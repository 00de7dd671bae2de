import type { ReplyHead } from "./reply-head.js";

// What a reply looks like that is too large to be parsed just to see whether it is one.

const QUOTE = 0x22;
const OPEN_BRACE = 0x7b;
const WORD_OR_NUMBER = /^(?:true|false|null|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;
const WORD_OR_NUMBER_CHARS_MAX = 32;

/** Without the byte order mark that some servers put in front of JSON, where readers choke on it. */
export function withoutMark(body: Buffer): Buffer {
  const isMarked = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf;
  return isMarked ? body.subarray(3) : body;
}

/** A web page, as proxies and portals send it in place of a reply. */
export function isMarkup(head: ReplyHead): boolean {
  return head.contentType === "text/html" || head.contentType === "application/xhtml+xml";
}

/** A JSON object or array, as far as its ends show. */
export function looksLikeJson(body: Buffer): boolean {
  const text = trimmed(body);
  const first = text[0];
  const last = text[text.length - 1];
  return (first === OPEN_BRACE && last === 0x7d) || (first === 0x5b && last === 0x5d);
}

/** A JSON text, number or word. */
export function looksLikeScalar(body: Buffer): boolean {
  const text = trimmed(body);
  if (text[0] === QUOTE) return text.length > 1 && text[text.length - 1] === QUOTE;
  return text.length <= WORD_OR_NUMBER_CHARS_MAX && WORD_OR_NUMBER.test(text.toString("latin1"));
}

function trimmed(body: Buffer): Buffer {
  let start = 0;
  let end = body.length;
  while (start < end && (body[start] ?? 0) <= 0x20) start++;
  while (end > start && (body[end - 1] ?? 0) <= 0x20) end--;
  return start === 0 && end === body.length ? body : body.subarray(start, end);
}

/** Whether a body that has just begun may be JSON. */
export function beginsLikeJson(begin: Buffer): boolean {
  const text = trimmed(withoutMark(begin));
  return text.length === 0 || text[0] === OPEN_BRACE || text[0] === 0x5b;
}

/** Whether a body that has just begun is a stream of server-sent events, whatever it is called. */
export function beginsLikeEvents(begin: Buffer): boolean {
  const text = trimmed(withoutMark(begin));
  // What nearly all are that are looked at.
  if (text[0] === OPEN_BRACE) return false;
  return /^(?:data|event|id|retry)?:/.test(text.toString("latin1", 0, FIELD_CHARS_MAX));
}

/** The name of a field with its colon, and more than that. */
const FIELD_CHARS_MAX = 8;
