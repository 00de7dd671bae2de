import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  Attempt_Outcome,
  Call_EndReason,
  Call_Status,
  Call_UsageSource,
  type AttemptSchema,
  type CallSchema,
  type CallTimingsSchema,
} from "../../../proto/gen/latchkey/v1/calls_pb.js";
import { Dialect as DialectMessage } from "../../../proto/gen/latchkey/v1/common_pb.js";
import type { Attempt, AttemptOutcome, CallRecord, UsageSource } from "../../core/call.js";
import type { Dialect } from "../../core/provider.js";
import type { NameLookup } from "../names.js";

export const DIALECTS: Record<Dialect, DialectMessage> = {
  OPENAI: DialectMessage.OPENAI,
  ANTHROPIC: DialectMessage.ANTHROPIC,
  GEMINI: DialectMessage.GEMINI,
};

const USAGE_SOURCES: Record<UsageSource, Call_UsageSource> = {
  PROVIDER: Call_UsageSource.PROVIDER,
  PARTIAL: Call_UsageSource.PARTIAL,
  ESTIMATED: Call_UsageSource.ESTIMATED,
  NONE: Call_UsageSource.UNSPECIFIED,
};

const OUTCOMES: Record<AttemptOutcome, Attempt_Outcome> = {
  OK: Attempt_Outcome.OK,
  RATE_LIMITED: Attempt_Outcome.RATE_LIMITED,
  QUOTA_EXHAUSTED: Attempt_Outcome.QUOTA_EXHAUSTED,
  KEY_REFUSED: Attempt_Outcome.KEY_REFUSED,
  MODEL_REFUSED: Attempt_Outcome.MODEL_REFUSED,
  RIGHT_REFUSED: Attempt_Outcome.RIGHT_REFUSED,
  PROVIDER_ERROR: Attempt_Outcome.PROVIDER_ERROR,
  UNREACHABLE: Attempt_Outcome.UNREACHABLE,
  NO_SOCKET: Attempt_Outcome.NO_SOCKET,
  TIMEOUT: Attempt_Outcome.TIMEOUT,
  CUT: Attempt_Outcome.CUT,
  CALLER_ABORTED: Attempt_Outcome.CALLER_ABORTED,
  REQUEST_REFUSED: Attempt_Outcome.REQUEST_REFUSED,
};

/** A call as a row of a listing; its attempts are only in the detail. */
export function callMessage(
  record: CallRecord,
  names: NameLookup,
): MessageInitShape<typeof CallSchema> {
  const { tokens } = record;
  return {
    id: record.id,
    startTime: timestampFromMs(record.startedAt),
    // Measured to fractions of a millisecond, which a moment on the wire cannot have.
    endTime: timestampFromMs(Math.round(record.startedAt + record.latencyMs)),
    clientKeyId: record.clientKeyId,
    clientKeyName: names.clientKeyNameOf(record.clientKeyId),
    ownerId: record.ownerId,
    ownerUsername: names.usernameOf(record.ownerId),
    providerKeyId: record.providerKeyId ?? "",
    providerKeyName: names.providerKeyNameOf(record.providerKeyId ?? ""),
    providerId: record.providerId ?? "",
    providerSlug: names.providerSlugOf(record.providerId ?? ""),
    modelAsked: record.modelAsked,
    modelServed: record.modelServed ?? "",
    endpoint: record.endpoint,
    dialect: DIALECTS[record.dialect],
    streamed: record.streamed,
    status: record.status === "SUCCESS" ? Call_Status.SUCCESS : Call_Status.ERROR,
    endReason: endReasonOf(record),
    httpStatus: record.httpStatus,
    errorCode: record.errorCode ?? "",
    errorMessage: record.errorMessage ?? "",
    latencyMs: wholeMs(record.latencyMs),
    ...(record.ttfbMs === null ? {} : { timeToFirstByteMs: wholeMs(record.ttfbMs) }),
    requestBytes: BigInt(record.requestBytes),
    responseBytes: BigInt(record.responseBytes),
    tokens: {
      input: BigInt(tokens.input),
      output: BigInt(tokens.output),
      cacheRead: BigInt(tokens.cacheRead),
      cacheWrite: BigInt(tokens.cacheWrite),
      reasoning: BigInt(tokens.reasoning),
    },
    usageSource: USAGE_SOURCES[record.usageSource],
    costMicros: BigInt(record.costMicros ?? 0),
    unpriced: record.costMicros === null,
    ipAddress: record.ip,
    attemptCount: record.attempts.length,
  };
}

export function attemptMessage(
  attempt: Attempt,
  index: number,
  names: NameLookup,
): MessageInitShape<typeof AttemptSchema> {
  return {
    number: index + 1,
    providerKeyId: attempt.providerKeyId,
    providerKeyName: names.providerKeyNameOf(attempt.providerKeyId),
    providerSlug: names.providerSlugOf(attempt.providerId),
    outcome: OUTCOMES[attempt.outcome],
    httpStatus: attempt.httpStatus ?? 0,
    errorMessage: attempt.detail,
    startOffsetMs: wholeMs(attempt.startedMs),
    durationMs: wholeMs(attempt.durationMs),
  };
}

export function timingsMessage({
  attempts: [first],
  ttfbMs,
  latencyMs,
}: CallRecord): MessageInitShape<typeof CallTimingsSchema> {
  return {
    ...(first === undefined ? {} : { allocateMs: first.startedMs }),
    ...(ttfbMs === null ? {} : { firstByteMs: ttfbMs }),
    totalMs: latencyMs,
  };
}

/** Errors that say by themselves how a call came to its end. */
const END_REASONS: ReadonlyMap<string, Call_EndReason> = new Map([
  ["caller_aborted", Call_EndReason.CALLER_ABORTED],
  ["answer_unread", Call_EndReason.CALLER_ABORTED],
  ["stream_cut", Call_EndReason.UPSTREAM_CUT],
  ["batch_incomplete", Call_EndReason.UPSTREAM_CUT],
  ["upstream_timeout", Call_EndReason.TIMED_OUT],
  ["batch_lost", Call_EndReason.TIMED_OUT],
  ["response_lost", Call_EndReason.TIMED_OUT],
  ["revoked_api_key", Call_EndReason.KEY_ENDED],
  ["disabled_api_key", Call_EndReason.KEY_ENDED],
  ["expired_api_key", Call_EndReason.KEY_ENDED],
  ["user_banned", Call_EndReason.KEY_ENDED],
  ["shutting_down", Call_EndReason.SERVER_STOPPED],
  ["process_died", Call_EndReason.SERVER_STOPPED],
]);

function endReasonOf({ status, errorCode, attempts }: CallRecord): Call_EndReason {
  if (status === "SUCCESS") return Call_EndReason.COMPLETED;
  const known = END_REASONS.get(errorCode ?? "");
  if (known !== undefined) return known;
  return attempts.length > 0 ? Call_EndReason.COMPLETED : Call_EndReason.REFUSED;
}

function wholeMs(ms: number): bigint {
  return BigInt(Math.round(ms));
}
