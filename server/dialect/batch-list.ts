import type { Sought } from "../core/batch.js";
import type { Dialect } from "../core/provider.js";
import { isRecord } from "../core/record.js";
import { madeBatch } from "./batch-use.js";
import { scanElements, scanMember, scanObject } from "./json-scan.js";
import { readString, type Span } from "./json-span.js";
import { WantedMembers } from "./wanted-members.js";

// How a batch of which only the request is known is found in its provider's list of batches.

type Json = Readonly<Record<string, unknown>>;

/** A batch in a list, with what tells it apart; undefined is what its provider does not say. */
export interface ListedBatch {
  readonly batchId: string;
  readonly path: string;
  readonly madeAtMs: number | undefined;
  readonly inputFile: string | undefined;
  readonly name: string | undefined;
  readonly requests: number | undefined;
}

/** A page of a list, the newest first. */
export interface BatchPage {
  readonly batches: readonly ListedBatch[];
  /** What asks for the next page, to be put behind the first one's path; empty where there is none. */
  readonly next: string;
}

/** Where batches are listed. Google's list may have their results in it. */
export const BATCH_LISTS: Readonly<Record<Dialect, string>> = {
  OPENAI: "/v1/batches?limit=100",
  ANTHROPIC: "/v1/messages/batches?limit=100",
  GEMINI: "/v1beta/batches?pageSize=20",
};

/** Undefined for what is no list. */
export function readBatchList(dialect: Dialect, reply: Json): BatchPage | undefined {
  return dialect === "GEMINI" ? geminiPage(reply) : page(dialect, reply);
}

/** Whether a listed batch may be the one that was asked for; times are for the caller to compare. */
export function isLike(listed: ListedBatch, { inputFile, name, requests }: Sought): boolean {
  if ((listed.inputFile ?? inputFile) !== inputFile || (listed.name ?? name) !== name) return false;
  return requests === undefined || (listed.requests ?? requests) === requests;
}

function page(dialect: "OPENAI" | "ANTHROPIC", reply: Json): BatchPage | undefined {
  const { data, has_more: hasMore, last_id: lastId } = reply;
  if (!Array.isArray(data)) return undefined;
  const batches = data.filter(isRecord).flatMap((each) => {
    const made = madeBatch(dialect, each);
    return made === undefined
      ? []
      : [{ ...made, ...(dialect === "OPENAI" ? openai : anthropic)(each) }];
  });
  const after = dialect === "OPENAI" ? "after" : "after_id";
  const next = hasMore === true && typeof lastId === "string" && lastId !== "";
  return { batches, next: next ? `&${after}=${encodeURIComponent(lastId)}` : "" };
}

type About = Omit<ListedBatch, "batchId" | "path">;

function openai({ created_at: madeAt, input_file_id: file }: Json): About {
  const madeAtMs = typeof madeAt === "number" ? madeAt * 1000 : undefined;
  return { madeAtMs, inputFile: nameOf(file), name: undefined, requests: undefined };
}

function anthropic({ created_at: madeAt, request_counts: counts }: Json): About {
  const each = isRecord(counts) ? Object.values(counts) : [];
  const sum = each.reduce<number>((all, count) => all + (typeof count === "number" ? count : 0), 0);
  const requests = each.length === 0 ? undefined : sum;
  return { madeAtMs: timeOf(madeAt), inputFile: undefined, name: undefined, requests };
}

function geminiPage({ operations, nextPageToken: token }: Json): BatchPage | undefined {
  // An empty list is left out.
  if (operations !== undefined && !Array.isArray(operations)) return undefined;
  const batches = (operations ?? []).filter(isRecord).flatMap((each) => {
    const made = madeBatch("GEMINI", each);
    return made === undefined ? [] : [{ ...made, ...gemini(each["metadata"]) }];
  });
  const next = textOf(token);
  return { batches, next: next === "" ? "" : `&pageToken=${encodeURIComponent(next)}` };
}

function gemini(metadata: unknown): About {
  const about = isRecord(metadata) ? metadata : {};
  const { displayName, createTime, inputConfig, batchStats } = about;
  const inputFile = isRecord(inputConfig) ? nameOf(inputConfig["fileName"]) : undefined;
  const count = isRecord(batchStats) ? Number(batchStats["requestCount"]) : 0;
  const requests = count > 0 ? count : undefined;
  return { madeAtMs: timeOf(createTime), inputFile, name: textOf(displayName), requests };
}

function nameOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function timeOf(value: unknown): number | undefined {
  const time = Date.parse(textOf(value));
  return Number.isNaN(time) ? undefined : time;
}

const FILE = new WantedMembers(["input_file_id"]);
const REQUESTS = new WantedMembers(["requests"]);
const BATCH = new WantedMembers(["batch"]);
const NAMES = new WantedMembers(["displayName", "display_name"]);
const INPUTS = new WantedMembers(["inputConfig", "input_config"]);
const IN_INPUT = new WantedMembers(["fileName", "file_name", "requests"]);

/** By what the batch that a request asks for will be told apart. `requests`: how many stand in it, if they were counted. */
export function soughtBy(dialect: Dialect, body: Buffer, requests?: number): Sought {
  try {
    if (requests === undefined) return SEEKERS[dialect](body);
    // Then there is no file, and of Anthropic's no name either.
    return { inputFile: "", name: dialect === "GEMINI" ? nameIn(body) : "", requests };
  } catch {
    // It is no JSON object, so no provider makes a batch of it.
    return { inputFile: "", name: "", requests: undefined };
  }
}

const SEEKERS: Readonly<Record<Dialect, (body: Buffer) => Sought>> = {
  OPENAI: (body) => {
    const [file] = scanObject(body, FILE);
    return { inputFile: readString(body, file) ?? "", name: "", requests: undefined };
  },
  ANTHROPIC: (body) => {
    const [requests] = scanObject(body, REQUESTS);
    return { inputFile: "", name: "", requests: countOf(body, requests) };
  },
  GEMINI: (body) => {
    const [batch] = scanObject(body, BATCH);
    const input = batch === undefined ? [] : scanMember(body, batch, INPUTS);
    const [first, second, inline] = inside(body, input.find(isThere), IN_INPUT);
    const inputFile = readString(body, first ?? second) ?? "";
    const [list] = inside(body, inline, REQUESTS);
    const requests = inputFile === "" ? countOf(body, list) : undefined;
    return { inputFile, name: nameIn(body), requests };
  },
};

/** The name that a caller gives a batch of Google's. */
function nameIn(body: Buffer): string {
  const [batch] = scanObject(body, BATCH);
  return readString(body, inside(body, batch, NAMES).find(isThere)) ?? "";
}

function isThere(span: Span | undefined): boolean {
  return span !== undefined;
}

function inside(
  body: Buffer,
  span: Span | undefined,
  members: WantedMembers,
): readonly (Span | undefined)[] {
  return span === undefined ? [] : scanMember(body, span, members);
}

function countOf(body: Buffer, list: Span | undefined): number | undefined {
  return list === undefined ? undefined : scanElements(body, list).length;
}
