import assert from "node:assert/strict";
import test from "node:test";
import { failedCall, sampleCall } from "../../../test/metering/sample-calls.js";
import { attributesOf, readExportBody } from "../../../test/support/otlp-collector.js";
import type { Attempt, CallRecord, ReplyFacts } from "../../core/call.js";
import { systemRandom } from "../../core/random.js";
import { ENDPOINTS } from "../../gateway/route/endpoints.js";
import { spansOf, type CallOrigin } from "./call-spans.js";
import { exportBody, type OtlpSpan } from "./otlp.js";

const ORIGIN: CallOrigin = { method: "POST", route: "/v1/chat/completions", parent: undefined };
const PARENT = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" };
const PROVIDERS: Readonly<Record<string, { slug: string; host: string; port: number }>> = {
  prv_00000000000000000000000001: { slug: "google", host: "upstream.test", port: 8443 },
};

/** Through the checks of the format, as a collector would read them. */
function spans(
  call: CallRecord,
  origin: Partial<CallOrigin> = {},
  facts?: ReplyFacts,
): readonly OtlpSpan[] {
  const context = {
    scheme: "https" as const,
    random: systemRandom,
    providerOf: (id: string) => PROVIDERS[id],
  };
  const made = spansOf({ call, origin: { ...ORIGIN, ...origin }, facts }, context);
  const body = exportBody([], { name: "latchkey", version: "1" }, made);
  return readExportBody(Buffer.from(body).toString("utf8")).spans;
}

function attempt(part: Partial<Attempt>): Attempt {
  return { ...sampleCall(1).attempts[0]!, ...part };
}

test("a call is a server span, its attempt a client span below it, at the times of the record", () => {
  const call = sampleCall(1);
  const [server, client, ...more] = spans(call);
  assert.equal(more.length, 0);
  assert.deepEqual([server?.name, client?.name], ["POST /v1/chat/completions", "chat gpt-4o-mini"]);
  assert.deepEqual([server?.kind, client?.kind], [2, 3]);
  assert.equal(client?.parentSpanId, server?.spanId);
  assert.equal(client?.traceId, server?.traceId);
  assert.equal(server?.parentSpanId, undefined);
  const start = BigInt(call.startedAt) * 1_000_000n;
  assert.equal(BigInt(server!.startTimeUnixNano), start);
  assert.equal(BigInt(server!.endTimeUnixNano), start + 812_500_000n);
  assert.equal(BigInt(client!.startTimeUnixNano), start + 400_000n);
  assert.equal(BigInt(client!.endTimeUnixNano), start + 810_400_000n);
  assert.deepEqual([server?.status, client?.status], [{}, {}]);
  assert.equal(attributesOf(server!)["url.scheme"], "https");
});

test("tokens are told once, on the attempt that used them, in the words of the conventions", () => {
  const [server, client] = spans(
    sampleCall(1, {
      ttfbMs: 180.4,
      tokens: { input: 812, output: 240, cacheRead: 512, cacheWrite: 7, reasoning: 40 },
    }),
  );
  const told = attributesOf(client!);
  assert.deepEqual(told, {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "gcp.gemini",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.request.stream": true,
    "gen_ai.response.model": "gpt-4o-mini",
    "gen_ai.response.time_to_first_chunk": 0.18,
    "gen_ai.usage.input_tokens": 812,
    "gen_ai.usage.output_tokens": 240,
    "gen_ai.usage.cache_read.input_tokens": 512,
    "gen_ai.usage.cache_creation.input_tokens": 7,
    "gen_ai.usage.reasoning.output_tokens": 40,
    "http.request.method": "POST",
    "http.response.status_code": 200,
    "server.address": "upstream.test",
    "server.port": 8443,
    "latchkey.provider": "google",
    "latchkey.provider_key.id": "pk_00000000000000000000000001",
  });
  const keys = Object.keys(attributesOf(server!));
  assert.ok(!keys.some((key) => key.startsWith("gen_ai.usage")), "else sums count them twice");
  assert.equal(attributesOf(server!)["latchkey.cost.micros"], 340);
});

test("what nobody counted and what has no price is left out, not told as zero", () => {
  const [server, client] = spans(sampleCall(1, { usageSource: "NONE", costMicros: null }));
  assert.ok(!("latchkey.cost.micros" in attributesOf(server!)));
  assert.ok(!("gen_ai.usage.input_tokens" in attributesOf(client!)));
});

test("what the reply tells of itself stands on the attempt that served", () => {
  const facts = {
    id: "chatcmpl-1",
    model: "gpt-4o-mini-2024-07-18",
    finishReasons: ["stop", "length"],
  };
  const refused = attempt({ outcome: "RATE_LIMITED" });
  const call = sampleCall(1, { attempts: [refused, attempt({})] });
  const [server, first, second] = spans(call, {}, facts).map(attributesOf);
  assert.equal(second?.["gen_ai.response.id"], "chatcmpl-1");
  assert.equal(second?.["gen_ai.response.model"], "gpt-4o-mini-2024-07-18");
  assert.deepEqual(second?.["gen_ai.response.finish_reasons"], ["stop", "length"]);
  for (const other of [server, first]) assert.ok(!("gen_ai.response.finish_reasons" in other!));
  const [, cut] = spans(sampleCall(1, { attempts: [attempt({ outcome: "CUT" })] }), {}, facts);
  assert.ok(!("gen_ai.response.finish_reasons" in attributesOf(cut!)), "nothing was served");
});

test("each attempt says how it ended; the usage is that of the last", () => {
  const refused = attempt({ outcome: "RATE_LIMITED", httpStatus: 429, durationMs: 5 });
  const [server, first, second] = spans(
    sampleCall(1, { attempts: [refused, attempt({ providerId: "prv_gone", startedMs: 6 })] }),
  );
  assert.deepEqual(
    [server?.status.code, first?.status.code, second?.status.code],
    [undefined, 2, undefined],
  );
  assert.equal(attributesOf(first!)["error.type"], "rate_limited");
  assert.equal(attributesOf(first!)["http.response.status_code"], 429);
  assert.ok(!("gen_ai.usage.input_tokens" in attributesOf(first!)));
  assert.equal(attributesOf(second!)["gen_ai.usage.input_tokens"], 812);
  assert.ok(!("server.address" in attributesOf(second!)), "the provider is gone");
});

test("a failure of the server or the provider is an error; the caller's own is none", () => {
  const statusOf = (part: Partial<CallRecord>): number | undefined =>
    spans(failedCall(1, { attempts: [], ...part }))[0]?.status.code;
  assert.equal(statusOf({}), 2);
  assert.equal(statusOf({ httpStatus: 200, errorCode: "stream_cut" }), 2);
  assert.equal(statusOf({ httpStatus: 429, errorCode: "rate_limit_exceeded" }), undefined);
  assert.equal(statusOf({ httpStatus: 499, errorCode: "caller_aborted" }), undefined);
  const [server] = spans(failedCall(1));
  assert.equal(attributesOf(server!)["error.type"], "upstream_unreachable");
  const aborted = spans(failedCall(1, { attempts: [attempt({ outcome: "CALLER_ABORTED" })] }))[1];
  assert.deepEqual(aborted?.status, {});
});

test("a caller's span is the parent of ours", () => {
  const [server, client] = spans(sampleCall(1), { parent: { ...PARENT, sampled: true } });
  assert.equal(server?.traceId, PARENT.traceId);
  assert.equal(client?.traceId, PARENT.traceId);
  assert.equal(server?.parentSpanId, PARENT.spanId);
  assert.notEqual(client?.parentSpanId, PARENT.spanId);
});

test("no address and no word of an error leaves in a span", () => {
  const words = "the prompt said: open sesame";
  const call = failedCall(1, {
    errorMessage: words,
    attempts: [attempt({ outcome: "REQUEST_REFUSED", detail: words })],
  });
  const text = JSON.stringify(spans(call));
  assert.ok(!text.includes("sesame"));
  assert.ok(!text.includes(call.ip));
});

test("every endpoint that asks a model has an operation", () => {
  for (const { method, path, model, kind, batch } of ENDPOINTS) {
    // What begins a batch asks a model of nothing yet.
    if (batch !== undefined) continue;
    const isNone = /input_tokens|count_tokens|countTokens|:predict|\/cachedContents$/.test(path);
    if (kind === "LOCAL" || model === "NONE" || isNone) continue;
    const [server] = spans(sampleCall(1), { method, route: path });
    assert.ok("gen_ai.operation.name" in attributesOf(server!), path);
  }
});
