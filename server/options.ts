/**
 * Every setting of the server, once: flags, environment variables, the configuration file, `--help` and
 * the table in docs/operations.md all come from here.
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

const integerIn =
  (min: number, max: number) =>
  (raw: unknown): number | undefined => {
    const value = typeof raw === "number" ? raw : Number(text(raw) ?? Number.NaN);
    return Number.isInteger(value) && value >= min && value <= max ? value : undefined;
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
    parse: text,
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
    key: "controlHost",
    flag: "control-host",
    env: "LATCHKEY_CONTROL_HOST",
    placeholder: "<address>",
    help: "address of the control API",
    expects: "an address",
    fallback: "127.0.0.1",
    parse: text,
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
    help: "PEM certificate chain; with --tls-key both ports speak TLS",
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
    help: "where the root key is: file, file:<path>, passphrase, credential:<name>, env, or transit:<url>",
    expects: "file, file:<path>, passphrase, credential:<name>, env, or transit:<url>",
    fallback: "file",
    parse: (raw: unknown): string | undefined => {
      const value = text(raw);
      return value !== undefined &&
        /^(file|passphrase|env|(file|credential|transit):.+)$/.test(value)
        ? value
        : undefined;
    },
  }),
  option({
    key: "allowUpstreamCidr",
    flag: "allow-upstream-cidr",
    env: "LATCHKEY_ALLOW_UPSTREAM_CIDR",
    placeholder: "<blocks>",
    help: "private address blocks, separated by commas, in which a provider's base URL may lie; plain http is allowed there",
    expects: "a list such as 10.0.0.0/8,127.0.0.0/8",
    fallback: [],
    parse: list,
  }),
  option({
    key: "trustedProxies",
    flag: "trusted-proxies",
    env: "LATCHKEY_TRUSTED_PROXIES",
    placeholder: "<blocks>",
    help: "address blocks whose X-Forwarded-For is believed for the caller's address",
    expects: "a list such as 10.0.0.0/8,127.0.0.0/8",
    fallback: [],
    parse: list,
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
