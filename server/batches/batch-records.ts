import type { Batch } from "../core/batch.js";
import { type CallRecord, NO_TOKENS } from "../core/call.js";
import type { BatchUse } from "./batch-look.js";

/** The error code of a batch of which only a part could be counted. */
const BATCH_INCOMPLETE = "batch_incomplete";
/** The error codes of what nothing could be learnt of. */
const BATCH_LOST = "batch_lost";
const RESPONSE_LOST = "response_lost";

export interface Making {
  /** Of a new call. */
  readonly nextId: () => string;
  /** When it is counted. */
  readonly nowMs: number;
}

/** What of a record is not the same for all records of a batch. */
type Counted = Pick<CallRecord, "tokens" | "costMicros" | "usageSource"> & {
  readonly model: string;
  readonly error?: { readonly code: string; readonly message: string };
};

/** The records of what a batch used, one for each model; none where it used nothing. */
export function recordsOf(batch: Batch, use: BatchUse, making: Making): readonly CallRecord[] {
  const { sums, untold, read, problem } = use;
  if (sums.length === 0 && untold === 0 && problem === "") return [];
  if (sums.length === 0) return [recordOf(batch, unknown(batch, problem, untold), making)];
  const missing =
    problem !== "" || untold === 0
      ? problem
      : `${String(untold)} of ${String(read)} results do not tell what they used`;
  return sums.map(({ model, tokens, costMicros }) =>
    recordOf(batch, { model, tokens, costMicros, ...sourceOf(missing) }, making),
  );
}

/** The record of a batch of which nothing can be learnt any more. */
export function recordOfLost(batch: Batch, problem: string, making: Making): CallRecord {
  return recordOf(batch, unknown(batch, problem, 0), making);
}

function sourceOf(missing: string): Pick<Counted, "usageSource" | "error"> {
  if (missing === "") return { usageSource: "PROVIDER" };
  const message = `Not all of what this batch used is counted: ${missing}.`;
  return { usageSource: "PARTIAL", error: { code: BATCH_INCOMPLETE, message } };
}

/** It may have used all that was set aside for it; where nothing was, its cost is not known. */
function unknown(batch: Batch, problem: string, untold: number): Counted {
  const { inputTokens: input, maxOutputTokens: output, costMicros } = batch.reserved;
  const isKnown = input + output > 0;
  const why = problem === "" ? `none of its ${String(untold)} results tells it` : problem;
  const [code, what] =
    batch.later === undefined ? [BATCH_LOST, "this batch"] : [RESPONSE_LOST, "this response"];
  const counts = isKnown ? "all that was set aside for it counts" : "nothing could be counted";
  return {
    model: batch.model,
    tokens: { ...NO_TOKENS, input, output },
    costMicros: costMicros === 0 ? null : costMicros,
    usageSource: isKnown ? "ESTIMATED" : "NONE",
    // Where its results came whole, an estimate is all that there ever was to learn.
    ...(problem === "" && isKnown
      ? {}
      : {
          error: {
            code,
            message: `What ${what} used could not be learnt (${why}), so ${counts}.`,
          },
        }),
  };
}

function recordOf(batch: Batch, counted: Counted, { nextId, nowMs }: Making): CallRecord {
  const { model, tokens, costMicros, usageSource, error } = counted;
  return {
    id: nextId(),
    startedAt: nowMs,
    clientKeyId: batch.clientKeyId,
    clientKeyKind: batch.clientKeyKind,
    ownerId: batch.ownerId,
    providerKeyId: batch.providerKeyId,
    providerId: batch.providerId,
    modelAsked: model,
    modelServed: model === "" ? null : model,
    endpoint: batch.path,
    dialect: batch.dialect,
    streamed: false,
    status: error === undefined ? "SUCCESS" : "ERROR",
    httpStatus: 200,
    errorCode: error?.code ?? null,
    errorMessage: error?.message.slice(0, ERROR_MESSAGE_CHARS_MAX) ?? null,
    latencyMs: 0,
    ttfbMs: null,
    requestBytes: 0,
    responseBytes: 0,
    tokens,
    costMicros,
    usageSource,
    ip: "",
    attempts: [],
  };
}

const ERROR_MESSAGE_CHARS_MAX = 500;
