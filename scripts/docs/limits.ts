import { CONNECTION_LIMITS } from "../../server/control/connections.js";
import { STRANGER_LIMITS } from "../../server/control/strangers.js";
import * as durations from "../../server/core/durations.js";
import { GATEWAY_LIMITS } from "../../server/gateway/limits.js";
import { UPSTREAM_LIMITS } from "../../server/upstream/limits.js";
import { code, figure, table } from "./markdown.js";
import { commentedLines, read, sourcesBelow } from "./sources.js";

/** Folders whose named constants are limits that an operator may run into. */
const FOLDERS = [
  "gateway",
  "caller",
  "upstream",
  "http",
  "limits",
  "pool",
  "catalog",
  "keys",
  "vault",
  "metering",
  "batches",
  "storage",
  "control",
  "observe",
  "core",
  "dialect",
].map((name) => `server/${name}`);

const DURATIONS: ReadonlyMap<string, number> = new Map(Object.entries(durations));
const LIMIT =
  /^(?:export )?const ([A-Z][A-Z0-9_]*) = ((?:[0-9][0-9_]*|[A-Z]+_MS)(?: (?:\*|<<) (?:[0-9][0-9_]*|[A-Z]+_MS))*);/;
/** Names that say how much, how long or how many. */
const LIMIT_NAME =
  /_(?:MAX|MIN|MAX_MS|MIN_MS|TIMEOUT_MS|INTERVAL_MS|COOLDOWN_MS|TTL_MS|KEPT|KEPT_MS|KEPT_BYTES|FLUSH_MS|SWEEP_MS|HEARTBEAT_MS|DEFAULT|DEFAULT_MS|LINES|FAILURES|SUCCESSES|RUNNING_MAX)$|^(?:TIMEOUT_MS|KEPT_MS|HEARTBEAT_MS|UNUSED_DAYS|RAMP_MS|BREAKER_BASE_MS|JOURNAL_FILE_BYTES|HISTORY_SECONDS)$/;

/** The figures of calls and of connections to providers. */
export function callLimits(root: string): string {
  return table(
    ["limit", "value", "meaning"],
    [
      ...objectRows(root, ["server/caller/limits.ts", "server/gateway/limits.ts"], GATEWAY_LIMITS),
      ...objectRows(root, ["server/upstream/limits.ts"], UPSTREAM_LIMITS),
    ],
  );
}

/** The figures of callers of the control port who show no good credential, and of connections there. */
export function controlLimits(root: string): string {
  return table(
    ["limit", "value", "meaning"],
    [
      ...objectRows(root, ["server/control/strangers.ts"], STRANGER_LIMITS),
      ...objectRows(root, ["server/control/connections.ts"], CONNECTION_LIMITS),
    ],
  );
}

function objectRows(root: string, files: readonly string[], values: object) {
  const lines = files.flatMap((file) =>
    commentedLines(read(root, file), /^\s+readonly \w+: number;/),
  );
  const meanings = new Map(
    lines.map(({ comment, code: line }) => [/readonly (\w+)/.exec(line)?.[1], comment]),
  );
  return Object.entries(values as Record<string, number>).map(([name, value]) => [
    code(name),
    figure(value, name),
    meanings.get(name) ?? "",
  ]);
}

/** The named constants of the code, by module. */
export function namedLimits(root: string): string {
  const rows = FOLDERS.flatMap((folder) =>
    sourcesBelow(root, folder).flatMap((file) =>
      commentedLines(read(root, file), LIMIT).flatMap(({ comment, code: line }) => {
        const [, name = "", expression = ""] = LIMIT.exec(line) ?? [];
        if (!LIMIT_NAME.test(name)) return [];
        const where = file.slice("server/".length, -".ts".length);
        return [[code(name), figure(valueOf(expression), name), code(where), comment]];
      }),
    ),
  );
  return table(["constant", "value", "module", "meaning"], rows);
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
