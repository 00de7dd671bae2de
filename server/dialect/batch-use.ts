import { NO_TOKENS, type TokenUsage } from "../core/call.js";
import type { Dialect } from "../core/provider.js";
import { isRecord } from "../core/record.js";
import { anthropicTokens, geminiTokens, openaiTokens } from "./tokens.js";

// What providers tell of a batch, and of each request in it.

/** What a batch says of itself. */
export interface ToldBatch {
  /** All of its requests have come to their end, one way or another. */
  readonly isEnded: boolean;
  /** Where its results are to be fetched; undefined where there is nothing to fetch. */
  readonly results: { readonly path: string; readonly query: string } | undefined;
  /** What all of it used, where it says so itself. */
  readonly use: ToldUse | undefined;
  /** Some of its requests were served, so there is something to count. */
  readonly isServed: boolean;
}

/** What was used of a model. */
export interface ToldUse {
  /** In the provider's words; empty if it says none. */
  readonly model: string;
  readonly tokens: TokenUsage;
}

/** One request of a batch: what it used; that it was served, and does not tell what it used; or that it used nothing. */
export type ToldResult = ToldUse | "UNTOLD" | "NOTHING";

interface Reader {
  batch(batch: Json, path: string): ToldBatch;
  /** Undefined for what is no result. */
  result(result: Json): ToldResult | undefined;
}

type Json = Readonly<Record<string, unknown>>;

/** Reads what a provider says of a batch; `path` is where it was asked for. */
export function readBatch(dialect: Dialect, batch: Json, path: string): ToldBatch {
  return READERS[dialect].batch(batch, path);
}

/** Reads one of its results; undefined for what is none. */
export function readResult(dialect: Dialect, result: Json): ToldResult | undefined {
  return READERS[dialect].result(result);
}

const UNENDED: ToldBatch = {
  isEnded: false,
  results: undefined,
  use: undefined,
  isServed: false,
};

const OPENAI_ENDS: ReadonlySet<unknown> = new Set(["completed", "failed", "expired", "cancelled"]);

const openai: Reader = {
  batch(batch) {
    const { status, usage, model, output_file_id: file, request_counts: counts } = batch;
    if (!OPENAI_ENDS.has(status)) return UNENDED;
    const tokens = isRecord(usage) ? openaiTokens(usage) : undefined;
    // Compatible providers, and those who made them before batches told it, leave it at nothing.
    const isTold = tokens !== undefined && tokens.input + tokens.output > 0;
    const results =
      typeof file === "string" && file !== ""
        ? { path: `/v1/files/${encodeURIComponent(file)}/content`, query: "" }
        : undefined;
    return {
      isEnded: true,
      results,
      // Without its model there is no price, and the lines of the file name it.
      use:
        isTold && (textOf(model) !== "" || results === undefined)
          ? { model: textOf(model), tokens }
          : undefined,
      isServed: results !== undefined || isTold || mayBeServed(counts, "completed", false),
    };
  },
  result({ response, error }) {
    if (!isRecord(response)) return error === undefined ? undefined : "NOTHING";
    const { status_code: status, body } = response;
    if (typeof status === "number" && status >= 400) return "NOTHING";
    if (!isRecord(body)) return undefined;
    const { usage, model } = body;
    return useOf(model, isRecord(usage) ? openaiTokens(usage) : undefined);
  },
};

const anthropic: Reader = {
  batch({ processing_status: status, request_counts: counts }, path) {
    if (status !== "ended") return UNENDED;
    const isServed = mayBeServed(counts, "succeeded", true);
    const results = isServed ? { path: `${path}/results`, query: "" } : undefined;
    return { isEnded: true, results, use: undefined, isServed };
  },
  result({ result }) {
    if (!isRecord(result)) return undefined;
    const { type, message } = result;
    if (type !== "succeeded") return typeof type === "string" ? "NOTHING" : undefined;
    if (!isRecord(message)) return undefined;
    const { usage, model } = message;
    return useOf(model, isRecord(usage) ? anthropicTokens(usage) : undefined);
  },
};

const GEMINI_ENDS = /_(?:SUCCEEDED|PARTIALLY_SUCCEEDED|FAILED|CANCELLED|EXPIRED)$/;
const GEMINI_FILE = /^files\/[\w-]+$/;

const gemini: Reader = {
  batch({ done, metadata, response }) {
    const about = recordOf(metadata);
    const isEnded = done === true || GEMINI_ENDS.test(textOf(about["state"]));
    if (!isEnded) return UNENDED;
    const made = [response, about["output"]].map(recordOf);
    const file = made.map((each) => textOf(each["responsesFile"])).find((each) => each !== "");
    const results =
      file !== undefined && GEMINI_FILE.test(file)
        ? { path: `/download/v1beta/${file}:download`, query: "alt=media" }
        : undefined;
    const { successfulRequestCount: served } = recordOf(about["batchStats"]);
    return { isEnded, results, use: undefined, isServed: file !== undefined || Number(served) > 0 };
  },
  result({ response, error, status }) {
    if (!isRecord(response)) {
      return error === undefined && status === undefined ? undefined : "NOTHING";
    }
    const { usageMetadata: usage, tokenCount } = response;
    if (isRecord(usage)) return useOf("", geminiTokens(usage));
    // Of embeddings.
    const input = Number(tokenCount);
    return useOf("", input > 0 ? { ...NO_TOKENS, input } : undefined);
  },
};

const READERS: Readonly<Record<Dialect, Reader>> = {
  OPENAI: openai,
  ANTHROPIC: anthropic,
  GEMINI: gemini,
};

function useOf(model: unknown, tokens: TokenUsage | undefined): ToldResult {
  return tokens === undefined ? "UNTOLD" : { model: textOf(model), tokens };
}

/** Whether a batch's counts have any request of this kind; `otherwise` where they say nothing of it. */
function mayBeServed(counts: unknown, name: string, otherwise: boolean): boolean {
  const count = recordOf(counts)[name];
  return typeof count === "number" ? count > 0 : otherwise;
}

function recordOf(value: unknown): Json {
  return isRecord(value) ? value : {};
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

const PLAIN_ID = /^[\w.:~-]{1,200}$/;
const GEMINI_ID = /^batches\/[\w-]{1,200}$/;

/** A batch as the reply names it that was told of its making; undefined where it names none. */
export function madeBatch(
  dialect: Dialect,
  { id, name }: Json,
): { readonly batchId: string; readonly path: string } | undefined {
  const batchId = textOf(dialect === "GEMINI" ? name : id);
  if (!(dialect === "GEMINI" ? GEMINI_ID : PLAIN_ID).test(batchId)) return undefined;
  return { batchId, path: PATHS[dialect] + batchId };
}

/** What stands before a batch's full name where it is asked for. */
const PATHS: Readonly<Record<Dialect, string>> = {
  OPENAI: "/v1/batches/",
  ANTHROPIC: "/v1/messages/batches/",
  GEMINI: "/v1beta/",
};
