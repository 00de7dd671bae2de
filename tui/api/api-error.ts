import { status, type ServiceError } from "@grpc/grpc-js";
import { readErrorInfo } from "./error-details.js";

/** Names of gRPC status codes, e.g. `NOT_FOUND`. */
export type ApiCode = keyof typeof status;

/** What a refusal says in addition to its code and sentence. */
export interface ApiErrorDetails {
  /** Stable word for the cause, e.g. `vault_locked`; empty when the server gave none. */
  readonly reason: string;
  /** Sentences by the request's field, so that a form can mark it. */
  readonly fields: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
}

const NO_DETAILS: ApiErrorDetails = { reason: "", fields: {}, metadata: {} };

/** A call to the control API that failed; `message` is fit to be shown. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: ApiCode;
  readonly details: ApiErrorDetails;

  constructor(
    code: ApiCode,
    message: string,
    options: ErrorOptions & { readonly details?: ApiErrorDetails } = {},
  ) {
    super(message, options);
    this.code = code;
    this.details = options.details ?? NO_DETAILS;
  }

  /** True when nothing answered at all: a restart or a lost line, not a refusal. */
  get isConnectionLoss(): boolean {
    return (
      (this.code === "UNAVAILABLE" || this.code === "DEADLINE_EXCEEDED") &&
      this.details.reason === ""
    );
  }
}

/** Gives every failure of a channel the same form. */
export function toApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  if (isServiceError(thrown)) {
    const code = (status[thrown.code] ?? "UNKNOWN") as ApiCode;
    const details = detailsOf(thrown);
    const message = withoutChannelWords(thrown.details || thrown.message);
    return new ApiError(code, message, { cause: thrown, details });
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new ApiError("UNKNOWN", message, { cause: thrown });
}

/** The channel wraps the cause of a lost line into words of its own; people need the cause. */
function withoutChannelWords(text: string): string {
  const cause = /Last error: (?:Error: )?(.+?)\.?(?: Resolution note: .*)?$/.exec(text)?.[1];
  return cause === undefined ? text : `no connection: ${cause}`;
}

function detailsOf(error: ServiceError): ApiErrorDetails {
  const [trailer] = error.metadata?.get("grpc-status-details-bin") ?? [];
  const info = trailer instanceof Uint8Array ? readErrorInfo(trailer) : undefined;
  if (info === undefined) return NO_DETAILS;
  const { reason, metadata, fieldViolations } = info;
  const fields = fieldViolations.map(({ field, message }) => [field, message] as const);
  return { reason, metadata, fields: Object.fromEntries(fields) };
}

function isServiceError(thrown: unknown): thrown is ServiceError {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "number";
}
