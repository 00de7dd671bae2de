#!/usr/bin/env node
// `npm run bench -- garbage`: how much of V8's space for new objects a call takes, and what collecting it takes of the
// main thread. Bytes are the one figure of a call that a busy machine does not move.
//   node scripts/bench/garbage.mjs [--seconds 4] [--connections 32] [--json FILE]
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { startScript, watcher } from "./children.mjs";
import { load } from "./loads.mjs";
import { numberOption, textOption } from "./options.mjs";
import { startLatchkey } from "./targets.mjs";

const options = {
  seconds: numberOption("seconds", 4),
  connections: numberOption("connections", 32),
  json: textOption("json", undefined),
};
/** Until the compilers have come to rest; before that, a call takes twice as much. */
const WARM_UP_SECONDS = 6;

const folder = mkdtempSync(path.join(os.tmpdir(), "latchkey-garbage-"));
const stops = [];
try {
  const upstream = await startScript("upstream.mjs", ["0"], stops);
  const origin = `http://127.0.0.1:${upstream.port}`;
  const { nodeArgs, seen } = watcher("garbage-watch.mjs", folder);
  const target = await startLatchkey({ folder, origin, stops, nodeArgs });
  const results = {};
  for (const kind of ["whole", "stream"]) results[kind] = await measure(target, kind, seen);
  if (options.json !== undefined) writeFileSync(options.json, JSON.stringify(results, null, 2));
} finally {
  for (const stop of stops.toReversed()) await stop();
  rmSync(folder, { recursive: true, force: true });
}

async function measure(target, kind, seen) {
  process.stderr.write(`${kind}: ${WARM_UP_SECONDS + options.seconds} s\n`);
  load(target, kind, { ...options, seconds: WARM_UP_SECONDS });
  await seen(target.pid);
  const { done } = load(target, kind, options);
  const { bytes, micros, collections } = await seen(target.pid);
  if (collections < 2) throw new Error("too few calls for two collections; give it more --seconds");
  const figures = { kib: bytes / 1024 / done, micros: micros / done, calls: done, collections };
  console.log(
    `${kind.padEnd(7)} ${figures.kib.toFixed(1)} KiB a call, ${figures.micros.toFixed(1)} us to collect it (${done} calls, ${collections} collections)`,
  );
  return figures;
}
