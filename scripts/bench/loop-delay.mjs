// Loaded into the server with --import: at each SIGUSR2 it writes how late the event loop ran since the one before, and begins anew.
import { writeFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";

const RESOLUTION_MS = 10;
const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
// A sample is the time between two wake-ups, of which the resolution is no delay.
const late = (nanos) => Math.max(0, nanos / 1e6 - RESOLUTION_MS) || 0;
delays.enable();
process.on("SIGUSR2", () => {
  const { count, max } = delays;
  const [p50, p99] = [50, 99].map((share) => late(delays.percentile(share)));
  const rssMiB = process.memoryUsage().rss / 2 ** 20;
  writeFileSync(
    process.env.LATCHKEY_BENCH_SEEN,
    JSON.stringify({ count, p50, p99, max: late(max), rssMiB }),
  );
  delays.reset();
});
