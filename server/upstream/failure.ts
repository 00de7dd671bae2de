import { Fault } from "../core/fault.js";
import { FramingError } from "../http/framing-error.js";

/** Why a call to a provider ended without its reply. */
export type FailureKind =
  /** No connection, or it broke before the head of a reply. */
  | "UNREACHABLE"
  /** The URL policy refused the address. */
  | "REFUSED_URL"
  | "TIMEOUT"
  /** The caller stopped reading for too long. */
  | "CALLER_STALLED"
  /** What came was no HTTP, or too much of it. */
  | "PROTOCOL"
  /** The body broke off. */
  | "CUT"
  /** Too many calls wait for a socket of this origin. */
  | "OVERLOADED";

export interface UpstreamFailure {
  readonly kind: FailureKind;
  /** For logs and attempts: says what happened, without addresses or secrets. */
  readonly detail: string;
  /** The provider has not had the request, so nothing in that can be at fault. */
  readonly unsent?: boolean;
}

/** Where a call stood when it failed. */
export type FlightPhase = "CONNECT" | "HEAD" | "BODY";

const TIMEOUT_CODES = new Set(["UND_ERR_CONNECT_TIMEOUT", "ETIMEDOUT"]);

/** Names an error of a connection by what it means for the call. */
export function failureOf(error: unknown, phase: FlightPhase): UpstreamFailure {
  const failure = kindOf(error, phase);
  return phase === "CONNECT" ? { ...failure, unsent: true } : failure;
}

function kindOf(error: unknown, phase: FlightPhase): UpstreamFailure {
  if (error instanceof Fault && error.code === "base_url_not_allowed") {
    return { kind: "REFUSED_URL", detail: error.publicMessage };
  }
  if (error instanceof FramingError) {
    return { kind: "PROTOCOL", detail: `reply refused: ${error.message}` };
  }
  const code = errorCode(error);
  if (TIMEOUT_CODES.has(code)) return { kind: "TIMEOUT", detail: `connect timed out (${code})` };
  if (phase === "BODY") return { kind: "CUT", detail: `reply broke off (${code})` };
  const step = phase === "CONNECT" ? "no connection" : "connection closed before a reply";
  return { kind: "UNREACHABLE", detail: `${step} (${code})` };
}

/** The code of a system or client error; of several at once (one per address) the first that has one. */
export function errorCode(error: unknown): string {
  if (error instanceof AggregateError) {
    const codes = error.errors.map((each) => errorCode(each)).filter((code) => code !== "UNKNOWN");
    return codes[0] ?? ownCode(error);
  }
  return ownCode(error);
}

function ownCode(error: unknown): string {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : "";
  return typeof code === "string" && code !== "" ? code : "UNKNOWN";
}
