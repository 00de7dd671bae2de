import { readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { Fault } from "./core/fault.js";
import { isRecord } from "./core/record.js";
import { OPTIONS, type Option, type OptionKey, type OptionValue } from "./options.js";

/** The settings of a start, each from its flag, else its environment variable, else the file, else its default. */
export type Config = { readonly [K in OptionKey]: OptionValue<K> };

/** Where settings can come from, besides the configuration file. */
export interface ConfigSources {
  /** Parsed flags by option key; absent where not given. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** One option in force, as text, and where its value is from. */
export interface ConfigLine {
  readonly name: string;
  readonly value: string;
  readonly source: "default" | "file" | "environment" | "flag";
  readonly description: string;
}

/**
 * Reads and checks all settings. `lines` tell where each is from; none of them holds a secret, for secrets are in files
 * that options name. Throws Fault `config_invalid` naming the setting, its source and what is allowed.
 */
export function readConfig(sources: ConfigSources): {
  readonly config: Config;
  readonly lines: readonly ConfigLine[];
} {
  const configFile = sources.flags["config"] ?? sources.env["LATCHKEY_CONFIG"];
  const file = typeof configFile === "string" ? readFile(configFile) : {};
  const values: Record<string, unknown> = {};
  const lines: ConfigLine[] = [];
  for (const option of OPTIONS) {
    const value = valueOf(option, sources, file);
    values[option.key] = value;
    const source = sourceOf(candidatesOf(option, sources, file));
    lines.push({ name: option.flag, value: String(value), source, description: option.help });
  }
  // The table gives each key its parser, so the values have the types that the table promises.
  const config = values as Config;
  checkPorts(config);
  return { config, lines };
}

/** Addresses that take a port on all others. */
const ALL_ADDRESSES: readonly string[] = ["0.0.0.0", "::"];

/** The system would say that another process uses the port, which is this one. */
function checkPorts({ proxyHost, proxyPort, controlHost, controlPort }: Config): void {
  if (proxyPort !== controlPort || proxyPort === 0) return;
  const hosts = [proxyHost, controlHost];
  if (proxyHost !== controlHost && !hosts.some((host) => ALL_ADDRESSES.includes(host))) return;
  throw new Fault(
    "config_invalid",
    `--proxy-port and --control-port are both ${proxyPort}; give each a port of its own.`,
  );
}

function sourceOf(candidates: readonly Candidate[]): ConfigLine["source"] {
  const at = candidates.findIndex(([raw]) => isGiven(raw));
  return (["flag", "environment", "file"] as const)[at] ?? "default";
}

/** Where data are kept unless an option says otherwise: the XDG data folder of this user. */
function defaultDataFolder(env: Readonly<Record<string, string | undefined>>): string {
  const base = env["XDG_DATA_HOME"] || path.join(env["HOME"] || os.homedir(), ".local", "share");
  return path.join(base, "latchkey");
}

function valueOf(
  option: Option,
  sources: ConfigSources,
  file: Readonly<Record<string, unknown>>,
): unknown {
  for (const [raw, source] of candidatesOf(option, sources, file)) {
    if (!isGiven(raw)) continue;
    const parsed = option.parse(raw);
    if (parsed !== undefined) return parsed;
    throw new Fault("config_invalid", `${source} must be ${option.expects}.`);
  }
  return option.key === "data" ? defaultDataFolder(sources.env) : option.fallback;
}

/** A value that may be given, and the name of its place for a message. */
type Candidate = readonly [raw: unknown, source: string];

/** Flag, environment, file: the first that is given holds. */
function candidatesOf(
  option: Option,
  sources: ConfigSources,
  file: Readonly<Record<string, unknown>>,
): readonly Candidate[] {
  return [
    [sources.flags[option.key], `--${option.flag}`],
    [sources.env[option.env], option.env],
    [file[option.key], `"${option.key}" in the configuration file`],
  ];
}

function isGiven(raw: unknown): boolean {
  return raw !== undefined && raw !== "";
}

function readFile(file: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new Fault("config_invalid", `The configuration file ${file} cannot be read.`, {
      cause: error,
    });
  }
  const parsed = parseObject(file, text);
  const known = new Set<string>(OPTIONS.map((option) => option.key));
  for (const key of Object.keys(parsed)) {
    if (known.has(key)) continue;
    throw new Fault(
      "config_invalid",
      `The configuration file ${file} has an unknown setting "${key}"; \`npm start -- --help\` lists all.`,
    );
  }
  return parsed;
}

function parseObject(file: string, text: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new Fault("config_invalid", `The configuration file ${file} is not valid JSON.`, {
      cause: error,
    });
  }
  if (isRecord(parsed)) return parsed;
  throw new Fault("config_invalid", `The configuration file ${file} must hold one JSON object.`);
}
