import { unreachable } from "../../core/assert.js";
import type { AttemptOutcome } from "../../core/call.js";
import type { FailureKind, UpstreamFailure } from "../../upstream/failure.js";
import type { ReplyHead } from "../reply/reply-head.js";

/** Why an attempt gave the caller nothing. */
export interface AttemptFailure {
  readonly outcome: AttemptOutcome;
  /** Another provider key may do better. */
  readonly elsewhere: boolean;
  readonly httpStatus: number | null;
  readonly retryAfterMs: number | null;
  /** For the log; without secrets. */
  readonly detail: string;
  /** Set when it failed on the way. */
  readonly kind: FailureKind | undefined;
  /** The provider has not had the request. */
  readonly unsent?: boolean;
  /** It is a task of the provider that failed, after which asking is pointless. */
  readonly ofTask?: boolean;
  /** The provider's own answer, fit to be passed on; undefined if it gave none that SDKs can read. */
  readonly reply: { readonly head: ReplyHead; readonly body: string } | undefined;
}

/** Here they speak of the caller's own key or budget, and of a provider's it is the request that is refused. */
const OF_OWN_KEY: ReadonlySet<number> = new Set([401, 402, 403]);

/** The status with which a refusal of the request goes to the caller. */
export function callersStatus(httpStatus: number): number {
  return OF_OWN_KEY.has(httpStatus) ? 400 : httpStatus;
}

/** So much of what a provider says of its failure is kept, in characters. */
export const DETAIL_CHARS_MAX = 200;

export function redirected(httpStatus: number): AttemptFailure {
  return {
    outcome: "PROVIDER_ERROR",
    elsewhere: true,
    httpStatus,
    retryAfterMs: null,
    detail: `HTTP ${String(httpStatus)}: redirects are not followed; check the base URL`,
    kind: "PROTOCOL",
    reply: undefined,
  };
}

/** Something came that is no reply. */
export function garbage(what: string, httpStatus: number | null): AttemptFailure {
  return {
    outcome: "PROVIDER_ERROR",
    elsewhere: true,
    httpStatus,
    retryAfterMs: null,
    detail: `the provider sent ${what}`,
    kind: "PROTOCOL",
    reply: undefined,
  };
}

/** The provider's task came to nothing. `detail` is without secrets. */
export function failedTask(
  detail: string,
  httpStatus: number,
  reply: AttemptFailure["reply"],
): AttemptFailure {
  const refused = httpStatus === 400;
  const outcome = refused ? "REQUEST_REFUSED" : "PROVIDER_ERROR";
  return {
    outcome: httpStatus === 429 ? "RATE_LIMITED" : outcome,
    elsewhere: !refused,
    httpStatus,
    retryAfterMs: null,
    detail: `the provider's task failed: ${detail}`,
    kind: undefined,
    ofTask: true,
    reply,
  };
}

/** Nothing was sent: the key or the address must not or cannot be used. `detail` is without secrets. */
export function unusable(detail: string, elsewhere: boolean): AttemptFailure {
  return {
    // What no other key can be used for either says nothing of this one or its provider.
    outcome: elsewhere ? "UNREACHABLE" : "NO_SOCKET",
    elsewhere,
    httpStatus: null,
    retryAfterMs: null,
    detail,
    kind: "REFUSED_URL",
    unsent: true,
    reply: undefined,
  };
}

/** It failed on the way. */
export function notServed(failure: UpstreamFailure, httpStatus: number | null): AttemptFailure {
  return {
    outcome: outcomeOf(failure),
    elsewhere: failure.kind !== "CALLER_STALLED",
    httpStatus,
    retryAfterMs: null,
    detail: failure.detail,
    kind: failure.kind,
    unsent: failure.unsent === true,
    reply: undefined,
  };
}

function outcomeOf(failure: UpstreamFailure): AttemptOutcome {
  switch (failure.kind) {
    case "TIMEOUT":
    case "CUT":
    case "NO_SOCKET":
      return failure.kind;
    case "OVERLOADED":
      // The queue is this server's own.
      return "NO_SOCKET";
    case "CALLER_STALLED":
      return "CALLER_ABORTED";
    case "PROTOCOL":
      return "PROVIDER_ERROR";
    case "UNREACHABLE":
    case "REFUSED_URL":
      return "UNREACHABLE";
    default:
      return unreachable(failure.kind);
  }
}

/** The same limit where a key is back after another time; a provider's answer that names its own would mislead. */
export function backIn(failure: AttemptFailure, backMs: number): AttemptFailure {
  const { retryAfterMs, reply } = failure;
  const isSame = retryAfterMs === null || retrySeconds(retryAfterMs) === retrySeconds(backMs);
  return { ...failure, retryAfterMs: backMs, reply: isSame ? reply : undefined };
}

/** For Retry-After, which knows whole seconds; none at all would only be refused again. */
export function retrySeconds(milliseconds: number): number {
  return Math.max(1, Math.ceil(milliseconds / 1000));
}
