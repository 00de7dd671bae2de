import { Fault } from "../../core/fault.js";
import { Attributes, type OtlpAttribute } from "./otlp.js";

/** Where traces go and what they say of this process. */
export interface TraceConfig {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Share of the traces that begin here which is kept, from 0 to 1. */
  readonly sampleRatio: number;
  readonly resource: readonly OtlpAttribute[];
}

/** For one export, where no variable says otherwise. */
const TIMEOUT_MS = 10_000;
const TIMEOUT_MS_MAX = 60_000;
const SERVICE_NAME = "latchkey";
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HEADER_VALUE = /^[\t -~]*$/;

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Puts together the server's own options and OpenTelemetry's variables; undefined when no endpoint is named
 * or `OTEL_SDK_DISABLED` is true. Throws Fault `config_invalid`, which never repeats a header's value.
 */
export function readTraceConfig(options: {
  /** Base URL of a collector, empty for none; comes before the variables. */
  readonly endpoint: string;
  readonly sampleRatio: number;
  readonly version: string;
  /** Tells this process from others of the same service. */
  readonly instanceId: string;
  readonly env: Env;
}): TraceConfig | undefined {
  const { env } = options;
  if (env["OTEL_SDK_DISABLED"]?.toLowerCase() === "true") return undefined;
  const url = endpointOf(options.endpoint, env);
  if (url === undefined) return undefined;
  return {
    url,
    headers: {
      ...headersOf(env, "OTEL_EXPORTER_OTLP_HEADERS"),
      ...headersOf(env, "OTEL_EXPORTER_OTLP_TRACES_HEADERS"),
      "content-type": "application/json",
    },
    timeoutMs: timeoutOf(env),
    sampleRatio: options.sampleRatio,
    resource: resourceOf(options),
  };
}

function endpointOf(option: string, env: Env): string | undefined {
  const given = env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
  // Only the variable for traces is used as it is; the general one gets the path of the signal appended.
  if (option === "" && given) return checked(given, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
  const base = option || env["OTEL_EXPORTER_OTLP_ENDPOINT"];
  if (!base) return undefined;
  const url = checked(base, option === "" ? "OTEL_EXPORTER_OTLP_ENDPOINT" : "--otlp-endpoint");
  return `${url.replace(/\/+$/, "")}/v1/traces`;
}

function checked(text: string, name: string): string {
  if (isCollectorUrl(text)) return text;
  throw new Fault("config_invalid", `${name} must be ${COLLECTOR_URL}.`);
}

/** What `isCollectorUrl` takes, to follow "must be". */
export const COLLECTOR_URL = "an http:// or https:// URL without a password, a query or a fragment";

export function isCollectorUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  const plain = username === "" && password === "" && search === "" && hash === "";
  return plain && (protocol === "http:" || protocol === "https:");
}

function headersOf(env: Env, name: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [key, value] of pairsOf(env, name)) {
    const header = key.toLowerCase();
    if (!HEADER_NAME.test(header) || !HEADER_VALUE.test(value)) throw notPairs(name);
    headers[header] = value;
  }
  return headers;
}

function timeoutOf(env: Env): number {
  const name = env["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"]
    ? "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"
    : "OTEL_EXPORTER_OTLP_TIMEOUT";
  const text = env[name];
  if (!text) return TIMEOUT_MS;
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value <= TIMEOUT_MS_MAX) return value;
  throw new Fault("config_invalid", `${name} must be milliseconds from 1 to ${TIMEOUT_MS_MAX}.`);
}

function resourceOf(options: {
  readonly version: string;
  readonly instanceId: string;
  readonly env: Env;
}): readonly OtlpAttribute[] {
  const { env } = options;
  const values = new Map<string, string>([
    ["service.name", SERVICE_NAME],
    ["service.version", options.version],
    ["service.instance.id", options.instanceId],
    ...pairsOf(env, "OTEL_RESOURCE_ATTRIBUTES"),
  ]);
  if (env["OTEL_SERVICE_NAME"]) values.set("service.name", env["OTEL_SERVICE_NAME"]);
  const attributes = new Attributes();
  for (const [key, value] of values) attributes.text(key, value);
  return attributes.list;
}

/** `key=value,key=value`, each percent-encoded, as OpenTelemetry's lists are. */
function pairsOf(env: Env, name: string): readonly (readonly [string, string])[] {
  const parts = (env[name] ?? "").split(",").map((part) => part.trim());
  return parts
    .filter((part) => part !== "")
    .map((part) => {
      const at = part.indexOf("=");
      const key = part.slice(0, Math.max(0, at)).trim();
      if (key === "") throw notPairs(name);
      try {
        return [decodeURIComponent(key), decodeURIComponent(part.slice(at + 1).trim())];
      } catch {
        throw notPairs(name);
      }
    });
}

function notPairs(name: string): Fault {
  return new Fault("config_invalid", `${name} must be a list such as key1=value1,key2=value2.`);
}
