import { presetProviders } from "../../server/catalog/presets.js";
import { UNLIMITED } from "../../server/core/limits.js";
import { POLICY, type Caller } from "../../server/keys/policy-table.js";
import { SETTINGS } from "../../server/keys/settings-table.js";
import { callMetrics } from "../../server/observe/call-metrics.js";
import {
  accountingMetrics,
  keyMetrics,
  poolMetrics,
  processMetrics,
  proxyPortMetrics,
  traceMetrics,
} from "../../server/observe/server-metrics.js";
import { OPTIONS, type Option } from "../../server/options.js";
import { COMMANDS } from "../../tui/cli/commands.js";
import { endpoints } from "./endpoints.js";
import { errors, errorTypes, reasons } from "./errors.js";
import { keyTable } from "./keys.js";
import { callLimits, controlLimits, limitsOfPeople, namedLimits } from "./limits.js";
import { bullet, code, table } from "./markdown.js";
import { rpcs } from "./rpcs.js";
import { commentedLines, read } from "./sources.js";
import { losses } from "./translation.js";

/** Tables of the documentation that come from the code, by the name in their markers. */
export const TABLES: Readonly<Record<string, (root: string) => string>> = {
  options,
  settings,
  limits: callLimits,
  strangers: controlLimits,
  people: limitsOfPeople,
  constants: namedLimits,
  metrics,
  endpoints,
  presets,
  allocation,
  errors,
  errorTypes,
  reasons,
  rpcs: rpcTables,
  permissions,
  cli,
  keys: keyTable,
  losses,
};

const NAMES = { OPENAI: "OpenAI's dialect", ANTHROPIC: "Anthropic's", GEMINI: "Gemini's" } as const;

function options(): string {
  return OPTIONS.map((option) => {
    const flag = `--${option.flag}${option.placeholder === "" ? "" : ` ${option.placeholder}`}`;
    return bullet(
      `${code(flag)}${defaultOf(option.fallback)}: ${option.help}${otherNames(option)}`,
    );
  }).join("\n");
}

function defaultOf(fallback: unknown): string {
  const isNone = fallback === "" || (Array.isArray(fallback) && fallback.length === 0);
  return isNone || typeof fallback === "boolean" ? "" : `, **${String(fallback)}**`;
}

/** Those of its names that do not follow from the flag's. */
function otherNames({ flag, env, key }: Option): string {
  const variable = `LATCHKEY_${flag.replaceAll("-", "_").toUpperCase()}`;
  const camel = flag.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
  const names = [...(env === variable ? [] : [env]), ...(key === camel ? [] : [key])];
  return names.length === 0 ? "" : ` (${names.map((name) => code(name)).join(", ")})`;
}

function settings(root: string): string {
  const proto = read(root, "proto/latchkey/v1/system.proto");
  const message = /^message Settings \{[\s\S]*?^\}/m.exec(proto)?.[0] ?? "";
  const lines = commentedLines(message, /^\s+[\w.]+ \w+ = \d+;/);
  const meanings = new Map(
    lines.map(({ comment, code: line }) => [/(\w+) = \d+;/.exec(line)?.[1], comment]),
  );
  return Object.entries(SETTINGS)
    .map(([name, { fallback }]) => {
      const snake = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      const shown = fallback === UNLIMITED ? "none" : String(fallback);
      const meaning = withoutDefault(meanings.get(snake) ?? "");
      return bullet(`${code(snake)}, **${shown}**: ${meaning}`);
    })
    .join("\n");
}

function allocation(root: string): string {
  const proto = read(root, "proto/latchkey/v1/pool.proto");
  const message = /^message Allocation \{[\s\S]*?^\}/m.exec(proto)?.[0] ?? "";
  return commentedLines(message, /^\s+(?:\w+ )?\w+ \w+ = \d+/)
    .map(({ comment, code: line }) =>
      bullet(`${code(/(\w+) = /.exec(line)?.[1] ?? "")}: ${comment}`),
    )
    .join("\n");
}

/** It stands beside the name. */
function withoutDefault(meaning: string): string {
  return meaning.replace(/ Default [^.;]+(?:\.|;(?= ))/, "");
}

function presets(): string {
  return presetProviders(0)
    .map(({ slug, dialect, description }) =>
      bullet(`${code(slug)} (${NAMES[dialect]}): ${description}`),
    )
    .join("\n");
}

function metrics(): string {
  // Names and help are fixed; nothing is read.
  const never = (): never => {
    throw new Error("the documentation reads no values");
  };
  const families = [
    ...callMetrics({ totals: never, inflight: never, providerName: never }),
    ...accountingMetrics(never),
    ...proxyPortMetrics(never),
    ...poolMetrics(never),
    ...keyMetrics(never),
    ...traceMetrics(never),
    ...processMetrics(never),
  ];
  return families
    .map(({ name, type, help }) => bullet(`${code(name)}, ${type}: ${help}`))
    .join("\n");
}

function rpcTables(root: string): string {
  const all = rpcs(root);
  return [...new Set(all.map(({ service }) => service))]
    .map((service) => {
      const items = all
        .filter((rpc) => rpc.service === service)
        .map(({ name, streams, comment }) =>
          bullet(`${code(name)}${streams ? " (a stream)" : ""}: ${comment}`),
        );
      return `### ${service}\n\n${items.join("\n")}`;
    })
    .join("\n\n");
}

function permissions(): string {
  const callers: readonly Caller[] = ["ADMIN", "OPERATOR", "USER", "CLIENT_KEY", "ANONYMOUS"];
  const words = { ALLOW: "all", OWN: "own", DENY: "" } as const;
  return table(
    ["verb", "admin", "operator", "user", "client key", "nobody"],
    Object.entries(POLICY).map(([verb, row]) => [
      code(verb),
      ...callers.map((caller) => words[row[caller]]),
    ]),
  );
}

function cli(): string {
  return table(
    ["command", "what it does", "RPC"],
    COMMANDS.map(({ noun, verb, help, method }) => [
      code(`latchkey ${noun} ${verb}`),
      help,
      code(method.name),
    ]),
  );
}
