import "./node-modules.js";
import { useSmallHeaders } from "./small-headers.js";
import { spareMemory, spareTime } from "./v8-flags.js";

/**
 * Runs the server until a signal ends it. Exit codes: 0 stopped cleanly, 1 could not start or stop, 2 wrong usage.
 * `program`: what a person types to ask this server.
 */
export async function main(argv: readonly string[], program = "latchkey"): Promise<void> {
  useSmallHeaders();
  spareMemory();
  // Not before: to load the modules is most of what a start allocates.
  const { run } = await import("./run.js");
  await run(argv, program, spareTime);
}
