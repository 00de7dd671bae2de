/**
 * Every way in which Latchkey refuses or fails, as a closed list. Two total maps elsewhere give each
 * code its Connect code and its HTTP status; the compiler asks for both when a code is added.
 */
export const FAULT_CODES = [
  // The caller's request.
  "invalid_argument",
  "malformed_request",
  "body_too_large",
  "unsupported_endpoint",
  "upgrade_required",
  // Who the caller is.
  "missing_api_key",
  "invalid_api_key",
  "expired_api_key",
  "revoked_api_key",
  "disabled_api_key",
  "unauthenticated",
  "session_expired",
  "login_failed",
  // What the caller may do.
  "user_banned",
  "permission_denied",
  "ip_not_allowed",
  "model_not_allowed",
  "scope_not_allowed",
  // What is there.
  "not_found",
  "model_not_found",
  "already_exists",
  "failed_precondition",
  "conflict",
  "unimplemented",
  // Limits.
  "rate_limit_exceeded",
  "budget_exceeded",
  "overloaded",
  // The pool and the vault.
  "no_public_token",
  "no_own_token",
  "vault_locked",
  "secret_unreadable",
  // The provider.
  "upstream_unreachable",
  "upstream_timeout",
  "upstream_error",
  "upstream_refused_key",
  "base_url_not_allowed",
  "untranslatable",
  // The call itself.
  "caller_aborted",
  "answer_unread",
  "stream_cut",
  // Ourselves.
  "storage_unavailable",
  "shutting_down",
  "internal",
  // Start-up.
  "config_invalid",
  "port_in_use",
  "data_folder_unusable",
  "root_key_exposed",
  "root_key_wrong",
  "database_corrupt",
  "database_newer",
] as const;

export type FaultCode = (typeof FAULT_CODES)[number];

/** A field of a request that was refused, by its path in the message, e.g. `provider_key.name`. */
export interface FieldViolation {
  field: string;
  message: string;
}

export interface FaultOptions {
  /** The underlying error, for the log; it never leaves the process. */
  cause?: unknown;
  /** When it makes sense to try again; becomes Retry-After on 429 and 503. */
  retryAfterSeconds?: number;
  /** Header lines that go with it on the proxy port, such as what is left of the limits; each with its CR LF. */
  headers?: string;
  violations?: readonly FieldViolation[];
}

/**
 * An expected failure. `publicMessage` is for the caller: it names the cause and the remedy and holds
 * neither a secret nor an internal address.
 */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly code: FaultCode;
  readonly publicMessage: string;
  readonly retryAfterSeconds: number | undefined;
  readonly headers: string;
  readonly violations: readonly FieldViolation[];

  constructor(code: FaultCode, publicMessage: string, options: FaultOptions = {}) {
    super(`${code}: ${publicMessage}`, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.publicMessage = publicMessage;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.headers = options.headers ?? "";
    this.violations = options.violations ?? [];
  }
}

/** Turns whatever was thrown into a Fault. What is not one already is a bug of ours, of which the caller is told no details. */
export function toFault(thrown: unknown): Fault {
  if (thrown instanceof Fault) return thrown;
  return new Fault(
    "internal",
    "Latchkey failed to handle this request; the server log has the cause.",
    {
      cause: thrown,
    },
  );
}

/** Shorthand for a refused field. */
export function invalidField(field: string, message: string): Fault {
  return new Fault("invalid_argument", `${field}: ${message}`, {
    violations: [{ field, message }],
  });
}
