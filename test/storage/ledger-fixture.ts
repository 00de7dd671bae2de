import type { CallRecord } from "../../server/core/call.js";
import { START_MS } from "./fixture.js";

/** A call with plausible numbers; `n` makes its id. */
export function call(n: number, part: Partial<CallRecord> = {}): CallRecord {
  return {
    id: `call_${String(n).padStart(6, "0")}`,
    startedAt: START_MS + n,
    clientKeyId: "ck_1",
    clientKeyKind: "STANDARD",
    ownerId: "usr_1",
    providerKeyId: "pk_1",
    providerId: "prv_1",
    modelAsked: "gpt-4o",
    modelServed: "gpt-4o-2024",
    endpoint: "/v1/chat/completions",
    dialect: "OPENAI",
    streamed: false,
    status: "SUCCESS",
    httpStatus: 200,
    errorCode: null,
    errorMessage: null,
    latencyMs: 512,
    ttfbMs: 120,
    requestBytes: 800,
    responseBytes: 2400,
    tokens: { input: 30, output: 20, cacheRead: 10, cacheWrite: 0, reasoning: 5 },
    costMicros: 1234,
    usageSource: "PROVIDER",
    ip: "10.1.2.3",
    attempts: [
      {
        providerKeyId: "pk_1",
        providerId: "prv_1",
        startedMs: 1,
        durationMs: 510,
        httpStatus: 200,
        outcome: "OK",
        detail: "",
      },
    ],
    ...part,
  };
}

export function failed(n: number, part: Partial<CallRecord> = {}): CallRecord {
  return call(n, {
    status: "ERROR",
    httpStatus: 503,
    errorCode: "no_own_token",
    errorMessage: "该用户暂无可用的 Token",
    providerKeyId: null,
    providerId: null,
    modelServed: null,
    ttfbMs: null,
    costMicros: null,
    tokens: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, reasoning: 0 },
    usageSource: "NONE",
    attempts: [],
    ...part,
  });
}
