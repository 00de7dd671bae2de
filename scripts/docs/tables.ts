import { Code } from "@connectrpc/connect";
import { CONNECT_CODES } from "../../server/control/faults.js";
import { FAULT_CODES } from "../../server/core/fault.js";
import { UNLIMITED } from "../../server/core/limits.js";
import type { Dialect } from "../../server/core/provider.js";
import { CODECS } from "../../server/dialect/codecs.js";
import { ENDPOINTS } from "../../server/gateway/endpoints.js";
import { HTTP_STATUS } from "../../server/gateway/fault-status.js";
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
import { OPTIONS } from "../../server/options.js";
import { COMMANDS } from "../../tui/cli/commands.js";
import { keyTable } from "./keys.js";
import { callLimits, controlLimits, namedLimits } from "./limits.js";
import { code, table } from "./markdown.js";
import { rpcs } from "./rpcs.js";
import { commentedLines, read } from "./sources.js";
import { losses } from "./translation.js";

/** Tables of the documentation that come from the code, by the name in their markers. */
export const TABLES: Readonly<Record<string, (root: string) => string>> = {
  options,
  settings,
  limits: callLimits,
  strangers: controlLimits,
  constants: namedLimits,
  metrics,
  endpoints,
  errors,
  rpcs: rpcTables,
  permissions,
  cli,
  keys: keyTable,
  losses,
};

function options(): string {
  return table(
    ["flag", "variable", "key in the file", "default", "meaning"],
    OPTIONS.map((option) => [
      code(`--${option.flag}${option.placeholder === "" ? "" : ` ${option.placeholder}`}`),
      code(option.env),
      code(option.key),
      defaultOf(option.fallback),
      option.help,
    ]),
  );
}

function defaultOf(fallback: unknown): string {
  if (fallback === "" || (Array.isArray(fallback) && fallback.length === 0)) return "";
  return code(String(fallback));
}

function settings(root: string): string {
  const proto = read(root, "proto/latchkey/v1/system.proto");
  const message = /^message Settings \{[\s\S]*?^\}/m.exec(proto)?.[0] ?? "";
  const lines = commentedLines(message, /^\s+[\w.]+ \w+ = \d+;/);
  const meanings = new Map(
    lines.map(({ comment, code: line }) => [/(\w+) = \d+;/.exec(line)?.[1], comment]),
  );
  return table(
    ["setting", "default", "meaning"],
    Object.entries(SETTINGS).map(([name, { fallback }]) => {
      const snake = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      const shown = fallback === UNLIMITED ? "none" : code(String(fallback));
      return [code(snake), shown, withoutDefault(meanings.get(snake) ?? "")];
    }),
  );
}

/** A column of its own says it. */
function withoutDefault(meaning: string): string {
  return meaning.replace(/ Default [^.;]+(?:\.|;(?= ))/, "");
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
  return table(
    ["metric", "type", "meaning"],
    families.map(({ name, type, help }) => [code(name), type, help]),
  );
}

function endpoints(): string {
  const rows = ENDPOINTS.map(({ method, path, dialect, kind, tokens, streams }) => [
    code(`${method} ${path}`),
    dialect.toLowerCase(),
    kind === "LOCAL" ? "Latchkey" : "a provider",
    { BODY: "if asked", FORMAT: "if asked", ALWAYS: "always", NEVER: "" }[streams],
    { IN_OUT: "input, output", IN: "input", NONE: "" }[tokens],
  ]);
  return table(["endpoint", "dialect", "answered by", "streams", "tokens counted"], rows);
}

const DIALECTS: readonly Dialect[] = ["OPENAI", "ANTHROPIC", "GEMINI"];
/** Faults that end a start, and never reach a caller. */
const START_UP = new Set(FAULT_CODES.slice(FAULT_CODES.indexOf("config_invalid")));

function errors(): string {
  const rows = FAULT_CODES.filter((each) => !START_UP.has(each)).map((fault) => [
    code(fault),
    String(HTTP_STATUS[fault]),
    ...DIALECTS.map((dialect) => code(typeOf(dialect, fault, HTTP_STATUS[fault]))),
    code(Code[CONNECT_CODES[fault]] ?? ""),
  ]);
  return table(["code", "HTTP", "OpenAI type", "Anthropic type", "Gemini status", "gRPC"], rows);
}

/** What the dialect calls such an error. */
function typeOf(dialect: Dialect, fault: string, httpStatus: number): string {
  const problem = { httpStatus, code: fault, message: "", detail: "", requestId: "" };
  const body: unknown = JSON.parse(CODECS[dialect].errorBody(problem));
  const found = /"(?:type|status)":"(?!error")([^"]+)"/.exec(JSON.stringify(body));
  return found?.[1] ?? "";
}

function rpcTables(root: string): string {
  const all = rpcs(root);
  return [...new Set(all.map(({ service }) => service))]
    .map((service) => {
      const rows = all
        .filter((rpc) => rpc.service === service)
        .map(({ name, streams, comment }) => [code(name), streams ? "stream" : "", comment]);
      return `### ${service}\n\n${table(["RPC", "", "what it does"], rows)}`;
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
