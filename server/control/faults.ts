import { Code, ConnectError } from "@connectrpc/connect";
import { toFault, type Fault, type FaultCode } from "../core/fault.js";

/** Each of our faults as a Connect code; total, so that the compiler asks when a fault is added. */
export const CONNECT_CODES: Record<FaultCode, Code> = {
  invalid_argument: Code.InvalidArgument,
  malformed_request: Code.InvalidArgument,
  body_too_large: Code.ResourceExhausted,
  unsupported_endpoint: Code.Unimplemented,
  upgrade_required: Code.FailedPrecondition,
  missing_api_key: Code.Unauthenticated,
  invalid_api_key: Code.Unauthenticated,
  expired_api_key: Code.Unauthenticated,
  revoked_api_key: Code.Unauthenticated,
  disabled_api_key: Code.Unauthenticated,
  unauthenticated: Code.Unauthenticated,
  session_expired: Code.Unauthenticated,
  login_failed: Code.Unauthenticated,
  user_banned: Code.PermissionDenied,
  permission_denied: Code.PermissionDenied,
  ip_not_allowed: Code.PermissionDenied,
  model_not_allowed: Code.PermissionDenied,
  not_found: Code.NotFound,
  model_not_found: Code.NotFound,
  already_exists: Code.AlreadyExists,
  failed_precondition: Code.FailedPrecondition,
  conflict: Code.Aborted,
  unimplemented: Code.Unimplemented,
  rate_limit_exceeded: Code.ResourceExhausted,
  budget_exceeded: Code.ResourceExhausted,
  overloaded: Code.Unavailable,
  no_public_token: Code.Unavailable,
  no_own_token: Code.Unavailable,
  vault_locked: Code.FailedPrecondition,
  secret_unreadable: Code.DataLoss,
  upstream_unreachable: Code.Unavailable,
  upstream_timeout: Code.DeadlineExceeded,
  upstream_error: Code.Unavailable,
  upstream_refused_key: Code.FailedPrecondition,
  base_url_not_allowed: Code.InvalidArgument,
  untranslatable: Code.InvalidArgument,
  caller_aborted: Code.Canceled,
  stream_cut: Code.Unavailable,
  storage_unavailable: Code.Unavailable,
  shutting_down: Code.Unavailable,
  internal: Code.Internal,
  config_invalid: Code.FailedPrecondition,
  port_in_use: Code.FailedPrecondition,
  data_folder_unusable: Code.FailedPrecondition,
  root_key_exposed: Code.FailedPrecondition,
  root_key_wrong: Code.FailedPrecondition,
  database_corrupt: Code.DataLoss,
  database_newer: Code.FailedPrecondition,
};

/** The fault behind whatever a handler threw; Connect's own errors pass as they are. */
export function faultOrConnectError(thrown: unknown): Fault | ConnectError {
  return thrown instanceof ConnectError ? thrown : toFault(thrown);
}
