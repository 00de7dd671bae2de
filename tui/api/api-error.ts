import { status, type ServiceError } from "@grpc/grpc-js";

/** Names of gRPC status codes, e.g. `NOT_FOUND`. */
export type ApiCode = keyof typeof status;

/** A call to the control API that failed; `message` is fit to be shown. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: ApiCode;

  constructor(code: ApiCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** True when nothing answered at all: a restart or a lost line, not a refusal. */
  get isConnectionLoss(): boolean {
    return this.code === "UNAVAILABLE" || this.code === "DEADLINE_EXCEEDED";
  }
}

/** Gives every failure of a channel the same form. */
export function toApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  if (isServiceError(thrown)) {
    const code = (status[thrown.code] ?? "UNKNOWN") as ApiCode;
    return new ApiError(code, thrown.details || thrown.message, { cause: thrown });
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new ApiError("UNKNOWN", message, { cause: thrown });
}

function isServiceError(thrown: unknown): thrown is ServiceError {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "number";
}
