import type { BegunCall, CallEntry, CallRecord } from "../../server/core/call.js";
import type { LogFields, Logger } from "../../server/core/logger.js";

/** An id as the server makes them, from a number. */
export function callId(number: number): string {
  return `call_${String(number).padStart(26, "0")}`;
}

/** What takes entries down. */
interface Sink {
  write(entries: readonly CallEntry[]): Promise<void> | undefined;
  count(): void;
}

/** Puts on record that one call begins. */
export function begin(sink: Sink | undefined, call: BegunCall): void {
  void writeAndCount(sink, { kind: "BEGUN", call });
}

/** Puts on record how one call ended. */
export function finish(sink: Sink | undefined, record: CallRecord): Promise<void> | undefined {
  return writeAndCount(sink, { kind: "FINISHED", record });
}

/** As the gateway does, which counts what could not be written too. */
function writeAndCount(sink: Sink | undefined, entry: CallEntry): Promise<void> | undefined {
  try {
    return sink?.write([entry]);
  } finally {
    sink?.count();
  }
}

/** A plausible record of a successful call. */
export function sampleCall(number: number, part: Partial<CallRecord> = {}): CallRecord {
  return {
    id: callId(number),
    startedAt: Date.UTC(2026, 10, 20, 11, 21, 0) + number,
    clientKeyId: "ck_00000000000000000000000001",
    clientKeyKind: "STANDARD",
    ownerId: "usr_00000000000000000000000001",
    providerKeyId: "pk_00000000000000000000000001",
    providerId: "prv_00000000000000000000000001",
    modelAsked: "gpt-4o-mini",
    modelServed: "gpt-4o-mini",
    endpoint: "/v1/chat/completions",
    dialect: "OPENAI",
    streamed: true,
    status: "SUCCESS",
    httpStatus: 200,
    errorCode: null,
    errorMessage: null,
    latencyMs: 812.5,
    ttfbMs: 180.25,
    requestBytes: 812,
    responseBytes: 9123,
    tokens: { input: 812, output: 240, cacheRead: 512, cacheWrite: 0, reasoning: 0 },
    costMicros: 340,
    usageSource: "PROVIDER",
    ip: "10.0.4.7",
    attempts: [
      {
        providerKeyId: "pk_00000000000000000000000001",
        providerId: "prv_00000000000000000000000001",
        startedMs: 0.4,
        durationMs: 810,
        httpStatus: 200,
        outcome: "OK",
        detail: "",
      },
    ],
    ...part,
  };
}

/** What was known of that call when it began. */
export function begunCall(number: number): BegunCall {
  const { id, startedAt, clientKeyId, clientKeyKind, ownerId } = sampleCall(number);
  const { modelAsked, endpoint, dialect, streamed, ip } = sampleCall(number);
  return {
    id,
    startedAt,
    clientKeyId,
    clientKeyKind,
    ownerId,
    modelAsked,
    endpoint,
    dialect,
    streamed,
    ip,
    reserved: { inputTokens: 900, maxOutputTokens: 4096, costMicros: 2600 },
  };
}

export function failedCall(number: number, part: Partial<CallRecord> = {}): CallRecord {
  return sampleCall(number, {
    status: "ERROR",
    httpStatus: 502,
    errorCode: "upstream_unreachable",
    errorMessage: "The provider could not be reached.",
    costMicros: null,
    ...part,
  });
}

/** A logger that keeps what it is told. */
export function keptLog(): Logger & {
  readonly lines: { level: string; message: string; fields: LogFields }[];
} {
  const lines: { level: string; message: string; fields: LogFields }[] = [];
  const at =
    (level: string) =>
    (fields: LogFields, message: string): void => {
      lines.push({ level, message, fields });
    };
  return { lines, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
