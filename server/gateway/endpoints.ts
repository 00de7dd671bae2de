import type { Dialect } from "../core/provider.js";
import type { StreamForm } from "../dialect/codec.js";
import type { Media } from "./media-estimate.js";

export type Method = "GET" | "POST" | "DELETE";

/** One thing that callers can ask for, and how to handle it. All of it is data: the rows below are the list. */
export interface Endpoint {
  readonly method: Method;
  readonly dialect: Dialect;
  /** Begins with the API version; `{model}` and `{id}` stand for one segment each. */
  readonly path: string;
  /** `LOCAL` is answered here, `PASS` goes to a provider. */
  readonly kind: "LOCAL" | "PASS";
  /** Where the model is named. `NONE`: any provider of the dialect will do. */
  readonly model: "BODY" | "PATH" | "FORM" | "NONE";
  /** Used where the API lets the model be left out; for images the provider's choice depends on further members. */
  readonly modelDefault: string | undefined;
  /** When the reply is a stream: as the body's `stream` says, or its `stream_format`, always, or never. */
  readonly streams: "BODY" | "FORMAT" | "ALWAYS" | "NEVER";
  readonly form: StreamForm;
  /** The API can say the usage of a stream if `stream_options` ask for it. */
  readonly asksUsage: boolean;
  /** Its replies are billed by tokens, so one without usage is estimated. */
  readonly tokens: "IN_OUT" | "IN" | "NONE";
  /** Its replies are billed by what only some of them tell: a call of which nothing is told has no known cost. */
  readonly billsUntold: boolean;
  /** What it makes, where the size of a request does not tell what that may cost. */
  readonly makes: Media | undefined;
  /** The provider keeps what the reply names by its id, in the account that was used. */
  readonly keeps: boolean;
  /** The JSON body names an uploaded file, and the call belongs where that is. */
  readonly namesFile: boolean;
  /** The JSON body holds requests, each of which names a model. */
  readonly namesModels: boolean;
  /** The reply says where the results of batches lie. */
  readonly namesResults: boolean;
  /** Only counts the tokens of a request, which is estimated here where the provider speaks another dialect. */
  readonly counts: boolean;
  /** The reply is what a file holds: any bytes, which do not say how the call went. */
  readonly download: boolean;
  /** Asked in this form of a provider that speaks another, it is translated. */
  readonly translates: boolean;
  /** Path of the same API on a Gemini provider's OpenAI-compatible side; undefined if it has none. */
  readonly geminiPath: string | undefined;
}

interface Options extends Partial<Omit<Endpoint, "method" | "dialect" | "path" | "geminiPath">> {
  /** Gemini providers serve it too. */
  readonly gemini?: boolean;
}

const DEFAULTS = {
  kind: "PASS",
  model: "NONE",
  modelDefault: undefined,
  streams: "NEVER",
  form: "OTHER",
  asksUsage: false,
  tokens: "NONE",
  billsUntold: false,
  makes: undefined,
  keeps: false,
  namesFile: false,
  namesModels: false,
  namesResults: false,
  counts: false,
  download: false,
  translates: false,
} as const satisfies Partial<Endpoint>;

function row(method: Method, dialect: Dialect, path: string, options: Options = {}): Endpoint {
  const { gemini, ...given } = options;
  const geminiPath = gemini === true ? `/v1beta/openai${path.slice("/v1".length)}` : undefined;
  const model = method === "POST" ? "BODY" : DEFAULTS.model;
  return { ...DEFAULTS, model, ...given, method, dialect, path, geminiPath };
}

const TRANSLATED: Options = { translates: true, tokens: "IN_OUT" };
const CHAT: Options = { ...TRANSLATED, streams: "BODY", form: "CHAT", asksUsage: true };
const RESPONSES: Options = { ...TRANSLATED, streams: "BODY", form: "RESPONSES", keeps: true };
const MESSAGES: Options = { ...TRANSLATED, streams: "BODY", form: "MESSAGES" };
const GENERATE: Options = { ...TRANSLATED, model: "PATH", form: "GENERATE" };
const COUNTS: Options = { counts: true };
const LOCAL: Options = { kind: "LOCAL" };
const UPLOAD: Options = { model: "NONE", keeps: true };
const KEPT: Options = { keeps: true };
const RESULTS: Options = { namesResults: true };
const DOWNLOAD: Options = { download: true };
const IMAGES: Options = { makes: "IMAGES", billsUntold: true };
const TRANSCRIPT: Options = { model: "FORM", makes: "TRANSCRIPT", billsUntold: true };

/** OpenAI's endpoints, which Gemini providers also serve, under another prefix, where marked. */
const OPENAI: readonly Endpoint[] = [
  row("POST", "OPENAI", "/v1/chat/completions", { ...CHAT, gemini: true }),
  row("POST", "OPENAI", "/v1/completions", { ...CHAT, translates: false }),
  row("POST", "OPENAI", "/v1/responses", RESPONSES),
  row("POST", "OPENAI", "/v1/responses/input_tokens", COUNTS),
  row("POST", "OPENAI", "/v1/responses/compact", { tokens: "IN_OUT" }),
  row("GET", "OPENAI", "/v1/responses/{id}", { streams: "NEVER", form: "RESPONSES" }),
  row("DELETE", "OPENAI", "/v1/responses/{id}"),
  row("POST", "OPENAI", "/v1/responses/{id}/cancel", { ...UPLOAD, form: "RESPONSES" }),
  row("GET", "OPENAI", "/v1/responses/{id}/input_items"),
  row("POST", "OPENAI", "/v1/embeddings", { tokens: "IN", gemini: true }),
  row("POST", "OPENAI", "/v1/images/generations", {
    ...IMAGES,
    modelDefault: "dall-e-2",
    streams: "BODY",
    gemini: true,
  }),
  row("POST", "OPENAI", "/v1/images/edits", {
    ...IMAGES,
    model: "FORM",
    modelDefault: "gpt-image-1.5",
    streams: "BODY",
  }),
  row("POST", "OPENAI", "/v1/images/variations", {
    ...IMAGES,
    model: "FORM",
    modelDefault: "dall-e-2",
  }),
  row("POST", "OPENAI", "/v1/audio/speech", {
    streams: "FORMAT",
    makes: "SPEECH",
    billsUntold: true,
  }),
  row("POST", "OPENAI", "/v1/audio/transcriptions", { ...TRANSCRIPT, streams: "BODY" }),
  row("POST", "OPENAI", "/v1/audio/translations", TRANSCRIPT),
  row("POST", "OPENAI", "/v1/moderations", { modelDefault: "omni-moderation-latest" }),
  row("POST", "OPENAI", "/v1/files", UPLOAD),
  row("GET", "OPENAI", "/v1/files", KEPT),
  row("GET", "OPENAI", "/v1/files/{id}"),
  row("DELETE", "OPENAI", "/v1/files/{id}"),
  row("GET", "OPENAI", "/v1/files/{id}/content", DOWNLOAD),
  row("POST", "OPENAI", "/v1/batches", { ...UPLOAD, namesFile: true }),
  row("GET", "OPENAI", "/v1/batches", KEPT),
  row("GET", "OPENAI", "/v1/batches/{id}", KEPT),
  row("POST", "OPENAI", "/v1/batches/{id}/cancel", UPLOAD),
  row("GET", "OPENAI", "/v1/models", LOCAL),
  row("GET", "OPENAI", "/v1/models/{model}", LOCAL),
];

const ANTHROPIC: readonly Endpoint[] = [
  row("POST", "ANTHROPIC", "/v1/messages", MESSAGES),
  row("POST", "ANTHROPIC", "/v1/messages/count_tokens", COUNTS),
  row("POST", "ANTHROPIC", "/v1/messages/batches", { ...UPLOAD, ...RESULTS, namesModels: true }),
  row("GET", "ANTHROPIC", "/v1/messages/batches", { ...KEPT, ...RESULTS }),
  row("GET", "ANTHROPIC", "/v1/messages/batches/{id}", RESULTS),
  row("DELETE", "ANTHROPIC", "/v1/messages/batches/{id}"),
  row("POST", "ANTHROPIC", "/v1/messages/batches/{id}/cancel", { ...UPLOAD, ...RESULTS }),
  row("GET", "ANTHROPIC", "/v1/messages/batches/{id}/results", DOWNLOAD),
  row("POST", "ANTHROPIC", "/v1/files", UPLOAD),
  row("GET", "ANTHROPIC", "/v1/files", KEPT),
  row("GET", "ANTHROPIC", "/v1/files/{id}"),
  row("DELETE", "ANTHROPIC", "/v1/files/{id}"),
  row("GET", "ANTHROPIC", "/v1/files/{id}/content", DOWNLOAD),
  row("GET", "ANTHROPIC", "/v1/models", LOCAL),
  row("GET", "ANTHROPIC", "/v1/models/{model}", LOCAL),
];

/** Gemini's, under the versions and the prefix that its SDKs use. */
const GEMINI: readonly Endpoint[] = [
  "/v1beta/models",
  "/v1/models",
  "/v1beta1/publishers/google/models",
].flatMap((models) => [
  row("POST", "GEMINI", `${models}/{model}:generateContent`, GENERATE),
  row("POST", "GEMINI", `${models}/{model}:streamGenerateContent`, {
    ...GENERATE,
    streams: "ALWAYS",
  }),
  row("POST", "GEMINI", `${models}/{model}:countTokens`, { ...COUNTS, model: "PATH" }),
  row("POST", "GEMINI", `${models}/{model}:embedContent`, { model: "PATH", tokens: "IN" }),
  row("POST", "GEMINI", `${models}/{model}:batchEmbedContents`, { model: "PATH", tokens: "IN" }),
  row("POST", "GEMINI", `${models}/{model}:predict`, { model: "PATH", billsUntold: true }),
]);

const GEMINI_MODELS: readonly Endpoint[] = [
  row("GET", "GEMINI", "/v1beta/models", LOCAL),
  row("GET", "GEMINI", "/v1beta/models/{model}", LOCAL),
];

/** All endpoints. */
export const ENDPOINTS: readonly Endpoint[] = [
  ...OPENAI,
  ...ANTHROPIC,
  ...GEMINI,
  ...GEMINI_MODELS,
];
