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
  | "OVERLOADED"
  /** This host cannot open a connection: its provider has no part in that. */
  | "NO_SOCKET";

export interface UpstreamFailure {
  readonly kind: FailureKind;
  /** For logs and attempts: says what happened, without addresses or secrets. */
  readonly detail: string;
  /** The provider has not had the request, so nothing in that can be at fault. */
  readonly unsent?: boolean;
}

/** Where a call stood when it failed. */
export type FlightPhase = "CONNECT" | "HEAD" | "BODY";

/** What this host can run out of, by the code of the error. */
const USED_UP: Readonly<Record<string, string>> = {
  EMFILE: "file descriptor",
  ENFILE: "file descriptor",
  EADDRNOTAVAIL: "local port",
  ENOBUFS: "memory for sockets",
  ENOMEM: "memory for sockets",
};

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
  const lack = phase === "CONNECT" ? lackOf(error) : undefined;
  if (lack !== undefined) return { kind: "NO_SOCKET", detail: `this host has no ${lack}` };
  const code = errorCode(error);
  if (TIMEOUT_CODES.has(code)) return { kind: "TIMEOUT", detail: `connect timed out (${code})` };
  if (phase === "BODY") return { kind: "CUT", detail: `reply broke off (${code})` };
  const step = phase === "CONNECT" ? "no connection" : "connection closed before a reply";
  return { kind: "UNREACHABLE", detail: `${step} (${code})` };
}

/** What this host lacked for a connection, to one of several addresses at least; undefined where it lacked nothing. */
function lackOf(error: unknown): string | undefined {
  if (error instanceof AggregateError) {
    return error.errors.map((each) => lackOf(each)).find((lack) => lack !== undefined);
  }
  const code = ownCode(error);
  // Of a host without IPv6 it says that, and nothing of ports.
  if (code === "EADDRNOTAVAIL" && addressOf(error).includes(":")) return undefined;
  const what = USED_UP[code];
  return what === undefined ? undefined : `${what} left (${code})`;
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

/** Where an error of the system says that the connection was to lead; empty where it does not. */
function addressOf(error: unknown): string {
  return error instanceof Error && "address" in error ? String(error.address) : "";
}
