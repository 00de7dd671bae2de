import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  Attempt_Outcome,
  Call_EndReason,
  Call_UsageSource,
  type Attempt,
  type Call,
  type CallTimings,
  type GetCallResponse,
} from "../../proto/gen/latchkey/v1/calls_pb.js";
import { DialectSchema } from "../../proto/gen/latchkey/v1/common_pb.js";
import type { Span } from "../term/painter.js";
import type { StyleName } from "../term/theme.js";
import { clockTime, count, duration, money } from "./format.js";
import { enumWord } from "./enum-word.js";

const OUTCOMES: Readonly<Record<Attempt_Outcome, string>> = {
  [Attempt_Outcome.UNSPECIFIED]: "?",
  [Attempt_Outcome.OK]: "ok",
  [Attempt_Outcome.RATE_LIMITED]: "rate limited",
  [Attempt_Outcome.QUOTA_EXHAUSTED]: "quota used up",
  [Attempt_Outcome.KEY_REFUSED]: "key refused",
  [Attempt_Outcome.REQUEST_REFUSED]: "request refused",
  [Attempt_Outcome.MODEL_REFUSED]: "model refused",
  [Attempt_Outcome.RIGHT_REFUSED]: "right refused",
  [Attempt_Outcome.PROVIDER_ERROR]: "provider error",
  [Attempt_Outcome.UNREACHABLE]: "unreachable",
  [Attempt_Outcome.NO_SOCKET]: "no socket here",
  [Attempt_Outcome.TIMEOUT]: "timeout",
  [Attempt_Outcome.CUT]: "cut off",
  [Attempt_Outcome.CALLER_ABORTED]: "caller left",
};

const ENDS: Readonly<Record<Call_EndReason, string>> = {
  [Call_EndReason.UNSPECIFIED]: "?",
  [Call_EndReason.COMPLETED]: "completed",
  [Call_EndReason.REFUSED]: "refused here",
  [Call_EndReason.CALLER_ABORTED]: "the caller left",
  [Call_EndReason.UPSTREAM_CUT]: "the provider broke off",
  [Call_EndReason.TIMED_OUT]: "timed out",
  [Call_EndReason.KEY_ENDED]: "its client key ended",
  [Call_EndReason.SERVER_STOPPED]: "the server stopped",
};

const SOURCES: Readonly<Record<Call_UsageSource, string>> = {
  [Call_UsageSource.UNSPECIFIED]: "",
  [Call_UsageSource.PROVIDER]: "as the provider says",
  [Call_UsageSource.PARTIAL]: "partial: the stream was cut",
  [Call_UsageSource.ESTIMATED]: "estimated here",
};

type Value = string | readonly Span[];
type Lines = readonly (readonly [label: string, value: Value])[];

/** Time of day with milliseconds when a call began. */
export function callTime(call: Call): string {
  if (call.startTime === undefined) return "-";
  const ms = timestampMs(call.startTime);
  return `${clockTime(ms)}.${String(Math.floor(ms) % 1000).padStart(3, "0")}`;
}

/** Look of an HTTP status. */
export function statusStyle(httpStatus: number): StyleName {
  if (httpStatus === 0 || httpStatus >= 500) return "danger";
  return httpStatus >= 400 ? "warn" : "ok";
}

/** Tokens of a call, in and out. */
export function callTokens(call: Call): string {
  const total = (call.tokens?.input ?? 0n) + (call.tokens?.output ?? 0n);
  return total === 0n ? "-" : count(total);
}

/** Cost of a call; a call without a price is not free. */
export function callCost(call: Call): string {
  if (!call.unpriced) return money(call.costMicros);
  // What used no tokens would have cost nothing at any price.
  return callTokens(call) === "-" ? "-" : "unpriced";
}

/** Everything about a call, as labels with values. */
export function callDetails(call: Call, more: GetCallResponse | undefined): Lines {
  return [
    ...outline(call),
    ...attemptLines(more?.attempts ?? []),
    ...timingLines(more?.timings),
    ...tokenLines(call),
  ];
}

function outline(call: Call): Lines {
  const served =
    call.modelServed === "" || call.modelServed === call.modelAsked ? "" : ` → ${call.modelServed}`;
  const status: Span[] = [
    { text: String(call.httpStatus || "---"), style: statusStyle(call.httpStatus) },
    { text: `  ${ENDS[call.endReason] ?? String(call.endReason)}` },
    { text: call.attemptCount > 1 ? `, ${call.attemptCount} attempts` : "" },
  ];
  const dialect = enumWord(DialectSchema, call.dialect);
  return [
    ["status", status],
    ...(call.errorCode === "" ? [] : [["error", call.errorCode] as const]),
    ...(call.errorMessage === "" ? [] : [["", call.errorMessage] as const]),
    ["client", `${call.clientKeyName || "-"} (${call.ownerUsername || "-"}) ${call.ipAddress}`],
    ["request", `${dialect} ${call.endpoint}${call.streamed ? ", streamed" : ""}`],
    ["model", `${call.modelAsked || "-"}${served}`],
    ["provider", `${call.providerSlug || "-"} ${call.providerKeyName}`],
  ];
}

function attemptLines(attempts: readonly Attempt[]): Lines {
  return attempts.flatMap((attempt, i) => {
    const good = attempt.outcome === Attempt_Outcome.OK;
    const head: Span[] = [
      { text: `${attempt.number} ${attempt.providerKeyName || "a key"} ` },
      { text: `${attempt.providerSlug} `, style: "muted" },
      {
        text: `${attempt.httpStatus || "---"} ${OUTCOMES[attempt.outcome] ?? attempt.outcome} `,
        style: good ? "ok" : "warn",
      },
      { text: duration(Number(attempt.durationMs)), style: "muted" },
    ];
    const lines: [string, Value][] = [[i === 0 ? "attempts" : "", head]];
    if (attempt.errorMessage !== "") lines.push(["", `  ${attempt.errorMessage}`]);
    return lines;
  });
}

function timingLines(timings: CallTimings | undefined): Lines {
  if (timings === undefined) return [];
  const parts = [
    ["choose", timings.allocateMs],
    ["first byte", timings.firstByteMs],
    ["total", timings.totalMs],
  ] as const;
  const known = parts.filter(([, ms]) => ms !== undefined);
  const words = known.map(([name, ms]) => `${name} ${exact(ms)}`);
  const rows: [string, string][] = [];
  for (let i = 0; i < words.length; i += 2) {
    rows.push([i === 0 ? "timing" : "", words.slice(i, i + 2).join("   ")]);
  }
  return rows;
}

function tokenLines(call: Call): Lines {
  const { tokens } = call;
  const source = SOURCES[call.usageSource] ?? String(call.usageSource);
  const cached = tokens === undefined ? 0n : tokens.cacheRead;
  const reasoning = tokens === undefined ? 0n : tokens.reasoning;
  return [
    ["tokens", `in ${tokens?.input ?? 0n}  out ${tokens?.output ?? 0n}`],
    ["", `cached ${cached}  reasoning ${reasoning}`],
    ...(source === "" ? [] : [["", source] as const]),
    ["cost", callCost(call)],
    ["bytes", `request ${count(call.requestBytes)}  answer ${count(call.responseBytes)}`],
  ];
}

/** Phases are often below a millisecond. */
function exact(ms: number | undefined): string {
  if (ms === undefined) return "-";
  return ms < 10 ? `${ms.toFixed(1)}ms` : duration(ms);
}
