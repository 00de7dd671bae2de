import type { Dialect } from "../../core/provider.js";
import type { Problem } from "../codec.js";
import { knownFailure } from "./failures.js";
import type { Failure } from "./reply.js";

/** A provider's failure as a caller of another dialect is told. */
export function problemOfFailure(failure: Failure, caller: Dialect, requestId: string): Problem {
  const { httpStatus, code, message } = knownFailure(failure, caller);
  return {
    httpStatus,
    code: code === "" ? "upstream_error" : code,
    message,
    detail: message,
    requestId,
  };
}
