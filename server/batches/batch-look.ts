import type { Batch } from "../core/batch.js";
import { utf8 } from "../core/bytes.js";
import type { Clock } from "../core/clock.js";
import type { Provider } from "../core/provider.js";
import type { Secret } from "../core/secret.js";
import { readBatch, readResult, type ToldBatch } from "../dialect/batch-use.js";
import { InlineResults } from "../dialect/inline-results.js";
import { parseRecord } from "../dialect/json-record.js";
import { ResultLines } from "../dialect/result-lines.js";
import type { UpstreamFailure } from "../upstream/failure.js";
import { type EndpointPath, getRequest } from "../upstream/probe-request.js";
import type { Upstream } from "../upstream/upstream.js";
import { BatchSums, type ModelSum, type SumsOptions } from "./batch-sums.js";
import { fetchPieces } from "./fetch-pieces.js";
import { LOOK_HEAD_TIMEOUT_MS, LOOK_TIMEOUT_MS, RESULT_BYTES_MAX } from "./limits.js";

/** What a batch used, as far as it could be read. */
export interface BatchUse {
  readonly sums: readonly ModelSum[];
  /** Results that were read. */
  readonly read: number;
  /** Requests that were served and do not tell what they used. */
  readonly untold: number;
  /** What of the results is missing; empty where nothing is. */
  readonly problem: string;
}

/** What a batch is called. */
export type FoundBatch = Pick<Batch, "batchId" | "path">;

/** What a look at a batch has found. */
export type Look =
  | { readonly kind: "RUNNING" }
  | { readonly kind: "ENDED"; readonly use: BatchUse }
  /** It, or what tells its use, is gone or broken; `use` is what could be read all the same. */
  | { readonly kind: "MISSED"; readonly problem: string; readonly use: BatchUse | undefined }
  /** Of one of whose making no reply told: those in its provider's list that it may be, the likeliest first. */
  | { readonly kind: "SOUGHT"; readonly names: readonly FoundBatch[] }
  /** Nothing was learnt. */
  | { readonly kind: "FAILED"; readonly problem: string };

export interface LookTools extends SumsOptions {
  readonly upstream: Upstream;
  readonly clock: Clock;
  readonly endpointPath: EndpointPath;
  readonly signal: AbortSignal;
  /** For a whole reply; default: that of a look. */
  readonly timeoutMs?: number;
}

/** Whom a batch is asked of. */
export interface Account {
  readonly provider: Provider;
  readonly secret: Secret;
}

/** Asks a provider what became of a batch, and reads what it used once it has ended. */
export async function lookAtBatch(batch: Batch, account: Account, tools: LookTools): Promise<Look> {
  const sums = new BatchSums(tools);
  const onResult = (result: Buffer | undefined): void => {
    take(batch, sums, result);
  };
  const inline = new InlineResults(RESULT_BYTES_MAX, onResult);
  const asked = await askProvider(batch.path, account, tools, (piece) => {
    inline.push(piece);
  });
  if (asked !== 200) return unanswered(asked, sums, "the batch");
  const told = toldOf(batch, inline.rest);
  if (told === undefined) return { kind: "FAILED", problem: "the reply is no batch" };
  if (!told.isEnded) return { kind: "RUNNING" };
  if (told.use !== undefined) sums.addAll(told.use);
  else if (told.results !== undefined) {
    const lines = new ResultLines(RESULT_BYTES_MAX, onResult);
    const { path, query } = told.results;
    const fetched = await askProvider(
      query === "" ? path : `${path}?${query}`,
      account,
      tools,
      (piece) => {
        lines.push(piece);
      },
    );
    if (fetched !== 200) return unanswered(fetched, sums, "the results");
    lines.end();
  }
  return endOf(told, sums);
}

function endOf({ isServed }: ToldBatch, sums: BatchSums): Look {
  const isUnread = sums.isEmpty && sums.read === 0;
  if (isUnread && sums.unreadable > 0) {
    const problem = "the results could not be read";
    return { kind: "MISSED", problem, use: useOf(sums, problem) };
  }
  if (isUnread && isServed) {
    return { kind: "MISSED", problem: "the results are gone", use: undefined };
  }
  const { unreadable } = sums;
  const problem = unreadable === 0 ? "" : `${String(unreadable)} of its results could not be read`;
  return { kind: "ENDED", use: useOf(sums, problem) };
}

function useOf({ sums, read, untold }: BatchSums, problem: string): BatchUse {
  return { sums, read, untold, problem };
}

const GONE: ReadonlySet<number> = new Set([404, 410]);

/** `what` did not come whole. */
export function unanswered(
  end: number | UpstreamFailure,
  sums: BatchSums | undefined,
  what: string,
): Look {
  if (typeof end === "number") {
    const problem = `${what}: HTTP ${String(end)}`;
    return GONE.has(end)
      ? { kind: "MISSED", problem, use: undefined }
      : { kind: "FAILED", problem };
  }
  const problem = `${what}: ${end.detail}`;
  return sums === undefined || sums.read === 0
    ? { kind: "FAILED", problem }
    : { kind: "MISSED", problem, use: useOf(sums, problem) };
}

/** Answers as `fetchPieces` does for what stands at a path of a provider. */
export function askProvider(
  path: string,
  { provider, secret }: Account,
  tools: Omit<LookTools, keyof SumsOptions>,
  onPiece: (piece: Buffer) => void,
): Promise<number | UpstreamFailure> {
  const { upstream, clock, endpointPath, signal, timeoutMs = LOOK_TIMEOUT_MS } = tools;
  const call = { provider, secret, endpointPath, timeoutMs: LOOK_HEAD_TIMEOUT_MS };
  return fetchPieces({
    upstream,
    target: upstream.target(provider.baseUrl),
    request: getRequest(call, path),
    clock,
    timeoutMs,
    signal,
    onPiece,
  });
}

function toldOf(batch: Batch, reply: Buffer | undefined): ToldBatch | undefined {
  const object = reply === undefined ? undefined : parseRecord(utf8(reply));
  return object === undefined ? undefined : readBatch(batch.dialect, object, batch.path);
}

function take(batch: Batch, sums: BatchSums, text: Buffer | undefined): void {
  const object = text === undefined ? undefined : parseRecord(utf8(text));
  const result = object === undefined ? undefined : readResult(batch.dialect, object);
  if (result === undefined) {
    sums.unreadable++;
    return;
  }
  sums.read++;
  if (result === "UNTOLD") sums.untold++;
  else if (result !== "NOTHING") {
    sums.add(batch.model === "" ? result : { ...result, model: batch.model });
  }
}
