import { unreachable } from "../../core/assert.js";
import { Fault } from "../../core/fault.js";
import { type AttemptFailure, retrySeconds } from "./attempt-failure.js";

/**
 * What the caller is told when every attempt has failed, by the failure that says most. `poolFault` is why
 * no further key could be tried; undefined when trying was stopped instead.
 */
export function faultOf(failure: AttemptFailure, poolFault: Fault | undefined): Fault {
  switch (failure.outcome) {
    case "KEY_REFUSED":
      return new Fault(
        "upstream_refused_key",
        "The provider refused the provider key used for this call; its owner must replace or enable it. Your own client key is fine.",
      );
    case "RIGHT_REFUSED":
      return new Fault(
        "upstream_refused_key",
        `The provider refused every provider key that was tried a right that this call needs (${failure.detail}). Your own client key is fine.`,
      );
    case "QUOTA_EXHAUSTED":
      // The key is out of the pool from now on, so this is what the next call is told as well.
      return (
        poolFault ??
        new Fault(
          "upstream_refused_key",
          "The quota of the provider keys for this model is used up.",
        )
      );
    case "RATE_LIMITED":
      return limited(failure);
    case "TIMEOUT":
      return new Fault("upstream_timeout", "The provider did not answer in time.");
    case "UNREACHABLE":
      return notReached(failure);
    case "NO_SOCKET":
      return new Fault("overloaded", whyNoSocket(failure), { retryAfterSeconds: 1 });
    case "MODEL_REFUSED":
      return new Fault("model_not_found", "The provider does not serve this model to its key.");
    case "REQUEST_REFUSED":
      // What is at fault, as far as the provider says it; its own answer could not go on.
      return new Fault("upstream_error", `The provider refused the request (${failure.detail}).`);
    case "OK":
    case "PROVIDER_ERROR":
    case "CUT":
    case "CALLER_ABORTED":
      return new Fault(
        "upstream_error",
        `The provider failed to serve the call (${httpOf(failure)}).`,
        retryOf(failure),
      );
    default:
      return unreachable(failure.outcome);
  }
}

function limited(failure: AttemptFailure): Fault {
  return new Fault(
    "rate_limit_exceeded",
    "The provider limits the rate of every provider key that could serve this call; try again later.",
    retryOf(failure),
  );
}

function retryOf({ retryAfterMs }: AttemptFailure): { readonly retryAfterSeconds?: number } {
  return retryAfterMs === null ? {} : { retryAfterSeconds: retrySeconds(retryAfterMs) };
}

function notReached(failure: AttemptFailure): Fault {
  if (failure.kind === "REFUSED_URL") {
    return new Fault(
      "base_url_not_allowed",
      "The provider's base URL is not allowed here; the operator can allow its address range.",
    );
  }
  return new Fault("upstream_unreachable", "The provider could not be reached.");
}

function whyNoSocket({ kind }: AttemptFailure): string {
  return kind === "OVERLOADED"
    ? "Too many calls wait for this provider; try again shortly."
    : "The server can open no connection now; try again shortly.";
}

function httpOf(failure: AttemptFailure): string {
  return failure.httpStatus === null ? "no answer" : `HTTP ${String(failure.httpStatus)}`;
}
