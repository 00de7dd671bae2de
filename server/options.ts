import { parseIpBlock } from "./core/ip.js";
import { webOrigin } from "./core/web-origin.js";
import { COLLECTOR_URL, isCollectorUrl } from "./observe/traces/trace-config.js";

/**
 * Every setting of the server, once: flags, environment variables, the configuration file, `--help` and
 * the list in docs/operations.md all come from here.
 */
interface OptionSpec<K extends string, T> {
  readonly key: K;
  readonly flag: string;
  readonly env: string;
  /** What the value looks like in `--help`, e.g. `<port>`; empty for a switch. */
  readonly placeholder: string;
  readonly help: string;
  /** Says what is allowed, to follow "must be". */
  readonly expects: string;
  readonly fallback: T;
  /** Undefined means refused. Flags and variables give text, the file may give numbers, booleans or lists. */
  readonly parse: (raw: unknown) => T | undefined;
}

const text = (raw: unknown): string | undefined =>
  typeof raw === "string" && raw.trim() !== "" ? raw.trim() : undefined;

/** An address as it is in a URL does as well: IPv6 between brackets. */
const host = (raw: unknown): string | undefined => text(text(raw)?.replace(/^\[(.+)\]$/, "$1"));

const integerIn =
  (min: number, max: number) =>
  (raw: unknown): number | undefined => {
    const value = typeof raw === "number" ? raw : Number(text(raw) ?? Number.NaN);
    return Number.isInteger(value) && value >= min && value <= max ? value : undefined;
  };

const share = (raw: unknown): number | undefined => {
  const value = typeof raw === "number" ? raw : Number(text(raw) ?? Number.NaN);
  return value >= 0 && value <= 1 ? value : undefined;
};

const oneOf =
  <T extends string>(...allowed: readonly T[]) =>
  (raw: unknown): T | undefined =>
    allowed.find((value) => value === raw);

const onOff = (raw: unknown): boolean | undefined => {
  if (raw === true || raw === "true" || raw === "1" || raw === "yes") return true;
  if (raw === false || raw === "false" || raw === "0" || raw === "no") return false;
  return undefined;
};

const list = (raw: unknown): readonly string[] | undefined => {
  const parts: unknown[] = Array.isArray(raw) ? raw : (text(raw)?.split(",") ?? []);
  const items = parts.map((part) => text(part));
  return items.length > 0 && items.every((item) => item !== undefined) ? items : undefined;
};

const blocks = (raw: unknown): readonly string[] | undefined => {
  const texts = list(raw);
  return texts?.every((each) => parseIpBlock(each) !== undefined) === true ? texts : undefined;
};

const origins = (raw: unknown): readonly string[] | undefined => {
  const found = list(raw)?.map((each) => (each === "*" ? each : webOrigin(each)));
  return found?.every((each) => each !== undefined) === true ? found : undefined;
};

/** Signatures that only the issuer can make; `none` and the shared-secret family are not among them. */
const JWT_ALGORITHMS: readonly string[] = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];

const LOOPBACK_URL = /^http:\/\/(127\.\d+\.\d+\.\d+|localhost|\[::1\])(:\d+)?(\/|$)/;

const secureUrl = (raw: unknown): string | undefined => {
  const value = text(raw);
  if (value === undefined || !URL.canParse(value)) return undefined;
  return value.startsWith("https://") || LOOPBACK_URL.test(value) ? value : undefined;
};

const rootKeySource = (raw: unknown): string | undefined => {
  const value = text(raw);
  return value !== undefined &&
    /^(file|passphrase|env|(file|credential|env):.+|transit:https?:\/\/.+)$/.test(value) &&
    (!value.startsWith("transit:") || URL.canParse(value.slice("transit:".length)))
    ? value
    : undefined;
};

const ROOT_KEY_SOURCES =
  "file, file:<path>, passphrase, credential:<name>, env, env:<variable>, or transit:<url>";

const PORT = {
  placeholder: "<port>",
  expects: "a port number from 0 to 65535 (0 picks a free one)",
};

function option<const K extends string, T extends string | number | boolean | readonly string[]>(
  spec: OptionSpec<K, T>,
): OptionSpec<K, T> {
  return spec;
}

export const OPTIONS = [
  option({
    key: "data",
    flag: "data",
    env: "LATCHKEY_DATA",
    placeholder: "<folder>",
    help: "folder of the database, the journal, the root key and the local socket (default: $XDG_DATA_HOME/latchkey)",
    expects: "a folder",
    fallback: "",
    parse: text,
  }),
  option({
    key: "proxyHost",
    flag: "proxy-host",
    env: "LATCHKEY_PROXY_HOST",
    placeholder: "<address>",
    help: "address on which SDKs call",
    expects: "an address",
    fallback: "127.0.0.1",
    parse: host,
  }),
  option({
    ...PORT,
    key: "proxyPort",
    flag: "proxy-port",
    env: "LATCHKEY_PROXY_PORT",
    help: "port on which SDKs call",
    fallback: 8080,
    parse: integerIn(0, 65_535),
  }),
  option({
    key: "proxyTlsCert",
    flag: "proxy-tls-cert",
    env: "LATCHKEY_PROXY_TLS_CERT",
    placeholder: "<file>",
    help: "PEM certificate chain; with --proxy-tls-key the proxy port speaks TLS",
    expects: "a file",
    fallback: "",
    parse: text,
  }),
  option({
    key: "proxyTlsKey",
    flag: "proxy-tls-key",
    env: "LATCHKEY_PROXY_TLS_KEY",
    placeholder: "<file>",
    help: "PEM private key of --proxy-tls-cert",
    expects: "a file",
    fallback: "",
    parse: text,
  }),
  option({
    key: "controlHost",
    flag: "control-host",
    env: "LATCHKEY_CONTROL_HOST",
    placeholder: "<address>",
    help: "address of the control API",
    expects: "an address",
    fallback: "127.0.0.1",
    parse: host,
  }),
  option({
    ...PORT,
    key: "controlPort",
    flag: "control-port",
    env: "LATCHKEY_CONTROL_PORT",
    help: "port of the control API (gRPC, gRPC-Web and Connect), /metrics, /healthz and /readyz",
    fallback: 7443,
    parse: integerIn(0, 65_535),
  }),
  option({
    key: "tlsCert",
    flag: "tls-cert",
    env: "LATCHKEY_TLS_CERT",
    placeholder: "<file>",
    help: "PEM certificate chain; with --tls-key the control port speaks TLS",
    expects: "a file",
    fallback: "",
    parse: text,
  }),
  option({
    key: "tlsKey",
    flag: "tls-key",
    env: "LATCHKEY_TLS_KEY",
    placeholder: "<file>",
    help: "PEM private key of --tls-cert",
    expects: "a file",
    fallback: "",
    parse: text,
  }),
  option({
    key: "insecureControl",
    flag: "insecure-control",
    env: "LATCHKEY_INSECURE_CONTROL",
    placeholder: "",
    help: "allow the control API without TLS on an address other than loopback (behind a proxy that adds TLS)",
    expects: "true or false",
    fallback: false,
    parse: onOff,
  }),
  option({
    key: "rootKey",
    flag: "root-key",
    env: "LATCHKEY_ROOT_KEY_SOURCE",
    placeholder: "<source>",
    help: `where the root key is: ${ROOT_KEY_SOURCES}`,
    expects: ROOT_KEY_SOURCES,
    fallback: "file",
    parse: rootKeySource,
  }),
  option({
    key: "nextRootKey",
    flag: "next-root-key",
    env: "LATCHKEY_NEXT_ROOT_KEY_SOURCE",
    placeholder: "<source>",
    help: "where a rotation of the root key takes the new one from, in the same words; tried too when --root-key has another key",
    expects: ROOT_KEY_SOURCES,
    fallback: "",
    parse: rootKeySource,
  }),
  option({
    key: "allowUpstreamCidr",
    flag: "allow-upstream-cidr",
    env: "LATCHKEY_ALLOW_UPSTREAM_CIDR",
    placeholder: "<blocks>",
    help: "private address blocks, separated by commas, in which a provider's base URL may lie; plain http is allowed there",
    expects: "a list such as 10.0.0.0/8,127.0.0.0/8",
    fallback: [],
    parse: blocks,
  }),
  option({
    key: "oidcIssuer",
    flag: "oidc-issuer",
    env: "LATCHKEY_OIDC_ISSUER",
    placeholder: "<url>",
    help: "issuer whose JWTs sign in to the control API, exactly as in their claim `iss`; needs --oidc-audience",
    expects: "a URL that begins with https:// (http:// on loopback only)",
    fallback: "",
    parse: secureUrl,
  }),
  option({
    key: "oidcAudience",
    flag: "oidc-audience",
    env: "LATCHKEY_OIDC_AUDIENCE",
    placeholder: "<name>",
    help: "what the claim `aud` of these JWTs must hold",
    expects: "a name",
    fallback: "",
    parse: text,
  }),
  option({
    key: "oidcJwksUrl",
    flag: "oidc-jwks-url",
    env: "LATCHKEY_OIDC_JWKS_URL",
    placeholder: "<url>",
    help: "where the issuer's public keys are (default: what its discovery document says)",
    expects: "a URL that begins with https:// (http:// on loopback only)",
    fallback: "",
    parse: secureUrl,
  }),
  option({
    key: "oidcAlgorithms",
    flag: "oidc-algorithms",
    env: "LATCHKEY_OIDC_ALGORITHMS",
    placeholder: "<names>",
    help: "signatures that are accepted, separated by commas",
    expects: `a list of ${JWT_ALGORITHMS.join(", ")}`,
    fallback: ["RS256", "ES256", "EdDSA"],
    parse: (raw: unknown): readonly string[] | undefined => {
      const names = list(raw);
      return names?.every((name) => JWT_ALGORITHMS.includes(name)) === true ? names : undefined;
    },
  }),
  option({
    key: "oidcNameClaim",
    flag: "oidc-name-claim",
    env: "LATCHKEY_OIDC_NAME_CLAIM",
    placeholder: "<claim>",
    help: "claim that names the user here, by e-mail address or username; `email` counts only with `email_verified`",
    expects: "the name of a claim",
    fallback: "email",
    parse: text,
  }),
  option({
    key: "oidcClockToleranceSeconds",
    flag: "oidc-clock-tolerance-seconds",
    env: "LATCHKEY_OIDC_CLOCK_TOLERANCE_SECONDS",
    placeholder: "<seconds>",
    help: "by how much the issuer's clock may differ",
    expects: "a number from 0 to 300",
    fallback: 30,
    parse: integerIn(0, 300),
  }),
  option({
    key: "trustedProxies",
    flag: "trusted-proxies",
    env: "LATCHKEY_TRUSTED_PROXIES",
    placeholder: "<blocks>",
    help: "addresses or address blocks, separated by commas, of proxies in front of the proxy port; what they write into X-Forwarded-For is believed",
    expects: "a list such as 10.0.0.0/8,127.0.0.1",
    fallback: [],
    parse: blocks,
  }),
  option({
    key: "corsOrigins",
    flag: "cors-origins",
    env: "LATCHKEY_CORS_ORIGINS",
    placeholder: "<origins>",
    help: "origins, separated by commas, of pages that may call the proxy port from browsers, or * for all",
    expects: "a list such as https://app.example.com,http://localhost:3000, or *",
    fallback: [],
    parse: origins,
  }),
  option({
    key: "callerSocketsMax",
    flag: "caller-sockets-max",
    env: "LATCHKEY_CALLER_SOCKETS_MAX",
    placeholder: "<count>",
    help: "connections of callers at a time; of more, those without a good key are closed, or the newcomer",
    expects: "a number from 1 to 1000000",
    fallback: 16_384,
    parse: integerIn(1, 1_000_000),
  }),
  option({
    key: "callerSocketsPerAddressMax",
    flag: "caller-sockets-per-address-max",
    env: "LATCHKEY_CALLER_SOCKETS_PER_ADDRESS_MAX",
    placeholder: "<count>",
    help: "connections of one address at a time, or its calls through trusted proxies; loopback is not counted",
    expects: "a number from 1 to 1000000",
    fallback: 2_048,
    parse: integerIn(1, 1_000_000),
  }),
  option({
    key: "callsMax",
    flag: "calls-max",
    env: "LATCHKEY_CALLS_MAX",
    placeholder: "<count>",
    help: "calls under way at a time; as many more wait for the setting queue_timeout_ms, and the rest is answered 503",
    expects: "a number from 1 to 1000000",
    fallback: 8_192,
    parse: integerIn(1, 1_000_000),
  }),
  option({
    key: "busyPollMicros",
    flag: "busy-poll-micros",
    env: "LATCHKEY_BUSY_POLL_MICROS",
    placeholder: "<microseconds>",
    help: "how long to look for the next packet, after a call has begun or ended, before the processor may sleep; with 2000 it is awake from some 300 calls a second on",
    expects: "a number from 0 to 10000",
    fallback: 0,
    parse: integerIn(0, 10_000),
  }),
  option({
    key: "otlpEndpoint",
    flag: "otlp-endpoint",
    env: "LATCHKEY_OTLP_ENDPOINT",
    placeholder: "<url>",
    help: "OpenTelemetry collector (OTLP over HTTP) that gets a trace of each call; OTEL_EXPORTER_OTLP_ENDPOINT does as well",
    expects: COLLECTOR_URL,
    fallback: "",
    parse: (raw: unknown): string | undefined => {
      const url = text(raw);
      return url !== undefined && isCollectorUrl(url) ? url : undefined;
    },
  }),
  option({
    key: "traceRatio",
    flag: "trace-ratio",
    env: "LATCHKEY_TRACE_RATIO",
    placeholder: "<share>",
    help: "share of the calls that are traced where the caller's traceparent does not decide it",
    expects: "a number from 0 to 1",
    fallback: 1,
    parse: share,
  }),
  option({
    key: "bodyMiBMax",
    flag: "body-mib-max",
    env: "LATCHKEY_BODY_MIB_MAX",
    placeholder: "<MiB>",
    help: "largest request body on the proxy port",
    expects: "a number from 1 to 1024",
    fallback: 32,
    parse: integerIn(1, 1024),
  }),
  option({
    key: "drainSeconds",
    flag: "drain-seconds",
    env: "LATCHKEY_DRAIN_SECONDS",
    placeholder: "<seconds>",
    help: "how long running calls may go on after SIGTERM",
    expects: "a number from 0 to 3600",
    fallback: 30,
    parse: integerIn(0, 3600),
  }),
  option({
    key: "logLevel",
    flag: "log-level",
    env: "LATCHKEY_LOG_LEVEL",
    placeholder: "<level>",
    help: "debug, info, warn or error",
    expects: "debug, info, warn or error",
    fallback: "info",
    parse: oneOf("debug", "info", "warn", "error"),
  }),
] as const;

export type OptionKey = (typeof OPTIONS)[number]["key"];
export type OptionValue<K extends OptionKey> = Exclude<
  ReturnType<Extract<(typeof OPTIONS)[number], { key: K }>["parse"]>,
  undefined
>;
export type Option = OptionSpec<OptionKey, unknown>;
