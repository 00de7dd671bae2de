import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Call_EndReason, Call_Status } from "../../proto/gen/latchkey/v1/calls_pb.js";
import { AuditEvent_Outcome } from "../../proto/gen/latchkey/v1/audit_pb.js";
import { StreamInfo_Kind } from "../../proto/gen/latchkey/v1/common_pb.js";
import {
  ClientKey_Format,
  ClientKey_Kind,
  ClientKey_State,
} from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import {
  ProviderKey_Health,
  ProviderKey_Tier,
  ProviderKey_Visibility,
} from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { Permission_Scope } from "../../proto/gen/latchkey/v1/sessions_pb.js";
import { OverviewProvider_State } from "../../proto/gen/latchkey/v1/usage_pb.js";
import { User_Role, User_State } from "../../proto/gen/latchkey/v1/users_pb.js";
import { VaultStatus_State } from "../../proto/gen/latchkey/v1/system_pb.js";
import { allowedActions } from "../../server/keys/policy.js";
import type { Actor } from "../../server/core/audit.js";

/** Names that people, terminals and tables have trouble with. */
export const HARD_NAMES = [
  "ci-bot",
  "数据团队",
  "e\u0301quipe 👩‍💻",
  "\u001b[31mred\u202e",
  "x".repeat(120),
];

const hard = (i: number): string => `${HARD_NAMES[i % HARD_NAMES.length] ?? ""}-${i}`;

/** What WhoAmI says of a role, from the server's own table. */
export function whoAmI(
  role: "ADMIN" | "OPERATOR" | "USER" = "ADMIN",
  without: readonly string[] = [],
) {
  const actor: Actor = { userId: "usr_alice", name: "alice", role, via: "SESSION", ip: "" };
  const roles = { ADMIN: User_Role.ADMIN, OPERATOR: User_Role.OPERATOR, USER: User_Role.USER };
  return {
    user: { id: "usr_alice", username: "alice", role: roles[role], state: User_State.ACTIVE },
    permissions: allowedActions(actor)
      .filter(({ action }) => !without.includes(action))
      .map(({ action }) => ({ action, scope: Permission_Scope.ANY })),
  };
}

export function providerKey(i: number, nowMs: number) {
  return {
    id: `pk_${i}`,
    ownerId: "usr_alice",
    ownerUsername: "alice",
    providerId: "prv_openai",
    providerSlug: "openai",
    name: hard(i),
    tier: ProviderKey_Tier.PRIMARY,
    weight: 100,
    visibility: ProviderKey_Visibility.PRIVATE,
    enabled: i % 3 !== 2,
    preview: "sk-abc...xyz",
    health: i % 2 === 0 ? ProviderKey_Health.HEALTHY : ProviderKey_Health.COOLDOWN,
    useCount: 12n,
    successRatio: 0.993,
    latencyP95Ms: 780,
    createTime: timestampFromMs(nowMs - 86_400_000),
    version: 3n,
  };
}

export function clientKey(i: number, nowMs: number) {
  return {
    id: `ck_${i}`,
    ownerId: "usr_alice",
    ownerUsername: "alice",
    kind: ClientKey_Kind.STANDARD,
    format: ClientKey_Format.SK,
    state: i % 4 === 3 ? ClientKey_State.REVOKED : ClientKey_State.ACTIVE,
    prefix: "sk-lk_abcd",
    name: hard(i),
    enabled: true,
    callCount: 1204n,
    expireTime: timestampFromMs(nowMs + 30 * 86_400_000),
    version: 2n,
  };
}

export function user(i: number, nowMs: number) {
  return {
    id: `usr_${i}`,
    username: hard(i),
    role: User_Role.USER,
    state: i % 3 === 1 ? User_State.BANNED : User_State.ACTIVE,
    clientKeyCount: 3,
    createTime: timestampFromMs(nowMs - 86_400_000),
    version: 1n,
  };
}

export function call(i: number, nowMs: number) {
  return {
    id: `call_${String(i).padStart(8, "0")}`,
    startTime: timestampFromMs(nowMs - i * 10),
    endTime: timestampFromMs(nowMs - i * 10 + 5),
    clientKeyId: `ck_${i}`,
    clientKeyName: hard(i),
    ownerUsername: "alice",
    providerKeyName: "main-1",
    providerSlug: "openai",
    modelAsked: "gpt-4o-mini",
    modelServed: "gpt-4o-mini",
    endpoint: "/v1/chat/completions",
    status: i % 5 === 0 ? Call_Status.ERROR : Call_Status.SUCCESS,
    endReason: Call_EndReason.COMPLETED,
    httpStatus: i % 5 === 0 ? 429 : 200,
    errorCode: i % 5 === 0 ? "rate_limit_exceeded" : "",
    latencyMs: 2031n,
    timeToFirstByteMs: 412n,
    tokens: { input: 812n, output: 240n, cacheRead: 512n },
    costMicros: 340n,
    attemptCount: 1,
  };
}

export function auditEvent(i: number, nowMs: number) {
  return {
    seq: BigInt(100_000 - i),
    time: timestampFromMs(nowMs - i * 1000),
    actorUsername: hard(i),
    action: "client_key.create",
    targetKind: "client_key",
    targetName: hard(i + 1),
    outcome: AuditEvent_Outcome.OK,
    chainHash: new Uint8Array(32),
  };
}

export function model(i: number) {
  return {
    providerId: "prv_openai",
    providerSlug: "openai",
    modelId: `gpt-${i}`,
    displayName: hard(i),
    contextWindowTokens: 128_000n,
    enabled: true,
    ...(i % 2 === 0
      ? { currentPrice: { inputMicrosPerMillion: 150_000n, outputMicrosPerMillion: 600_000n } }
      : {}),
  };
}

/** A snapshot with everything in it. */
export function overview(nowMs: number, vaultLocked = false) {
  const second = (i: number) => ({
    unixSeconds: BigInt(Math.floor(nowMs / 1000) - 120 + i),
    gap: i < 20,
    calls: i % 9,
    errors: i % 3,
    inputTokens: BigInt(i * 7),
    outputTokens: BigInt(i * 3),
    ...(i % 4 === 0 ? {} : { latencyP50Ms: 180 + i, latencyP95Ms: 800 + i * 3 }),
  });
  return {
    stream: { kind: StreamInfo_Kind.DATA, seq: 1n },
    overview: {
      intervalMs: 500,
      windowSeconds: 60,
      vaultLocked,
      gauges: {
        calls: 2526n,
        requestsPerSecond: 42.1,
        requestsPerSecondPeak: 88,
        inputTokensPerMinute: 840_000,
        outputTokensPerMinute: 370_000,
        successRatio: 0.992,
        rateLimitedRatio: 0.005,
        serverErrorRatio: 0.002,
        clientErrorRatio: 0.001,
        abortedRatio: 0,
        latencyP50Ms: 2100,
        latencyP95Ms: 9800,
        timeToFirstByteP50Ms: 182,
        timeToFirstByteP95Ms: 841,
        inFlight: 12,
      },
      limits: { successRatioGood: 0.99, successRatioBad: 0.95, latencyP95BadMs: 10_000 },
      history: Array.from({ length: 120 }, (_, i) => second(i)),
      pool: {
        tiers: [
          { tier: ProviderKey_Tier.PRIMARY, counts: { total: 16, eligible: 14, cooldown: 1 } },
          { tier: ProviderKey_Tier.BACKUP, counts: { total: 8, eligible: 8 } },
          { tier: ProviderKey_Tier.OVERFLOW, counts: { total: 4, eligible: 2, exhausted: 2 } },
        ],
        publicPool: { total: 100, eligible: 72 },
      },
      providers: [
        {
          providerId: "prv_openai",
          providerSlug: "openai",
          displayName: "智谱 zhipu",
          state: OverviewProvider_State.DEGRADED,
          eligibleKeys: 6,
          totalKeys: 8,
          requestsPerSecond: 21.4,
          successRatio: 0.991,
        },
      ],
      topClientKeys: {
        rows: [{ id: "ck_1", label: "数据团队", requestsPerSecond: 6, share: 0.6 }],
      },
      errors: [
        {
          seq: 1n,
          time: timestampFromMs(nowMs),
          httpStatus: 429,
          providerSlug: "openai",
          errorCode: "rate_limit_exceeded",
          action: "next key",
          clientKeyName: HARD_NAMES[3] ?? "",
          recovered: true,
        },
      ],
      lastErrorSeq: 1n,
      spend: {
        todayMicros: 41_200_000n,
        monthMicros: 632_000_000n,
        todayBudgetMicros: 100_000_000n,
      },
    },
  };
}

export function status(nowMs: number, state = VaultStatus_State.UNLOCKED) {
  return {
    version: "0.1.0",
    nodeId: "gw-1",
    startTime: timestampFromMs(nowMs - 60_000),
    uptimeSeconds: 60n,
    vault: {
      state,
      rootKeyVersion: 1,
      vaultKeys: [{ version: 1, current: true, sealedCount: 27n }],
    },
    database: { engine: "sqlite", schemaVersion: 2, sizeBytes: 1_000_000n, writable: true },
    journal: { lagCalls: 0n },
    warnings: [{ code: "journal_lag", message: "the journal is behind" }],
  };
}
