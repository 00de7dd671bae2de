import { isAt } from "../core/bytes.js";
import { tierNamed } from "../core/service-tier.js";
import { scanMember, scanObject, type ScanLimits } from "./json-scan.js";
import { readString, type Span } from "./json-span.js";
import { stringEnd } from "./json-steps.js";
import { SoughtWord } from "./sought-word.js";
import { WantedMembers } from "./wanted-members.js";

// The service tier in which OpenAI and the many that imitate it served a call stands beside the usage. Nearly always it
// is the ordinary one, or none is told, so that is found out without reading the reply.

const KEY = Buffer.from('"service_tier"');
const SOUGHT_KEY = new SoughtWord(KEY.toString("latin1"));
/** As OpenAI's own whole chat completions go on behind their usage. */
const ORDINARY = Buffer.from(',"service_tier":"default"');
const DEFAULT = Buffer.from('"default"');
const COLON = 0x3a;
const QUOTE = 0x22;
const CLOSE_BRACE = 0x7d;
const CLOSE_BRACKET = 0x5d;
const SPACE = 0x20;
/** `,"usage":` with some blanks. */
const BEFORE_USAGE_BYTES = 12;

/** Of a whole chat completion whose usage is from `start` to `end`; undefined for the ordinary tier. */
export function tierOfChat(text: Buffer, start: number, end: number): string | undefined {
  if (isAt(text, end, ORDINARY)) return undefined;
  // Between the choices and the end of the reply there is nothing but the usage.
  if (text[end] === CLOSE_BRACE && isBehindList(text, start)) return undefined;
  return tierIn(text);
}

function isBehindList(text: Buffer, start: number): boolean {
  const least = Math.max(0, start - BEFORE_USAGE_BYTES);
  for (let at = start - 1; at >= least; at--) if (text[at] === CLOSE_BRACKET) return true;
  return false;
}

/** So far before its usage the last chunk of a chat begins at most, but for what it says. */
const CHUNK_BYTES_MAX = 512;
/** How far before its usage the last chunk told the ordinary tier; no answer depends on it. */
let distance = 0;

/** Of a stream of a chat whose usage begins at `start`, as its last chunk tells it; undefined for the ordinary tier. */
export function tierOfChunks(tail: Buffer, start: number): string | undefined {
  if (isAt(tail, start - distance, KEY) && isOrdinaryAt(tail, start - distance + KEY.length)) {
    return undefined;
  }
  const end = nextKeyEnd(tail, Math.max(0, start - CHUNK_BYTES_MAX));
  if (end < 0) return undefined;
  distance = start - (end - KEY.length);
  return tierAt(tail, end);
}

/**
 * Of a whole reply; undefined for the ordinary tier. A response repeats what its caller wrote in other places of it, where
 * the same word may stand; so where any tier but the ordinary one is named, the reply is read.
 */
export function tierIn(reply: Buffer): string | undefined {
  return namesTier(reply) ? tierOf(reply) : undefined;
}

/** Of the response in the last event of its stream, as `tierIn`; that of a cut event is not known. */
export function tierOfResponse(event: Buffer): string | undefined {
  if (!isWhole(event) || !namesTier(event)) return undefined;
  return tierOf(event.subarray(event.indexOf("{"), endOf(event)));
}

function namesTier(text: Buffer): boolean {
  for (let end = nextKeyEnd(text, 0); end >= 0; end = nextKeyEnd(text, end)) {
    if (tierAt(text, end) !== undefined) return true;
  }
  return false;
}

/** One past the next key of a tier; -1 where there is none. */
function nextKeyEnd(text: Buffer, from: number): number {
  const at = SOUGHT_KEY.indexIn(text, from);
  return at < 0 ? -1 : at + KEY.length;
}

const FIRST_WORDS = [Buffer.from("event:"), Buffer.from("data:")];

/** An event whose beginning is not kept has lost what stands there. */
export function isWhole(event: Buffer): boolean {
  return FIRST_WORDS.some((word) => isAt(event, 0, word));
}

/** Without the blank line behind an event. */
function endOf(event: Buffer): number {
  let end = event.length;
  while (end > 0 && (event[end - 1] ?? 0) <= SPACE) end--;
  return end;
}

const MEMBERS = new WantedMembers(["service_tier", "response"]);
/** A request may be nested 64 deep, and what a response repeats of it stands deeper. */
const LIMITS: ScanLimits = { depthMax: 72, valuesMax: 4_000_000 };

function tierOf(reply: Buffer): string | undefined {
  try {
    const [tier, response] = scanObject(reply, MEMBERS, LIMITS);
    const inside = response === undefined ? undefined : scanMember(reply, response, MEMBERS)[0];
    return tierNamed(readString(reply, inside ?? tier));
  } catch {
    // It can be read in two ways.
    return undefined;
  }
}

/** Whether what follows a key is OpenAI's word for the ordinary tier. */
function isOrdinaryAt(text: Buffer, keyEnd: number): boolean {
  return isAt(text, text[keyEnd + 1] === SPACE ? keyEnd + 2 : keyEnd + 1, DEFAULT);
}

/** The tier that follows a key which ends at `keyEnd`. */
function tierAt(text: Buffer, keyEnd: number): string | undefined {
  if (isOrdinaryAt(text, keyEnd)) return undefined;
  let start = keyEnd;
  while (text[start] === SPACE || text[start] === COLON) start++;
  const end = text[start] === QUOTE ? stringEnd(text, start, text.length) : -1;
  const span: Span | undefined = end < 0 ? undefined : { start, end };
  return tierNamed(readString(text, span));
}
