import { Code } from "@connectrpc/connect";
import { CONNECT_CODES } from "../../server/control/faults.js";
import { FAULT_CODES, type FaultCode } from "../../server/core/fault.js";
import type { Dialect } from "../../server/core/provider.js";
import { CODECS } from "../../server/dialect/codecs.js";
import { HTTP_STATUS } from "../../server/gateway/answer/fault-status.js";
import { bullet, code, table } from "./markdown.js";

/** What each code tells a caller, and what helps. Empty for those that end a start and never reach a caller. */
const MEANINGS: Readonly<Record<FaultCode, string>> = {
  invalid_argument: "A member or field has a value that is not allowed; the message names it.",
  malformed_request: "The request can be read in two ways, or not at all, or did not come in time.",
  body_too_large: "The body is larger than `--body-mib-max`.",
  unsupported_endpoint: "No such path or method; the message names what is served of that API.",
  upgrade_required: "WebSockets are not spoken here; clients go on over HTTP.",
  missing_api_key: "No client key came with the call.",
  invalid_api_key: "The client key is not known, or not whole.",
  expired_api_key: "The client key has expired.",
  revoked_api_key: "The client key was revoked, or replaced.",
  disabled_api_key: "The client key is switched off.",
  unauthenticated: "Control API: no credential, or one that is not accepted.",
  session_expired: "Control API: sign in again.",
  login_failed: "Control API: wrong name or password, or an account that is locked.",
  user_banned: "The key's owner is banned.",
  permission_denied: "Not for this caller, such as lists for keys to the pool.",
  ip_not_allowed: "The caller's address is not on the key's allowlist.",
  model_not_allowed: "The model is not on the key's allowlist.",
  scope_not_allowed: "The endpoint is in none of the key's scopes.",
  not_found: "There is no such thing, or it is another owner's.",
  model_not_found: "No provider serves the model, or none to the keys that this caller draws on.",
  already_exists: "Control API: a name or a secret that is there already.",
  failed_precondition: "Control API: not in this state; the message says what to do first.",
  conflict: "Control API: somebody changed it meanwhile; read it again.",
  unimplemented: "Control API: not served by this version.",
  rate_limit_exceeded: "A limit of the key, its user or the server, or of all provider keys.",
  budget_exceeded: "A budget is used up, or less is left than the call may cost.",
  overloaded: "Too much at a time: calls, bodies, or connections to a provider.",
  no_public_token: "SUPER keys: no public provider key can serve the call now.",
  no_own_token: "No provider key of the caller's own can serve the call now.",
  vault_locked: "`latchkey vault unlock` has to be run.",
  secret_unreadable: "The provider key's secret cannot be opened; its owner stores it again.",
  upstream_unreachable: "The provider cannot be connected to.",
  upstream_timeout: "The provider said nothing in time.",
  upstream_error: "The provider failed, or refused in a way that says nothing to callers.",
  upstream_refused_key: "The provider refused the provider key; the caller's key is fine.",
  base_url_not_allowed:
    "The provider's address is not allowed, such as a private one (`--allow-upstream-cidr`).",
  untranslatable: "The request holds what the provider's dialect cannot say; the message names it.",
  caller_aborted: "On record alone: the caller left.",
  answer_unread: "On record alone: the caller did not read its answer.",
  stream_cut: "Inside a stream: the provider broke off.",
  storage_unavailable: "The call cannot be put on record, and the settings allow no such call.",
  shutting_down: "The server stops or restarts.",
  internal: "A fault of Latchkey's own; the log has it under the id of the call.",
  config_invalid: "",
  port_in_use: "",
  data_folder_unusable: "",
  root_key_exposed: "",
  root_key_wrong: "",
  database_corrupt: "",
  database_newer: "",
};

const DIALECTS: readonly Dialect[] = ["OPENAI", "ANTHROPIC", "GEMINI"];
const TOLD = FAULT_CODES.filter((each) => MEANINGS[each] !== "");

/** Every code that a caller can be told. */
export function errors(): string {
  const rows = TOLD.map((fault) => [code(fault), String(HTTP_STATUS[fault]), MEANINGS[fault]]);
  return table(["code", "HTTP", "means"], rows);
}

/** What the dialects call an error, which goes by its HTTP status. */
export function errorTypes(): string {
  const rows = together((fault) => {
    const status = HTTP_STATUS[fault];
    return [String(status), ...DIALECTS.map((dialect) => code(typeOf(dialect, fault, status)))];
  });
  return table(
    ["HTTP", "OpenAI type", "Anthropic type", "Gemini status"],
    rows.map(({ same }) => same).toSorted(([a], [b]) => Number(a) - Number(b)),
  );
}

/** The gRPC code of each reason. */
export function reasons(): string {
  const rows = together((fault) => [code(Code[CONNECT_CODES[fault]] ?? "")]);
  return rows
    .map(({ same: [name = ""], faults }) => bullet(`${name}: ${faults.map(code).join(", ")}`))
    .join("\n");
}

/** Codes of which the same is to be said, in one row each. */
function together(said: (fault: FaultCode) => readonly string[]) {
  const rows = new Map<
    string,
    { readonly same: readonly string[]; readonly faults: FaultCode[] }
  >();
  for (const fault of TOLD) {
    const same = said(fault);
    const row = rows.get(same.join("|")) ?? { same, faults: [] };
    rows.set(same.join("|"), row);
    row.faults.push(fault);
  }
  return [...rows.values()];
}

/** What the dialect calls such an error. */
function typeOf(dialect: Dialect, fault: FaultCode, httpStatus: number): string {
  const problem = { httpStatus, code: fault, message: "", detail: "", requestId: "" };
  const body: unknown = JSON.parse(CODECS[dialect].errorBody(problem));
  const found = /"(?:type|status)":"(?!error")([^"]+)"/.exec(JSON.stringify(body));
  return found?.[1] ?? "";
}
