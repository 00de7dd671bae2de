// `npm run bench -- traffic`: mixed calls through a server of its own process, whose ledger must equal the provider's count.
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { startServerProcess } from "../lib/server-process.js";
import { loggedSums, wantedSums } from "../../test/support/mixed-audit.js";
import { startMixedProvider } from "../../test/support/mixed-provider.js";
import { prepareMixed, sendMixed, type MixedSeen } from "../../test/support/mixed-traffic.js";
import { INSPECTED, probeMemory, type SettledMemory } from "./settled-memory.js";
import { numberOption, printTable, shown } from "./table.js";

const USAGE = `npm run bench -- traffic [--calls 100000 --callers 32 --step 10000 --soak]

Sends whole and streamed calls of four APIs, some of them refused once, cut or left by their caller, and prints how
fast they went and the server's memory after each step, once all is collected that nobody needs. Fails when the ledger's
rows or roll-ups differ from what the provider has billed. With --soak it also fails when that grew by more than
1 MiB per 100,000 calls in the second half.
`;
const SLOPE_MAX_MIB = 1;
const SLOPE_CALLS = 100_000;

interface Step {
  readonly calls: number;
  readonly perSecond: number;
  readonly memory: SettledMemory;
}

/** Runs the benchmark that `argv` describes and prints its tables. */
export async function main(argv: readonly string[]): Promise<void> {
  if (argv.includes("--help")) {
    process.stdout.write(USAGE);
    return;
  }
  const calls = numberOption(argv, "calls", 100_000);
  const step = numberOption(argv, "step", 10_000);
  const callers = numberOption(argv, "callers", 32);
  const folder = mkdtempSync(path.join(os.tmpdir(), "latchkey-traffic-"));
  const provider = await startMixedProvider();
  const args = ["--log-level", "error"];
  let server = await startServerProcess({ dataFolder: folder, args, nodeArgs: [INSPECTED] });
  try {
    const probe = await probeMemory(server.process.pid ?? 0, server.log());
    const clientKey = await prepareMixed(server.api, provider.origin);
    const seen: MixedSeen[] = [];
    const steps: Step[] = [];
    for (let first = 0; first < calls; first += step) {
      const count = Math.min(step, calls - first);
      const beganMs = performance.now();
      seen.push(await sendMixed({ server, clientKey, first, count, callers }));
      const perSecond = (count / (performance.now() - beganMs)) * 1000;
      steps.push({ calls: first + count, perSecond, memory: await probe.settled() });
      process.stderr.write(`${first + count} calls, ${Math.round(perSecond)} a second    \r`);
    }
    probe.close();
    // A start waits until the database has all that the run before left in the journal.
    await server.stop();
    server = await startServerProcess({ dataFolder: folder, args });
    const { rows, rollup } = await loggedSums(server.api);
    const wanted = wantedSums(provider.bill, seen);
    report(steps, rows, wanted);
    const problems = seen.flatMap(({ wrong }) => wrong);
    if (!isDeepStrictEqual(rows, wanted)) problems.push("the ledger is not what was billed");
    if (!isDeepStrictEqual(rollup.found, rollup.wanted))
      problems.push("the roll-ups are not the rows");
    if (argv.includes("--soak")) problems.push(...tooSteep(steps));
    conclude(problems);
  } finally {
    await server.stop();
    await provider.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function report(
  steps: readonly Step[],
  rows: Awaited<ReturnType<typeof loggedSums>>["rows"],
  wanted: typeof rows,
): void {
  printTable(
    ["calls", "a second", "server's heap, MiB", "RSS, MiB"],
    steps.map(({ calls, perSecond, memory }) => [
      String(calls),
      shown(perSecond),
      shown(memory.heapMib),
      shown(memory.residentMib),
    ]),
  );
  const [heap, resident] = [slopeOf(steps, "heapMib"), slopeOf(steps, "residentMib")];
  process.stdout.write(
    `\nslope of the second half, MiB per 100,000 calls: heap ${shown(heap)}, RSS ${shown(resident)}\n\n`,
  );
  printTable(
    ["API", "calls", "attempts", "answered", "cut", "left", "input tokens", "output tokens"],
    Object.entries(rows).flatMap(([api, sums]) => [
      [`${api}, ledger`, ...cellsOf(sums)],
      [`${api}, billed`, ...cellsOf(wanted[api as keyof typeof wanted])],
    ]),
  );
}

function cellsOf(sums: Awaited<ReturnType<typeof loggedSums>>["rows"]["CHAT"]): string[] {
  const { calls, attempts, answered, cut, left, tokens } = sums;
  return [calls, attempts, answered, cut, left, tokens.input, tokens.output].map(String);
}

function conclude(problems: readonly string[]): void {
  for (const problem of problems.slice(0, 20)) process.stdout.write(`BROKEN: ${problem}\n`);
  if (problems.length > 0) process.exitCode = 1;
}

function tooSteep(steps: readonly Step[]): string[] {
  const slope = Math.max(slopeOf(steps, "heapMib"), slopeOf(steps, "residentMib"));
  return slope > SLOPE_MAX_MIB ? [`memory grew by ${shown(slope)} MiB per 100,000 calls`] : [];
}

/** Least squares over the second half, when caches and heap have taken their size; MiB per 100,000 calls. */
function slopeOf(steps: readonly Step[], what: keyof SettledMemory): number {
  const half = steps.slice(steps.length >> 1);
  if (half.length < 2) return 0;
  const mean = (of: (step: Step) => number): number =>
    half.reduce((sum, each) => sum + of(each), 0) / half.length;
  const calls = mean((each) => each.calls);
  const mib = mean(({ memory }) => memory[what]);
  const over = half.reduce(
    (sum, { calls: at, memory }) => sum + (at - calls) * (memory[what] - mib),
    0,
  );
  const under = half.reduce((sum, each) => sum + (each.calls - calls) ** 2, 0);
  return (over / under) * SLOPE_CALLS;
}
