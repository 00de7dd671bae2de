import { bounded } from "../core/bytes.js";
import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";
import type { Clock } from "../core/clock.js";
import { Fault } from "../core/fault.js";
import { modelOfResource } from "../core/model-resource.js";
import type { Provider, ToldModel } from "../core/provider.js";
import type { Secret } from "../core/secret.js";
import {
  type EndpointPath,
  hasNoModelList,
  MODEL_LIST_BYTES_MAX,
  modelsRequest,
  PROBE_TIMEOUT_MS,
} from "./probe-request.js";
import { redact } from "./redact.js";
import { fetchWhole, type WholeReply } from "./reply.js";
import type { Upstream } from "./upstream.js";

/** The models that a provider told, or why it told none; `problem` holds neither an address nor a secret. */
export type ModelListAnswer =
  { readonly models: readonly ToldModel[] } | { readonly problem: string };

const MODELS_MAX = 2_000;
const PROBLEM_CHARS_MAX = 200;
/** As models can be named in a path too. */
const MODEL_ID = /^[A-Za-z0-9._~:@+/-]{1,256}$/;
/** A segment of dots alone, or of nothing, would be another path. */
const NO_NAME = /(?:^|\/)\.*(?:\/|$)/;
const DISPLAY_NAME_CHARS_MAX = 200;

/** Asks a provider for its models, with one of its keys; never fails. */
export async function askModels(
  tools: { upstream: Upstream; clock: Clock; endpointPath: EndpointPath },
  subject: { provider: Provider; secret: Secret },
): Promise<ModelListAnswer> {
  const { upstream, clock, endpointPath } = tools;
  const { provider, secret } = subject;
  try {
    const target = upstream.target(provider.baseUrl);
    const timeoutMs = PROBE_TIMEOUT_MS;
    const request = modelsRequest({ provider, secret, endpointPath, timeoutMs });
    const reply = await fetchWhole(upstream, target, request, {
      bytesMax: MODEL_LIST_BYTES_MAX,
      // From the begin to the last byte, however slowly it comes.
      deadline: { clock, timeoutMs },
    });
    if (!("httpStatus" in reply)) return problem(reply.detail);
    if (hasNoModelList(reply.httpStatus)) return { models: [] };
    if (reply.httpStatus !== 200) return problem(`HTTP ${String(reply.httpStatus)}`);
    const models = toldModels(redact(textOf(reply), secret));
    return models === undefined ? problem("the answer is not a model list") : { models };
  } catch (thrown) {
    if (thrown instanceof Fault) return problem(thrown.publicMessage);
    throw thrown;
  }
}

/** Some pack what was to come as it is. What cannot be unpacked is no list. */
function textOf({ headers, body }: WholeReply): string {
  const unpack = UNPACK[headers.get("content-encoding")?.toLowerCase() ?? ""];
  try {
    return (unpack?.(body, { maxOutputLength: MODEL_LIST_BYTES_MAX }) ?? body).toString("utf8");
  } catch {
    return "";
  }
}

const UNPACK: Readonly<Record<string, typeof gunzipSync | undefined>> = {
  gzip: gunzipSync,
  "x-gzip": gunzipSync,
  deflate: inflateSync,
  br: brotliDecompressSync,
};

function problem(text: string): ModelListAnswer {
  return { problem: bounded(text, PROBLEM_CHARS_MAX) };
}

/**
 * The models of a list in the form of OpenAI, Anthropic or Gemini, which most other providers use too. Entries without
 * a usable id are left out. Undefined if the text is no such list.
 */
export function toldModels(text: string): readonly ToldModel[] | undefined {
  const entries = modelEntries(text);
  if (entries === undefined) return undefined;
  const models = new Map<string, ToldModel>();
  for (const entry of entries) {
    if (models.size >= MODELS_MAX) break;
    const model = toldModel(entry);
    if (model !== undefined && !models.has(model.modelId)) models.set(model.modelId, model);
  }
  return [...models.values()];
}

/** The entries of a model list, whatever they are; undefined if the text is no such list. */
export function modelEntries(text: string): readonly unknown[] | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    if (Array.isArray(parsed)) return parsed;
    if (typeof parsed !== "object" || parsed === null) return undefined;
    const list = "data" in parsed ? parsed.data : "models" in parsed ? parsed.models : undefined;
    return Array.isArray(list) ? list : undefined;
  } catch {
    return undefined;
  }
}

function toldModel(entry: unknown): ToldModel | undefined {
  if (typeof entry !== "object" || entry === null) return undefined;
  const said = new Map<string, unknown>(Object.entries(entry));
  const name = said.get("id") ?? said.get("name");
  if (typeof name !== "string") return undefined;
  const modelId = modelOfResource(name);
  if (!MODEL_ID.test(modelId) || NO_NAME.test(modelId)) return undefined;
  return {
    modelId,
    displayName: lineOf(said.get("display_name") ?? said.get("displayName")) ?? modelId,
    createdAt: momentOf(said.get("created_at") ?? said.get("created")),
    contextWindow: tokensOf(said, CONTEXT_MEMBERS),
    maxOutput: tokensOf(said, OUTPUT_MEMBERS),
  };
}

/** How vendors call the tokens that a model takes, and those that it gives. */
const CONTEXT_MEMBERS = [
  "inputTokenLimit",
  "max_input_tokens",
  "context_length",
  "context_window",
  "max_model_len",
];
const OUTPUT_MEMBERS = ["outputTokenLimit", "max_tokens", "max_output_tokens"];

function lineOf(value: unknown): string | undefined {
  if (typeof value !== "string" || value === "" || /\p{Cc}/u.test(value)) return undefined;
  return bounded(value, DISPLAY_NAME_CHARS_MAX);
}

/** Seconds, as OpenAI counts, or a date. */
function momentOf(value: unknown): number | null {
  const ms = typeof value === "number" ? value * 1000 : dateOf(value);
  return Number.isSafeInteger(ms) && ms > 0 && ms <= DATE_MS_MAX ? ms : null;
}

function dateOf(value: unknown): number {
  return typeof value === "string" ? Date.parse(value) : Number.NaN;
}

/** Later ones cannot be written as a date. */
const DATE_MS_MAX = 8.64e15;

function tokensOf(said: ReadonlyMap<string, unknown>, members: readonly string[]): number | null {
  for (const member of members) {
    const value = said.get(member);
    if (typeof value === "number" && Number.isSafeInteger(value) && value > 0) return value;
  }
  return null;
}
