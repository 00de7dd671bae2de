// Loaded into the server with --import: at each SIGUSR2 it writes what was allocated for new objects since the one before,
// and what collecting it took of the main thread, and begins anew.
import { writeFileSync } from "node:fs";
import { GCProfiler } from "node:v8";

let profiler = new GCProfiler();
profiler.start();
process.on("SIGUSR2", () => {
  const { statistics } = profiler.stop();
  const used = (heap) => heap.heapStatistics.usedHeapSize;
  let bytes = 0;
  let micros = 0;
  for (const [i, { beforeGC, cost }] of statistics.entries()) {
    micros += cost;
    if (i > 0) bytes += used(beforeGC) - used(statistics[i - 1].afterGC);
  }
  // Of what came before the first collection is not known how much was there already: as much as between any two.
  const collections = statistics.length;
  if (collections > 1) bytes *= collections / (collections - 1);
  writeFileSync(process.env.LATCHKEY_BENCH_SEEN, JSON.stringify({ bytes, micros, collections }));
  profiler = new GCProfiler();
  profiler.start();
});
