import { CONNECTION_LIMITS } from "../../server/control/connections.js";
import { STRANGER_LIMITS } from "../../server/control/strangers.js";
import * as durations from "../../server/core/durations.js";
import { GATEWAY_LIMITS, type GatewayLimits } from "../../server/gateway/limits.js";
import { UPSTREAM_LIMITS } from "../../server/upstream/limits.js";
import { bullet, code, figure, sublist } from "./markdown.js";
import { commentedLines, read, sourcesBelow } from "./sources.js";

/** A limit as a page shows it. */
interface Limit {
  readonly name: string;
  readonly value: string;
  /** What the code says of it; empty where the name says it all. */
  readonly meaning: string;
}

/** The gateway's own limits, by what a reader looks for. What stands in no row comes behind them. */
const SUBJECTS: readonly (readonly [heading: string, names: readonly (keyof GatewayLimits)[]])[] = [
  [
    "Requests",
    [
      "bodyBytesMax",
      "headerBytesMax",
      "headerLinesMax",
      "modelIdCharsMax",
      "headTimeoutMs",
      "requestTimeoutMs",
      "timeoutCheckMs",
    ],
  ],
  [
    "Callers' connections",
    [
      "callerSocketsMax",
      "callerSocketsPerAddressMax",
      "handshakesPerSecond",
      "handshakesBurst",
      "refusalsPerSecond",
      "keepAliveMs",
      "lastRequestMs",
      "callerIdleMs",
      "drainTimeoutMs",
      "busyPollMicros",
    ],
  ],
  [
    "Attempts",
    [
      "attemptsMax",
      "providerFailuresMax",
      "keyWaitMs",
      "waitingCallsMax",
      "streamHeadTimeoutMs",
      "wholeHeadTimeoutMs",
      "headHoldMs",
      "errorReplyBytesMax",
      "errorReplyTimeoutMs",
    ],
  ],
  ["Replies", ["wholeReplyBytesMax", "eventBytesMax", "replyFilesBytesMax", "taskPauseMs"]],
  [
    "Memory that all calls share",
    [
      "bodyBytesInFlightMax",
      "streamBytesMax",
      "unreadBytesMax",
      "keptResponseBytesMax",
      "homesMax",
    ],
  ],
];

/** Options that change a limit. */
const OPTION_OF: Readonly<Partial<Record<string, string>>> = {
  bodyBytesMax: "`--body-mib-max` changes it.",
  callerSocketsMax: "`--caller-sockets-max` changes it.",
  callerSocketsPerAddressMax: "`--caller-sockets-per-address-max` changes it.",
  busyPollMicros: "`--busy-poll-micros` changes it.",
  drainTimeoutMs: "`--drain-seconds` changes it.",
  socketsPerOriginMax: "`--calls-max` raises it where that is larger.",
};

/** Where the constants are that bound what people have and enter. */
const PEOPLE = "keys";
/** Further folders whose named constants are limits, by what they are about; those that readers meet come first. */
const FOLDERS: readonly (readonly [folder: string, heading: string])[] = [
  ["limits", "Limits of client keys and budgets"],
  ["pool", "Choice of provider keys"],
  ["catalog", "Providers and models"],
  ["gateway", "Calls"],
  ["batches", "Batches, and responses after their call"],
  ["control", "The control API"],
  ["metering", "Records and live figures"],
  ["storage", "The database"],
  ["vault", "The vault"],
  ["observe", "Logs and traces"],
  ["upstream", "Connections to providers"],
  ["caller", "Connections of callers"],
  ["http", "HTTP/1.1"],
  ["dialect", "Dialects and translation"],
  ["core", "Common parts"],
];

const DURATIONS: ReadonlyMap<string, number> = new Map(Object.entries(durations));
const LIMIT =
  /^(?:export )?const ([A-Z][A-Z0-9_]*) = ((?:[0-9][0-9_]*|[A-Z]+_MS)(?: (?:\*|<<) (?:[0-9][0-9_]*|[A-Z]+_MS))*);/;
/** Names that say how much, how long or how many. */
const LIMIT_NAME =
  /_(?:MAX|MIN|MAX_MS|MIN_MS|TIMEOUT_MS|INTERVAL_MS|COOLDOWN_MS|TTL_MS|KEPT|KEPT_MS|KEPT_BYTES|FLUSH_MS|SWEEP_MS|HEARTBEAT_MS|DEFAULT|DEFAULT_MS|LINES|FAILURES|SUCCESSES|RUNNING_MAX)$|^(?:TIMEOUT_MS|KEPT_MS|HEARTBEAT_MS|UNUSED_DAYS|RAMP_MS|BREAKER_BASE_MS|JOURNAL_FILE_BYTES|HISTORY_SECONDS)$/;

/** The figures of calls and of connections to providers, by subject. */
export function callLimits(root: string): string {
  const files = ["server/caller/limits.ts", "server/gateway/limits.ts"];
  const left = new Map(
    limitsOf(root, files, GATEWAY_LIMITS).map((limit) => [limit.name, limit] as const),
  );
  const sections = SUBJECTS.map(([heading, names]) => {
    const own = names.flatMap((name) => left.get(name) ?? []);
    for (const name of names) left.delete(name);
    return section(heading, own);
  });
  const others = left.size === 0 ? [] : [section("Others", [...left.values()])];
  const upstream = limitsOf(root, ["server/upstream/limits.ts"], UPSTREAM_LIMITS);
  return [...sections, ...others, section("Connections to each provider", upstream)].join("\n\n");
}

/** The figures of callers of the control port who show no good credential, and of connections there. */
export function controlLimits(root: string): string {
  return [
    ...limitsOf(root, ["server/control/strangers.ts"], STRANGER_LIMITS),
    ...limitsOf(root, ["server/control/connections.ts"], CONNECTION_LIMITS),
  ]
    .map((limit) => bullet(said(limit)))
    .join("\n");
}

/** The named constants that bound users, keys and what may be entered, by module. */
export function limitsOfPeople(root: string): string {
  return folderList(root, PEOPLE);
}

/** All other named constants of the code, by subject and module. */
export function namedLimits(root: string): string {
  return FOLDERS.map(([folder, heading]) => `## ${heading}\n\n${folderList(root, folder)}`).join(
    "\n\n",
  );
}

function folderList(root: string, folder: string): string {
  return sourcesBelow(root, `server/${folder}`)
    .map((file) => moduleList(root, file))
    .filter((lines) => lines !== "")
    .join("\n");
}

function section(heading: string, limits: readonly Limit[]): string {
  return `### ${heading}\n\n${limits.map((limit) => bullet(said(limit))).join("\n")}`;
}

function said({ name, value, meaning }: Limit): string {
  const words = [meaning, OPTION_OF[name] ?? ""].filter((each) => each !== "").join(" ");
  return words === "" ? shown(name, value) : `${shown(name, value)}. ${words}`;
}

function shown(name: string, value: string): string {
  return `${code(name)}: **${value}**`;
}

function limitsOf(root: string, files: readonly string[], values: object): readonly Limit[] {
  const lines = files.flatMap((file) =>
    commentedLines(read(root, file), /^\s+readonly \w+: number;/),
  );
  const meanings = new Map(
    lines.map(({ comment, code: line }) => [/readonly (\w+)/.exec(line)?.[1], comment]),
  );
  return Object.entries(values as Record<string, number>).map(([name, value]) => ({
    name,
    value: figure(value, name),
    meaning: meanings.get(name) ?? "",
  }));
}

/** The constants of one file, those whose name says it all in one line; empty where it has none. */
function moduleList(root: string, file: string): string {
  const limits = constantsOf(root, file);
  const plain = limits.filter(({ meaning }) => meaning === "");
  const told = limits.filter(({ meaning }) => meaning !== "").map((limit) => said(limit));
  const rest = plain.map(({ name, value }) => shown(name, value)).join(", ");
  const name = file.slice("server/".length, -".ts".length);
  return sublist(code(name), rest === "" ? told : [...told, rest]);
}

function constantsOf(root: string, file: string): readonly Limit[] {
  return commentedLines(read(root, file), LIMIT).flatMap(({ comment, code: line }) => {
    const [, name = "", expression = ""] = LIMIT.exec(line) ?? [];
    if (!LIMIT_NAME.test(name)) return [];
    return [{ name, value: figure(valueOf(expression), name), meaning: comment }];
  });
}

/** `64 * 1024`, `1 << 20`, `10_000`, `30 * DAY_MS`: all that limits are written with. */
function valueOf(expression: string): number {
  const [base = "0", shift] = expression.split("<<");
  const product = base.split("*").reduce((sum, factor) => sum * numberOf(factor.trim()), 1);
  return shift === undefined ? product : product * 2 ** Number(shift);
}

function numberOf(factor: string): number {
  return DURATIONS.get(factor) ?? Number(factor.replaceAll("_", ""));
}
