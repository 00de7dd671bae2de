import type { Scope } from "../../core/client-key.js";
import type { Dialect } from "../../core/provider.js";
import type { StreamForm } from "../../dialect/codec.js";
import type { Media } from "../estimate/media-estimate.js";
import { NAMED, type NamedMember } from "../../dialect/kept-ids.js";
import { BATCHES, type BatchForm } from "./named-models.js";
import { scopeOf } from "./scopes.js";

export type Method = "GET" | "POST" | "PATCH" | "DELETE";

/** What a provider keeps of a call: whatever its reply names, unless the request says no, or only if it says yes. */
export type Keeps = "NOTHING" | "UNLESS_DENIED" | "IF_ASKED";

/** One thing that callers can ask for, and how to handle it. All of it is data: the rows below are the list. */
export interface Endpoint {
  readonly method: Method;
  readonly dialect: Dialect;
  /** Begins with the API version; `{model}`, `{id}` and `{item}` stand for one segment each. */
  readonly path: string;
  /** `LOCAL` is answered here, `PASS` goes to a provider. */
  readonly kind: "LOCAL" | "PASS";
  /** What a client key must be allowed; undefined for what every key may ask. */
  readonly scope: Scope | undefined;
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
  readonly keeps: Keeps;
  /** What stands before `{id}` in the provider's full name of a thing. */
  readonly idPrefix: string;
  /** Members of the JSON body that name things in a provider's account, and the call belongs where they are. */
  readonly names: readonly NamedMember[];
  /** Where the JSON body has further requests, which may name models; undefined where it is no batch. */
  readonly batch: BatchForm | undefined;
  /** What is done with a batch that was made: it or its results are looked at, or it is removed. */
  readonly ofBatch: "LOOK" | "REMOVAL" | undefined;
  /** The reply says where the results of batches lie. */
  readonly namesResults: boolean;
  /** Its replies hold vectors, in the form that the request asks for. */
  readonly makesVectors: boolean;
  /** Keeps what was said and asks no model, as another vendor's API at the same path does. */
  readonly isConversation: boolean;
  /** Only counts the tokens of a request, which is estimated here where the provider speaks another dialect. */
  readonly counts: boolean;
  /** A request begins an upload that further requests to the address in its reply go on with. */
  readonly uploads: boolean;
  /** The reply is what a file holds: any bytes, which do not say how the call went. */
  readonly download: boolean;
  /** Asked in this form of a provider that speaks another, it is translated. */
  readonly translates: boolean;
  /** Path of the same API on a Gemini provider's OpenAI-compatible side; undefined if it has none. */
  readonly geminiPath: string | undefined;
}

interface Options extends Partial<
  Omit<Endpoint, "method" | "dialect" | "path" | "scope" | "geminiPath">
> {
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
  keeps: "NOTHING",
  idPrefix: "",
  names: NAMED.nothing,
  batch: undefined,
  ofBatch: undefined,
  namesResults: false,
  makesVectors: false,
  isConversation: false,
  counts: false,
  uploads: false,
  download: false,
  translates: false,
} as const satisfies Partial<Endpoint>;

function row(method: Method, dialect: Dialect, path: string, options: Options = {}): Endpoint {
  const { gemini, ...given } = options;
  const geminiPath = gemini === true ? `/v1beta/openai${path.slice("/v1".length)}` : undefined;
  const model = method === "POST" ? "BODY" : DEFAULTS.model;
  const scope = given.kind === "LOCAL" ? undefined : scopeOf(path);
  return { ...DEFAULTS, model, ...given, method, dialect, path, scope, geminiPath };
}

/** OpenAI's: one is made, and they are listed. What is inside a thing is found by that thing. */
function things(path: string, names: readonly NamedMember[] = NAMED.nothing): readonly Endpoint[] {
  const isInside = path.includes("{id}");
  return [
    row("POST", "OPENAI", path, isInside ? NO_MODEL : { ...MADE, names }),
    row("GET", "OPENAI", path, isInside ? {} : KEPT),
  ];
}

/** OpenAI's: one is looked at, changed and removed. */
function thing(path: string, change: Options = {}): readonly Endpoint[] {
  return [
    row("GET", "OPENAI", path),
    row("POST", "OPENAI", path, { ...NO_MODEL, ...change }),
    row("DELETE", "OPENAI", path),
  ];
}

const TRANSLATED: Options = { translates: true, tokens: "IN_OUT" };
const COMPLETIONS: Options = { streams: "BODY", form: "CHAT", asksUsage: true };
const CHAT: Options = { ...TRANSLATED, ...COMPLETIONS, keeps: "IF_ASKED", names: NAMED.chat };
const RESPONSES: Options = {
  ...TRANSLATED,
  streams: "BODY",
  form: "RESPONSES",
  keeps: "UNLESS_DENIED",
  names: NAMED.responses,
};
const MESSAGES: Options = {
  ...TRANSLATED,
  streams: "BODY",
  form: "MESSAGES",
  // Of a thread the request says that it is to be kept.
  keeps: "IF_ASKED",
  names: NAMED.messages,
};
const GENERATE: Options = { ...TRANSLATED, model: "PATH", form: "GENERATE", names: NAMED.generate };
const COUNTS: Options = { counts: true };
const LOCAL: Options = { kind: "LOCAL" };
const NO_MODEL: Options = { model: "NONE" };
const KEPT: Options = { keeps: "UNLESS_DENIED" };
const MADE: Options = { ...NO_MODEL, ...KEPT };
const CONVERSATION: Options = { isConversation: true };
const RESULTS: Options = { namesResults: true };
const DOWNLOAD: Options = { download: true };
const LOOK: Options = { ofBatch: "LOOK" };
const REMOVAL: Options = { ofBatch: "REMOVAL" };
const IMAGES: Options = { makes: "IMAGES", billsUntold: true };
const TRANSCRIPT: Options = { model: "FORM", makes: "TRANSCRIPT", billsUntold: true };

const CHAT_PATH = "/v1/chat/completions";

/**
 * Chat asked under Google's prefix, where callers speak as its OpenAI-compatible side wants it: a Gemini provider gets
 * their own words. All others are translated, for that side refuses much of what OpenAI takes, and what callers of
 * OpenAI's leave out.
 */
export const CHAT_OF_GOOGLE: Endpoint = row("POST", "OPENAI", CHAT_PATH, { ...CHAT, gemini: true });

/** OpenAI's endpoints, which Gemini providers also serve, under another prefix, where marked. */
const OPENAI: readonly Endpoint[] = [
  row("POST", "OPENAI", CHAT_PATH, CHAT),
  row("GET", "OPENAI", CHAT_PATH, KEPT),
  row("GET", "OPENAI", "/v1/chat/completions/{id}"),
  row("POST", "OPENAI", "/v1/chat/completions/{id}", NO_MODEL),
  row("DELETE", "OPENAI", "/v1/chat/completions/{id}"),
  row("GET", "OPENAI", "/v1/chat/completions/{id}/messages"),
  row("POST", "OPENAI", "/v1/completions", { ...COMPLETIONS, tokens: "IN_OUT" }),
  row("POST", "OPENAI", "/v1/responses", RESPONSES),
  row("POST", "OPENAI", "/v1/responses/input_tokens", { ...COUNTS, names: NAMED.responses }),
  row("POST", "OPENAI", "/v1/responses/compact", { tokens: "IN_OUT", names: NAMED.responses }),
  row("GET", "OPENAI", "/v1/responses/{id}", { form: "RESPONSES" }),
  row("DELETE", "OPENAI", "/v1/responses/{id}", REMOVAL),
  row("POST", "OPENAI", "/v1/responses/{id}/cancel", { ...MADE, form: "RESPONSES" }),
  row("GET", "OPENAI", "/v1/responses/{id}/input_items"),
  row("POST", "OPENAI", "/v1/conversations", { ...MADE, ...CONVERSATION }),
  ...thing("/v1/conversations/{id}", CONVERSATION),
  ...things("/v1/conversations/{id}/items"),
  row("GET", "OPENAI", "/v1/conversations/{id}/items/{item}"),
  row("DELETE", "OPENAI", "/v1/conversations/{id}/items/{item}"),
  row("POST", "OPENAI", "/v1/embeddings", { tokens: "IN", makesVectors: true, gemini: true }),
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
    names: NAMED.chat,
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
  ...things("/v1/files"),
  row("GET", "OPENAI", "/v1/files/{id}"),
  row("DELETE", "OPENAI", "/v1/files/{id}"),
  row("GET", "OPENAI", "/v1/files/{id}/content", DOWNLOAD),
  row("POST", "OPENAI", "/v1/uploads", MADE),
  row("POST", "OPENAI", "/v1/uploads/{id}/parts", NO_MODEL),
  row("POST", "OPENAI", "/v1/uploads/{id}/complete", MADE),
  row("POST", "OPENAI", "/v1/uploads/{id}/cancel", NO_MODEL),
  ...things("/v1/vector_stores", NAMED.files),
  ...thing("/v1/vector_stores/{id}"),
  row("POST", "OPENAI", "/v1/vector_stores/{id}/search", NO_MODEL),
  ...things("/v1/vector_stores/{id}/files"),
  ...thing("/v1/vector_stores/{id}/files/{item}"),
  row("GET", "OPENAI", "/v1/vector_stores/{id}/files/{item}/content"),
  row("POST", "OPENAI", "/v1/vector_stores/{id}/file_batches", NO_MODEL),
  row("GET", "OPENAI", "/v1/vector_stores/{id}/file_batches/{item}"),
  row("POST", "OPENAI", "/v1/vector_stores/{id}/file_batches/{item}/cancel", NO_MODEL),
  row("GET", "OPENAI", "/v1/vector_stores/{id}/file_batches/{item}/files"),
  ...things("/v1/containers", NAMED.files),
  row("GET", "OPENAI", "/v1/containers/{id}"),
  row("DELETE", "OPENAI", "/v1/containers/{id}"),
  ...things("/v1/containers/{id}/files"),
  row("GET", "OPENAI", "/v1/containers/{id}/files/{item}"),
  row("DELETE", "OPENAI", "/v1/containers/{id}/files/{item}"),
  row("GET", "OPENAI", "/v1/containers/{id}/files/{item}/content", DOWNLOAD),
  ...things("/v1/skills"),
  ...thing("/v1/skills/{id}"),
  row("GET", "OPENAI", "/v1/skills/{id}/content", DOWNLOAD),
  ...things("/v1/skills/{id}/versions"),
  row("GET", "OPENAI", "/v1/skills/{id}/versions/{item}"),
  row("DELETE", "OPENAI", "/v1/skills/{id}/versions/{item}"),
  row("GET", "OPENAI", "/v1/skills/{id}/versions/{item}/content", DOWNLOAD),
  row("POST", "OPENAI", "/v1/batches", { ...MADE, names: NAMED.batch, batch: BATCHES.openai }),
  row("GET", "OPENAI", "/v1/batches", KEPT),
  row("GET", "OPENAI", "/v1/batches/{id}", { ...KEPT, ...LOOK }),
  row("POST", "OPENAI", "/v1/batches/{id}/cancel", { ...MADE, ...LOOK }),
  row("GET", "OPENAI", "/v1/models", LOCAL),
  row("GET", "OPENAI", "/v1/models/{model}", LOCAL),
];

const ANTHROPIC: readonly Endpoint[] = [
  row("POST", "ANTHROPIC", "/v1/messages", MESSAGES),
  row("POST", "ANTHROPIC", "/v1/messages/count_tokens", { ...COUNTS, names: NAMED.messages }),
  row("POST", "ANTHROPIC", "/v1/messages/batches", {
    ...MADE,
    ...RESULTS,
    names: NAMED.messages,
    batch: BATCHES.anthropic,
  }),
  row("GET", "ANTHROPIC", "/v1/messages/batches", { ...KEPT, ...RESULTS }),
  row("GET", "ANTHROPIC", "/v1/messages/batches/{id}", { ...RESULTS, ...LOOK }),
  row("DELETE", "ANTHROPIC", "/v1/messages/batches/{id}", REMOVAL),
  row("POST", "ANTHROPIC", "/v1/messages/batches/{id}/cancel", { ...MADE, ...RESULTS, ...LOOK }),
  row("GET", "ANTHROPIC", "/v1/messages/batches/{id}/results", { ...DOWNLOAD, ...LOOK }),
  row("POST", "ANTHROPIC", "/v1/files", MADE),
  row("GET", "ANTHROPIC", "/v1/files", KEPT),
  row("GET", "ANTHROPIC", "/v1/files/{id}"),
  row("DELETE", "ANTHROPIC", "/v1/files/{id}"),
  row("GET", "ANTHROPIC", "/v1/files/{id}/content", DOWNLOAD),
  row("POST", "ANTHROPIC", "/v1/skills", MADE),
  row("GET", "ANTHROPIC", "/v1/skills", KEPT),
  row("GET", "ANTHROPIC", "/v1/skills/{id}"),
  row("DELETE", "ANTHROPIC", "/v1/skills/{id}"),
  row("POST", "ANTHROPIC", "/v1/skills/{id}/versions", NO_MODEL),
  row("GET", "ANTHROPIC", "/v1/skills/{id}/versions"),
  row("GET", "ANTHROPIC", "/v1/skills/{id}/versions/{item}"),
  row("DELETE", "ANTHROPIC", "/v1/skills/{id}/versions/{item}"),
  row("GET", "ANTHROPIC", "/v1/skills/{id}/versions/{item}/content", DOWNLOAD),
  row("GET", "ANTHROPIC", "/v1/models", LOCAL),
  row("GET", "ANTHROPIC", "/v1/models/{model}", LOCAL),
];

/** Gemini's, under the versions and the prefix that its SDKs use: from its third major on the one for JavaScript has `v1`. */
const GEMINI_VERSIONS = ["v1beta", "v1"] as const;

const GEMINI: readonly Endpoint[] = [
  ...GEMINI_VERSIONS.map((version) => `/${version}/models`),
  "/v1beta1/publishers/google/models",
].flatMap((models) => [
  row("POST", "GEMINI", `${models}/{model}:generateContent`, GENERATE),
  row("POST", "GEMINI", `${models}/{model}:streamGenerateContent`, {
    ...GENERATE,
    streams: "ALWAYS",
  }),
  row("POST", "GEMINI", `${models}/{model}:countTokens`, {
    ...COUNTS,
    model: "PATH",
    names: NAMED.generate,
  }),
  row("POST", "GEMINI", `${models}/{model}:embedContent`, { model: "PATH", tokens: "IN" }),
  row("POST", "GEMINI", `${models}/{model}:batchEmbedContents`, { model: "PATH", tokens: "IN" }),
  row("POST", "GEMINI", `${models}/{model}:predict`, {
    model: "PATH",
    makes: "PREDICTION",
    billsUntold: true,
  }),
]);

const FILES: Options = { idPrefix: "files/" };
const CACHES: Options = { idPrefix: "cachedContents/" };
const BATCH: Options = { idPrefix: "batches/" };
const GEMINI_BATCH: Options = { ...KEPT, model: "PATH", names: NAMED.generateBatch };

/** What Gemini keeps. Files come in by uploads of their own protocol, and have a second address to be fetched at. */
const GEMINI_THINGS: readonly Endpoint[] = GEMINI_VERSIONS.flatMap((version) => [
  row("POST", "GEMINI", `/upload/${version}/files`, { ...MADE, uploads: true }),
  row("GET", "GEMINI", `/${version}/files`, KEPT),
  row("GET", "GEMINI", `/${version}/files/{id}`, FILES),
  row("DELETE", "GEMINI", `/${version}/files/{id}`, FILES),
  row("GET", "GEMINI", `/${version}/files/{id}:download`, { ...FILES, ...DOWNLOAD }),
  row("GET", "GEMINI", `/download/${version}/files/{id}:download`, { ...FILES, ...DOWNLOAD }),
  row("POST", "GEMINI", `/${version}/cachedContents`, {
    ...KEPT,
    tokens: "IN",
    names: NAMED.caches,
  }),
  row("GET", "GEMINI", `/${version}/cachedContents`, KEPT),
  row("GET", "GEMINI", `/${version}/cachedContents/{id}`, CACHES),
  row("PATCH", "GEMINI", `/${version}/cachedContents/{id}`, CACHES),
  row("DELETE", "GEMINI", `/${version}/cachedContents/{id}`, CACHES),
  row("POST", "GEMINI", `/${version}/models/{model}:batchGenerateContent`, {
    ...GEMINI_BATCH,
    batch: BATCHES.gemini,
  }),
  row("POST", "GEMINI", `/${version}/models/{model}:asyncBatchEmbedContent`, {
    ...GEMINI_BATCH,
    batch: BATCHES.geminiEmbeddings,
  }),
  row("GET", "GEMINI", `/${version}/batches`, KEPT),
  row("GET", "GEMINI", `/${version}/batches/{id}`, { ...BATCH, ...KEPT, ...LOOK }),
  row("DELETE", "GEMINI", `/${version}/batches/{id}`, { ...BATCH, ...REMOVAL }),
  row("POST", "GEMINI", `/${version}/batches/{id}:cancel`, { ...BATCH, ...NO_MODEL }),
]);

const GEMINI_MODELS: readonly Endpoint[] = GEMINI_VERSIONS.flatMap((version) => [
  row("GET", "GEMINI", `/${version}/models`, LOCAL),
  row("GET", "GEMINI", `/${version}/models/{model}`, LOCAL),
]);

/** It tells of a response that an earlier call has made. */
export function showsResponse({ form, model }: Endpoint): boolean {
  return form === "RESPONSES" && model === "NONE";
}

/** All endpoints. */
export const ENDPOINTS: readonly Endpoint[] = [
  ...OPENAI,
  ...ANTHROPIC,
  ...GEMINI,
  ...GEMINI_THINGS,
  ...GEMINI_MODELS,
];
