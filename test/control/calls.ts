import type { CallRecord } from "../../server/core/call.js";

/** The record of a small successful call. */
export function aCall(id: string, part: Partial<CallRecord> = {}): CallRecord {
  return {
    id,
    startedAt: 0,
    clientKeyId: "ck_1",
    clientKeyKind: "STANDARD",
    ownerId: "usr_1",
    providerKeyId: null,
    providerId: "prv_openai",
    modelAsked: "gpt-4o",
    modelServed: "gpt-4o",
    endpoint: "/v1/chat/completions",
    dialect: "OPENAI",
    streamed: false,
    status: "SUCCESS",
    httpStatus: 200,
    errorCode: null,
    errorMessage: null,
    latencyMs: 100,
    ttfbMs: 20,
    requestBytes: 10,
    responseBytes: 20,
    tokens: { input: 5, output: 7, cacheRead: 0, cacheWrite: 0, reasoning: 0 },
    costMicros: 3,
    usageSource: "PROVIDER",
    ip: "127.0.0.1",
    attempts: [],
    ...part,
  };
}
