import { indexOfByte, isAt, latin1 } from "../core/bytes.js";
import type { Dialect } from "../core/provider.js";
import { isRecord } from "../core/record.js";
import { parseRecord } from "./json-record.js";
import { topLevelObject } from "./last-object.js";
import { eventData, lastEvent, lastEventStart } from "./sse.js";
import { scanMember, scanObject } from "./json-scan.js";
import { readString, type Span } from "./json-span.js";
import { SoughtWord } from "./sought-word.js";
import { WantedMembers } from "./wanted-members.js";

// Ids by which a reply names what the provider keeps in the account that was used, and a request what is kept there.

/** Replies that name files and batches are small; a larger one is not read for this. */
const REPLY_BYTES_MAX = 64 * 1024;
/** A response says its id first. */
const OPENING_BYTES = 512;

/** Which members of an object say ids, and which hold objects that do. */
interface Kept {
  /** Those that hold objects come first. */
  readonly members: WantedMembers;
  readonly inside: readonly Kept[];
}

function kept(ids: readonly string[], inside: Readonly<Record<string, Kept>> = {}): Kept {
  const members = new WantedMembers([...Object.keys(inside), ...ids]);
  return { members, inside: Object.values(inside) };
}

const OF_OPENAI = kept(
  [
    "id",
    "input_file_id",
    "output_file_id",
    "error_file_id",
    // Of a page of a list: the next one is asked for by them.
    "first_id",
    "last_id",
    "next_page",
  ],
  // What an upload has become.
  { file: kept(["id"]) },
);
/** Of a batch that is done. */
const RESULTS = kept(["responsesFile"]);
const OF_GEMINI = kept(["name", "nextPageToken"], {
  file: kept(["name"]),
  metadata: kept([], { output: RESULTS }),
  response: RESULTS,
});
const KEPT: Readonly<Record<Dialect, Kept>> = {
  OPENAI: OF_OPENAI,
  ANTHROPIC: OF_OPENAI,
  GEMINI: OF_GEMINI,
};

/** A member of JSON requests that names what lives in a provider's account. */
export interface NamedMember {
  /** With its quotes. */
  readonly key: SoughtWord;
  /** What of its text is the id; other texts name nothing. */
  readonly id: RegExp;
}

function named(member: string, id: RegExp): NamedMember {
  return { key: new SoughtWord(`"${member}"`), id };
}

const ANY_ID = /^(.+)$/;
const FILE_URI = /(?:^|\/)(files\/[\w-]+)$/;
const CACHE_NAME = /^(cachedContents\/[\w-]+)$/;

const FILE_NAME = /^(files\/[\w-]+)$/;

const FILE = named("file_id", ANY_ID);
const FILES = named("file_ids", ANY_ID);
/** Vendors' own skills have other names. */
const SKILL = named("skill_id", /^(skill_.+)$/);
const FILE_URIS = [named("fileUri", FILE_URI), named("file_uri", FILE_URI)];

const OF_GENERATE = [
  named("cachedContent", CACHE_NAME),
  named("cached_content", CACHE_NAME),
  ...FILE_URIS,
];

/**
 * What requests of each kind name. Where calls of tools hold their arguments as JSON, as at Anthropic, an argument may have
 * the same name, and only the look of the id tells.
 */
export const NAMED = {
  nothing: [],
  batch: [named("input_file_id", ANY_ID)],
  files: [FILES],
  chat: [FILE],
  responses: [
    FILE,
    FILES,
    named("vector_store_ids", ANY_ID),
    named("container", /^((?:cntr|container)_.+)$/),
    SKILL,
  ],
  messages: [named("file_id", /^(file_.+)$/), SKILL, named("previous_message_id", /^(msg_.+)$/)],
  caches: FILE_URIS,
  generate: OF_GENERATE,
  generateBatch: [named("fileName", FILE_NAME), named("file_name", FILE_NAME), ...OF_GENERATE],
} as const satisfies Record<string, readonly NamedMember[]>;

/** A text, or a list that begins with one. */
const VALUE = /^"\w+"\s*:\s*(?:\[\s*)?"([^"\\]{1,256})"/;
const BACKSLASH = 0x5c;
const QUOTE = 0x22;
const CHUNK_ID = Buffer.from('data: {"id":"');
const RESPONSE_ID = /(?:^|^data:\s*|"response"\s*:)\s*\{\s*"id"\s*:\s*"([^"\\]{1,256})"/;

/** The ids in a thing, which may name others, and in a page of a list. */
export function keptIds(reply: Buffer, dialect: Dialect): readonly string[] {
  if (reply.length > REPLY_BYTES_MAX) return [];
  const said = KEPT[dialect];
  try {
    return idsAt(reply, scanObject(reply, said.members), said);
  } catch {
    // No object, or one that can be read in two ways: the caller gets it as it is.
    return [];
  }
}

/** `spans`: of the members. */
function idsAt(
  reply: Buffer,
  spans: readonly (Span | undefined)[],
  { inside }: Kept,
): readonly string[] {
  const ids = spans.slice(inside.length).flatMap((span) => readString(reply, span) ?? []);
  const deeper = inside.flatMap((said, at) => {
    const span = spans[at];
    return span === undefined ? [] : idsAt(reply, scanMember(reply, span, said.members), said);
  });
  return [...ids, ...deeper];
}

/** What a request names in these members, the first of each. What is said in a text is quoted there, and names nothing. */
export function namedIn(body: Buffer, members: readonly NamedMember[]): readonly string[] {
  return members.flatMap(({ key, id }) => {
    const at = key.indexIn(body);
    if (at < 0 || body[at - 1] === BACKSLASH) return [];
    const value = VALUE.exec(latin1(body, at, at + OPENING_BYTES))?.[1] ?? "";
    return id.exec(value)?.[1] ?? [];
  });
}

/** The id of the container in which a message was made; empty if it names none. */
export function containerId(message: Buffer): string {
  return topLevelObject(message, "container", idOf) ?? "";
}

/** The id of the container that the last events of a message name; empty if none does. */
export function containerIdIn(events: Buffer): string {
  if (!events.includes(CONTAINER)) return "";
  const delta = parseRecord(eventData(lastEvent(beforeLast(events))) ?? "")?.["delta"];
  const container = isRecord(delta) ? delta["container"] : undefined;
  return isRecord(container) ? (idOf(container) ?? "") : "";
}

const CONTAINER = Buffer.from('"container"');

function idOf({ id }: Record<string, unknown>): string | undefined {
  return typeof id === "string" && id.startsWith("container_") ? id : undefined;
}

/** Events without the last of them, which only ends a message. */
function beforeLast(events: Buffer): Buffer {
  return events.subarray(0, lastEventStart(events));
}

/** The id of a response or a chat completion, from the beginning of its reply or stream; empty if that has none. */
export function responseId(opening: Buffer): string {
  // Of a chunk it is the first text.
  const isChunk = isAt(opening, 0, CHUNK_ID);
  const end = isChunk ? indexOfByte(opening, QUOTE, CHUNK_ID.length) + 1 : OPENING_BYTES;
  return RESPONSE_ID.exec(latin1(opening, 0, end))?.[1] ?? "";
}
