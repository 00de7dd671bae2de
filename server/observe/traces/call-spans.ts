import type { Attempt, CallRecord, ReplyFacts } from "../../core/call.js";
import type { Random } from "../../core/random.js";
import { Attributes, SPAN_KIND, STATUS_ERROR, unixNano, type OtlpSpan } from "./otlp.js";
import type { TraceParent } from "./trace-parent.js";

/** What a call's record does not say of its request. */
export interface CallOrigin {
  readonly method: string;
  /** The endpoint with place holders, e.g. `/v1/files/{id}`. */
  readonly route: string;
  /** Undefined when the trace begins here. */
  readonly parent: TraceParent | undefined;
}

/** What spans say of a provider. */
export interface TracedProvider {
  readonly slug: string;
  /** Host and port of its base URL. */
  readonly host: string;
  readonly port: number;
}

export interface SpanContext {
  /** What the proxy port speaks. */
  readonly scheme: "http" | "https";
  readonly random: Random;
  /** Undefined for a provider that is gone. */
  readonly providerOf: (id: string) => TracedProvider | undefined;
}

const SAMPLED = 1;

/** A finished call and where it came from. */
export interface TracedCall {
  readonly call: CallRecord;
  readonly origin: CallOrigin;
  /** What is known of the reply that was served; undefined if none was. */
  readonly facts: ReplyFacts | undefined;
}

/**
 * The spans of one finished call: a server span and a client span for each upstream attempt. They hold ids,
 * names, numbers and codes only. What a caller or a provider wrote, which may be part of a prompt or of a
 * reply, is in none of them: no body, no header, no query, no words of an error.
 */
export function spansOf(traced: TracedCall, context: SpanContext): OtlpSpan[] {
  const { call, origin } = traced;
  const traceId = origin.parent?.traceId ?? newId(context.random, 16);
  const server = serverSpan(traced, traceId, context);
  const attempts = call.attempts.map((attempt): OtlpSpan => ({
    traceId,
    spanId: newId(context.random, 8),
    parentSpanId: server.spanId,
    flags: SAMPLED,
    kind: SPAN_KIND.CLIENT,
    ...attemptSpan(traced, attempt, context),
  }));
  return [server, ...attempts];
}

function serverSpan(
  { call, origin }: TracedCall,
  traceId: string,
  { scheme, random }: SpanContext,
): OtlpSpan {
  const { method, route, parent } = origin;
  const failed = call.status === "ERROR";
  const attributes = new Attributes()
    .text("http.request.method", method)
    .text("http.route", route)
    .text("url.scheme", scheme)
    .text("url.path", call.endpoint)
    .integer("http.response.status_code", call.httpStatus)
    .integer("http.request.body.size", call.requestBytes)
    .integer("http.response.body.size", call.responseBytes)
    .text("error.type", failed ? (call.errorCode ?? "internal") : null)
    .text("gen_ai.operation.name", operationOf(route))
    .text("gen_ai.request.model", call.modelAsked)
    .flag("gen_ai.request.stream", call.streamed)
    .text("latchkey.call.id", call.id)
    .text("latchkey.client_key.id", call.clientKeyId)
    .text("latchkey.client_key.kind", call.clientKeyKind.toLowerCase())
    .text("latchkey.owner.id", call.ownerId)
    .integer("latchkey.attempts", call.attempts.length)
    .integer("latchkey.cost.micros", call.costMicros)
    .text("latchkey.usage.source", call.usageSource.toLowerCase());
  return {
    traceId,
    spanId: newId(random, 8),
    ...(parent === undefined ? {} : { parentSpanId: parent.spanId }),
    flags: SAMPLED,
    name: `${method} ${route}`,
    kind: SPAN_KIND.SERVER,
    startTimeUnixNano: unixNano(call.startedAt, 0),
    endTimeUnixNano: unixNano(call.startedAt, call.latencyMs),
    attributes: attributes.list,
    // What the caller did wrong, or that it left, is no failure of this server.
    status:
      failed && (call.httpStatus >= 500 || call.httpStatus < 400) ? { code: STATUS_ERROR } : {},
  };
}

type AttemptSpan = Omit<OtlpSpan, "traceId" | "spanId" | "flags" | "kind">;

function attemptSpan(
  { call, origin, facts }: TracedCall,
  attempt: Attempt,
  { providerOf }: SpanContext,
): AttemptSpan {
  const { method, route } = origin;
  const isLast = attempt === call.attempts.at(-1);
  const provider = providerOf(attempt.providerId);
  const operation = operationOf(route);
  const model = (isLast ? call.modelServed : null) ?? call.modelAsked;
  const left = attempt.outcome === "CALLER_ABORTED";
  const ok = attempt.outcome === "OK";
  const attributes = new Attributes()
    .text("gen_ai.operation.name", operation)
    .text("gen_ai.provider.name", genAiProvider(provider?.slug))
    .text("gen_ai.request.model", model)
    .flag("gen_ai.request.stream", call.streamed)
    .text("http.request.method", method)
    .integer("http.response.status_code", attempt.httpStatus)
    .text("server.address", provider?.host)
    .integer("server.port", provider?.port)
    .text("error.type", ok ? null : attempt.outcome.toLowerCase())
    .text("latchkey.provider", provider?.slug)
    .text("latchkey.provider_key.id", attempt.providerKeyId);
  if (isLast) addReply(attributes, call, attempt, facts);
  return {
    name: operation === undefined ? `${method} ${route}` : `${operation} ${model}`.trim(),
    startTimeUnixNano: unixNano(call.startedAt, attempt.startedMs),
    endTimeUnixNano: unixNano(call.startedAt, attempt.startedMs + attempt.durationMs),
    attributes: attributes.list,
    status: ok || left ? {} : { code: STATUS_ERROR },
  };
}

/** On the attempt that the tokens are of, and there alone, so that sums over spans count them once. */
function addReply(
  attributes: Attributes,
  call: CallRecord,
  attempt: Attempt,
  facts: ReplyFacts | undefined,
): void {
  const { tokens, usageSource } = call;
  if (attempt.outcome === "OK") {
    attributes
      .text("gen_ai.response.id", facts?.id)
      .text("gen_ai.response.model", facts?.model || call.modelServed)
      .texts("gen_ai.response.finish_reasons", facts?.finishReasons ?? []);
  }
  if (call.streamed && call.ttfbMs !== null) {
    const seconds = Math.max(0, call.ttfbMs - attempt.startedMs) / 1000;
    attributes.double("gen_ai.response.time_to_first_chunk", seconds);
  }
  if (usageSource === "NONE") return;
  attributes
    .integer("gen_ai.usage.input_tokens", tokens.input)
    .integer("gen_ai.usage.output_tokens", tokens.output)
    .integer("gen_ai.usage.cache_read.input_tokens", tokens.cacheRead || null)
    .integer("gen_ai.usage.cache_creation.input_tokens", tokens.cacheWrite || null)
    .integer("gen_ai.usage.reasoning.output_tokens", tokens.reasoning || null);
}

/** The conventions' own words where they have one for what the endpoint does. */
const OPERATIONS: readonly (readonly [RegExp, string])[] = [
  [/\/(?:chat\/completions|responses|responses\/compact|messages)$/, "chat"],
  [/\/completions$/, "text_completion"],
  [/:(?:streamG|g)enerateContent$/, "generate_content"],
  [/(?:\/embeddings|:embedContent|:batchEmbedContents)$/, "embeddings"],
  [/\/images\/\w+$/, "image_generation"],
  [/\/audio\/speech$/, "speech"],
  [/\/audio\/transcriptions$/, "transcription"],
  [/\/audio\/translations$/, "translation"],
  [/\/moderations$/, "moderation"],
];

function operationOf(route: string): string | undefined {
  return OPERATIONS.find(([pattern]) => pattern.test(route))?.[1];
}

/** Slugs that the conventions spell in another way. */
const PROVIDER_NAMES: Readonly<Record<string, string>> = {
  google: "gcp.gemini",
  mistral: "mistral_ai",
  xai: "x_ai",
  azure: "azure.ai.openai",
};

function genAiProvider(slug: string | undefined): string | undefined {
  return slug === undefined ? undefined : (PROVIDER_NAMES[slug] ?? slug);
}

function newId(random: Random, bytes: number): string {
  return Buffer.from(random.bytes(bytes)).toString("hex");
}
