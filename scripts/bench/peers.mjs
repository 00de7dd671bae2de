// `npm run bench`: Latchkey against a bare Node proxy, nginx and Portkey where they are installed, interleaved in one run.
// Absolute figures depend on the machine; the ratios are what counts.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { startScript } from "./children.mjs";
import { load } from "./loads.mjs";
import { numberOption, textOption } from "./options.mjs";
import { cpuMicros, residentMiB } from "./process-figures.mjs";
import { startLatchkey, startNginx, startPortkey } from "./targets.mjs";

const options = {
  seconds: numberOption("seconds", 2),
  rounds: numberOption("rounds", 3),
  connections: numberOption("connections", 32),
  json: textOption("json", undefined),
};

/** Until the compilers of the Node targets have come to rest; the first seconds cost twice as much. */
const WARM_UP_SECONDS = 6;
/** How long nothing is asked before the memory of a process at rest is read; V8 waits 8 s before it tidies up. */
const REST_MS = 15_000;

const folder = mkdtempSync(path.join(os.tmpdir(), "latchkey-bench-"));
const stops = [];
try {
  const upstream = await startScript("upstream.mjs", ["0"], stops);
  const origin = `http://127.0.0.1:${upstream.port}`;
  const bare = await startScript("bare-proxy.mjs", ["0", origin], stops);
  const targets = [
    { name: "direct", port: upstream.port, pid: upstream.pid, headers: {} },
    { name: "bare node", port: bare.port, pid: bare.pid, headers: {} },
    await startNginx({ folder, upstreamPort: upstream.port, stops }),
    await startPortkey({ origin, stops }),
    await startLatchkey({ folder, origin, stops }),
  ].filter((target) => target !== undefined);
  await wait(REST_MS);
  const rested = new Map(targets.map(({ name, pid }) => [name, residentMiB(pid)]));
  const results = await measureAll(targets);
  await wait(REST_MS);
  for (const { name, pid } of targets) {
    results.get(name).memory = { rested: rested.get(name), afterwards: residentMiB(pid) };
  }
  report(results);
} finally {
  for (const stop of stops.toReversed()) await stop();
  rmSync(folder, { recursive: true, force: true });
}

async function measureAll(targets) {
  const results = new Map(targets.map(({ name }) => [name, { whole: [], stream: [] }]));
  for (let round = 0; round <= options.rounds; round++) {
    for (const target of targets) {
      for (const kind of ["whole", "stream"]) {
        process.stderr.write(`round ${round}/${options.rounds} ${kind} ${target.name}          \r`);
        const figures = measure(target, kind, round === 0 ? WARM_UP_SECONDS : options.seconds);
        // The first round only warms up.
        if (round > 0) results.get(target.name)[kind].push(figures);
      }
    }
  }
  process.stderr.write("\n");
  return results;
}

function measure(target, kind, seconds) {
  const before = cpuMicros(target.pid);
  const { done, took, p50, p99 } = load(target, kind, { ...options, seconds });
  return {
    rps: done / took,
    cpu: (cpuMicros(target.pid) - before) / done,
    p50,
    p99,
  };
}

function report(results) {
  const medians = [...results].map(([name, kinds]) => [
    name,
    medianOf(kinds.whole),
    medianOf(kinds.stream),
    kinds.memory,
  ]);
  const ours = medians.find(([name]) => name === "latchkey");
  const line = (cells) =>
    cells
      .map((cell, i) => (i === 0 ? String(cell).padEnd(10) : String(cell).padStart(10)))
      .join("");
  console.log(
    line(["", "req/s", "us CPU", "p50 ms", "p99 ms", "stream/s", "us CPU", "at rest", "after"]),
  );
  for (const [name, whole, stream, memory] of medians) {
    console.log(
      line([
        name,
        whole.rps.toFixed(0),
        whole.cpu.toFixed(1),
        whole.p50.toFixed(2),
        whole.p99.toFixed(2),
        stream.rps.toFixed(0),
        stream.cpu.toFixed(0),
        memory.rested.toFixed(0),
        memory.afterwards.toFixed(0),
      ]),
    );
  }
  console.log(
    `\nat rest, after: resident MiB before the first call and after the last, each time when nothing was asked for ${REST_MS / 1000} s`,
  );
  console.log(
    "\nLatchkey ÷ the other, CPU per request (lower is better) and requests a second (higher is better):",
  );
  for (const [name, whole, stream] of medians.filter(([each]) => each !== "latchkey")) {
    console.log(
      line([
        name,
        `cpu ${(ours[1].cpu / whole.cpu).toFixed(2)}`,
        `rps ${(ours[1].rps / whole.rps).toFixed(2)}`,
        `sse ${(ours[2].cpu / stream.cpu).toFixed(2)}`,
      ]),
    );
  }
  console.log(
    `\n${os.cpus()[0]?.model ?? "?"} × ${os.cpus().length}, Node ${process.versions.node}, ${options.connections} connections, ${options.rounds} × ${options.seconds} s`,
  );
  if (options.json !== undefined)
    writeFileSync(options.json, JSON.stringify(Object.fromEntries(results), null, 2));
}

function medianOf(rounds) {
  const median = (key) =>
    rounds.map((round) => round[key]).toSorted((a, b) => a - b)[rounds.length >> 1];
  return {
    rps: median("rps"),
    cpu: median("cpu"),
    p50: median("p50"),
    p99: median("p99"),
  };
}
