import type { DescField, DescMessage, DescMethod, DescService, Message } from "@bufbuild/protobuf";
import { AuditService } from "../../proto/gen/latchkey/v1/audit_pb.js";
import { CallService } from "../../proto/gen/latchkey/v1/calls_pb.js";
import { ClientKeyService } from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import { PoolService } from "../../proto/gen/latchkey/v1/pool_pb.js";
import { ProviderKeyService } from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { ProviderService, Rewrite_Kind } from "../../proto/gen/latchkey/v1/providers_pb.js";
import { SessionService } from "../../proto/gen/latchkey/v1/sessions_pb.js";
import { BackupRequest_Target, SystemService } from "../../proto/gen/latchkey/v1/system_pb.js";
import { UsageService } from "../../proto/gen/latchkey/v1/usage_pb.js";
import { UserService } from "../../proto/gen/latchkey/v1/users_pb.js";
import { backupLine } from "./backup-lines.js";
import type { RequestInit } from "./flags.js";
import { allStored, chainIntact, notFailed, testPassed } from "./good-news.js";
import { logLines } from "./log-lines.js";
import { testedKeyLine, testLine } from "./test-lines.js";

/** One subcommand: a verb of a noun is one RPC, its flags are the fields of the request. */
export interface Command {
  readonly noun: string;
  readonly verb: string;
  readonly service: DescService;
  readonly method: DescMethod;
  readonly help: string;
  /** Request fields given by position instead of by flag, in order. */
  readonly positional: readonly string[];
  /** Fields of a listed row, as columns; empty for commands that show one thing. */
  readonly columns: readonly string[];
  /** Destroys something: asks on a terminal unless --yes. */
  readonly asks: boolean;
  /** Sent unless the command line says otherwise. */
  readonly defaults: Readonly<Record<string, unknown>>;
  /** Sent whatever the command line says, and no flags. */
  readonly fixed: Readonly<Record<string, unknown>>;
  /** A message inside the request whose fields are flags of this command. */
  readonly nested: NestedField | undefined;
  /** Whether the answer to this request is a file, which goes to stdout alone and would spoil a terminal. */
  readonly isFile: (request: RequestInit) => boolean;
  /** Whether an answer is good news; the exit code says so. */
  readonly isGood: ((answer: Message) => boolean) | undefined;
  /** One answer as a line of its own; undefined leaves it out. */
  readonly line: ((answer: Message) => string | undefined) | undefined;
}

export type NestedField = DescField & { readonly message: DescMessage };

interface Spec {
  readonly positional?: readonly string[];
  readonly columns?: readonly string[];
  readonly asks?: boolean;
  readonly defaults?: Readonly<Record<string, unknown>>;
  readonly fixed?: Readonly<Record<string, unknown>>;
  readonly nested?: string;
  readonly isFile?: (request: RequestInit) => boolean;
  readonly isGood?: (answer: Message) => boolean;
  readonly line?: (answer: Message) => string | undefined;
}

/** Makes the commands of one noun; a method name that does not exist is a bug and ends the start. */
function noun(
  name: string,
  service: DescService,
  verbs: Readonly<Record<string, readonly [method: string, help: string, spec?: Spec]>>,
): Command[] {
  return Object.entries(verbs).map(([verb, [methodName, help, spec = {}]]) => {
    const method = service.methods.find((each) => each.name === methodName);
    if (method === undefined) throw new Error(`${service.typeName} has no method ${methodName}`);
    const { positional = [], columns = [], asks = false, isFile = () => false } = spec;
    const { defaults = {}, fixed = {}, isGood, line } = spec;
    const nested = nestedField(method, spec.nested);
    const shape = { positional, columns, asks, defaults, fixed, nested, isFile, isGood, line };
    return { noun: name, verb, service, method, help, ...shape };
  });
}

function nestedField(method: DescMethod, name: string | undefined): NestedField | undefined {
  if (name === undefined) return undefined;
  const field = method.input.fields.find((each) => each.name === name);
  if (field?.message === undefined) throw new Error(`${method.name} has no message ${name}`);
  return field;
}

/** The last message of a connection test says whether it went well. */
const byId: Spec = { positional: ["id"] };
/** Of what has no versions: no other value is taken. */
const NO_VERSIONS = { expectedVersion: 0n };
const byIdAsking: Spec = { positional: ["id"], asks: true };

const PROVIDER_KEY_COLUMNS = [
  "id",
  "name",
  "provider_slug",
  "tier",
  "visibility",
  "preview",
  "health",
  "enabled",
  "last_used_time",
];
const CLIENT_KEY_COLUMNS = [
  "id",
  "name",
  "owner_username",
  "kind",
  "prefix",
  "state",
  "call_count",
  "expire_time",
  "last_used_time",
];
const REWRITE_COLUMNS = ["name", "targets", "unserved"];
const ALIAS = { kind: Rewrite_Kind.ALIAS };
const FALLBACK = { kind: Rewrite_Kind.FALLBACK };
const CALL_COLUMNS = [
  "id",
  "start_time",
  "http_status",
  "model_asked",
  "client_key_name",
  "provider_key_name",
  "latency_ms",
  "tokens.input",
  "tokens.output",
  "error_code",
];

/** Every subcommand of `latchkey`. */
export const COMMANDS: readonly Command[] = [
  ...noun("provider-keys", ProviderKeyService, {
    list: ["ListProviderKeys", "list provider keys", { columns: PROVIDER_KEY_COLUMNS }],
    get: ["GetProviderKey", "show a provider key", byId],
    create: ["CreateProviderKey", "seal a provider's secret; asks for it or reads stdin"],
    update: ["UpdateProviderKey", "change a provider key", byId],
    rotate: ["RotateProviderKey", "replace the secret; asks for it or reads stdin", byId],
    enable: ["EnableProviderKey", "let calls use it again", byId],
    disable: ["DisableProviderKey", "keep calls off it", byId],
    visibility: ["SetProviderKeyVisibility", "make it private or public", byId],
    delete: ["DeleteProviderKey", "remove it for good", byIdAsking],
    import: [
      "ImportProviderKeys",
      "import many from stdin (env, json, one_api, lines)",
      { isGood: allStored },
    ],
    test: [
      "TestProviderKey",
      "test a stored key against its provider, step by step",
      { positional: ["id"], isGood: testPassed, line: testLine },
    ],
    try: [
      "TestProviderKey",
      "test a secret that is not stored; asks for it or reads stdin",
      { nested: "candidate", isGood: testPassed, line: testLine },
    ],
    "test-all": [
      "TestProviderKeys",
      "test many stored keys; one line each",
      { isGood: testPassed, line: testedKeyLine },
    ],
    health: ["GetProviderKeyHealth", "show its health and last checks", byId],
    check: ["CheckProviderKeyHealth", "check its health now", byId],
    diagnose: ["DiagnoseProviderKey", "say why calls do not use it", byId],
    usage: ["GetProviderKeyUsage", "show what was used through it", byId],
    reveal: ["RevealProviderKey", "show the secret to its owner; audited", byId],
  }),
  ...noun("client-keys", ClientKeyService, {
    list: ["ListClientKeys", "list client keys", { columns: CLIENT_KEY_COLUMNS }],
    get: ["GetClientKey", "show a client key", byId],
    create: ["CreateClientKey", "make a client key; its secret is shown once"],
    "create-super": ["CreateSuperClientKey", "make a super key over the public pool (admin)"],
    import: [
      "ImportClientKeys",
      "take over existing keys or their SHA-256, with --request (admin)",
      { isGood: allStored },
    ],
    update: ["UpdateClientKey", "change a client key", byId],
    enable: ["EnableClientKey", "let it be used again", byId],
    disable: ["DisableClientKey", "refuse it until it is enabled", byId],
    revoke: ["RevokeClientKey", "end it for good; record and calls stay", byIdAsking],
    rotate: ["RotateClientKey", "replace its secret; the new one is shown once", byIdAsking],
    delete: ["DeleteClientKey", "remove it with all its calls", byIdAsking],
    stats: ["GetClientKeyStats", "show its calls, errors and latency", byId],
    byor: ["GetByorKey", "show your own recoverable key; made if there is none"],
    "refresh-byor": ["RefreshByorKey", "replace your own recoverable key", { asks: true }],
    reveal: ["RevealClientKey", "show a recoverable key to its owner; audited", byId],
  }),
  ...noun("providers", ProviderService, {
    list: [
      "ListProviders",
      "list providers",
      { columns: ["id", "slug", "display_name", "dialect", "base_url", "enabled"] },
    ],
    get: ["GetProvider", "show a provider", byId],
    create: ["CreateProvider", "add a custom provider"],
    update: ["UpdateProvider", "change a provider", { ...byId, fixed: NO_VERSIONS }],
    delete: ["DeleteProvider", "remove a custom provider", { ...byIdAsking, fixed: NO_VERSIONS }],
  }),
  ...noun("models", ProviderService, {
    list: [
      "ListModels",
      "list models",
      {
        columns: [
          "model_id",
          "provider_slug",
          "categories",
          "context_window_tokens",
          "max_output_tokens",
          "current_price",
          "aliases",
        ],
      },
    ],
    upsert: ["UpsertModels", "add or replace models, with --request"],
    delete: ["DeleteModels", "remove models, or changes to preset ones", { asks: true }],
    aliases: [
      "GetRewrites",
      "list the aliases of the catalogue",
      { columns: REWRITE_COLUMNS, fixed: ALIAS },
    ],
    "set-alias": [
      "SetRewrite",
      "let a name stand for models, in order (admin)",
      { positional: ["name"], fixed: ALIAS },
    ],
    "delete-alias": [
      "DeleteRewrite",
      "remove an alias (admin)",
      { positional: ["name"], fixed: ALIAS },
    ],
    fallbacks: [
      "GetRewrites",
      "list the fallback chains of the catalogue",
      { columns: REWRITE_COLUMNS, fixed: FALLBACK },
    ],
    "set-fallbacks": [
      "SetRewrite",
      "say which models are tried when no key can serve one; * for any text (admin)",
      { positional: ["name"], fixed: FALLBACK },
    ],
    "delete-fallbacks": [
      "DeleteRewrite",
      "remove a fallback chain (admin)",
      { positional: ["name"], fixed: FALLBACK },
    ],
  }),
  ...noun("users", UserService, {
    list: [
      "ListUsers",
      "list users",
      {
        columns: [
          "id",
          "username",
          "role",
          "state",
          "trust_level",
          "create_time",
          "last_login_time",
        ],
      },
    ],
    get: ["GetUser", "show a user", byId],
    create: ["CreateUser", "add a user; with --ask-password asks for the password or reads stdin"],
    update: ["UpdateUser", "change role, trust level, limits, note", byId],
    ban: ["BanUser", "ban: sessions end, keys are refused, public keys leave the pool", byIdAsking],
    unban: ["UnbanUser", "lift a ban", byId],
    disable: ["DisableUser", "switch an account off", byId],
    enable: ["EnableUser", "switch it on again", byId],
    "reset-password": ["ResetPassword", "set a new password", byId],
    delete: ["DeleteUser", "remove a user with all keys", byIdAsking],
  }),
  ...noun("calls", CallService, {
    list: ["ListCalls", "list calls, newest first", { columns: CALL_COLUMNS }],
    get: ["GetCall", "show a call with its attempts", byId],
    watch: ["WatchCalls", "follow calls as they end", { columns: CALL_COLUMNS }],
    export: ["ExportCalls", "write calls as CSV or JSON Lines to stdout"],
  }),
  ...noun("pool", PoolService, {
    show: ["GetPool", "show the pool's keys and health"],
    allocation: ["GetAllocation", "show how keys are chosen"],
    "set-allocation": ["SetAllocation", "change how keys are chosen, with --request (admin)"],
    explain: ["ExplainAllocation", "say which key a call would get, and why"],
  }),
  ...noun("usage", UsageService, {
    summary: ["GetSummary", "sums of a period"],
    trend: ["GetTrend", "sums by time"],
    breakdown: ["GetBreakdown", "sums by model, provider, key or user"],
    watch: ["WatchOverview", "follow the live gauges"],
  }),
  ...noun("audit", AuditService, {
    list: [
      "ListEvents",
      "list audit events, newest first",
      { columns: ["seq", "time", "actor_username", "action", "target_name", "outcome", "note"] },
    ],
    watch: [
      "WatchEvents",
      "follow audit events",
      { columns: ["seq", "time", "actor_username", "action", "target_name", "outcome", "note"] },
    ],
    verify: [
      "VerifyChain",
      "check that no event was changed, removed or reordered",
      { isGood: chainIntact },
    ],
  }),
  ...noun("vault", SystemService, {
    unlock: ["Unlock", "unlock; asks for the passphrase or reads stdin, empty where there is none"],
    lock: ["Lock", "lock: calls are refused until it is unlocked"],
    "rotate-key": [
      "RotateVaultKey",
      "re-seal every secret to a new vault key, online",
      { isGood: notFailed },
    ],
    "rotate-root-key": [
      "RotateRootKey",
      "wrap the keyring under a new root key",
      { isGood: notFailed },
    ],
    backup: [
      "Backup",
      "write a backup into the data folder, or to stdout with --target stream",
      {
        defaults: { target: BackupRequest_Target.DATA_FOLDER },
        isFile: ({ target }) => target === BackupRequest_Target.STREAM,
        line: backupLine,
      },
    ],
  }),
  ...noun("system", SystemService, {
    status: ["GetStatus", "show the server's state"],
    settings: ["GetSettings", "show the settings"],
    set: [
      "UpdateSettings",
      "change settings, from now on; docs/operations.md says what each does",
      { fixed: NO_VERSIONS },
    ],
    changes: ["WatchChanges", "follow changes of everything you may see"],
    log: ["TailLog", "follow the server's log", { line: logLines }],
  }),
  ...noun("session", SessionService, {
    whoami: ["WhoAmI", "show who you are and what you may do"],
    register: ["Register", "make an account where registration is open"],
    "change-password": ["ChangePassword", "change your password"],
  }),
];
