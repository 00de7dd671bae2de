import type { TestContext } from "node:test";
import { startApp } from "../../server/app.js";
import { parseCommandLine } from "../../server/command-line.js";
import { systemClock } from "../../server/core/clock.js";
import { systemRandom } from "../../server/core/random.js";
import { Lifecycle } from "../../server/lifecycle.js";
import { LogRing } from "../../server/observe/log-ring.js";
import { createLogger } from "../../server/observe/logger.js";
import { httpGet, httpPost } from "../../server/upstream/own-requests.js";
import { SERVER_FLAGS, type ServerProcess } from "../../scripts/lib/server-process.js";
import { findTarget, openChannel } from "../../tui/api/channel.js";
import { createApi } from "../../tui/api/services.js";

/** What most tests ask of a server, wherever it runs. */
export type RunningServer = Pick<ServerProcess, "api" | "proxyUrl" | "log" | "stop">;

/**
 * A server inside the test's own process, on ports and a socket like any other, ended with the test. It is all that a
 * process of its own is but for signals, kills, exit codes and standard streams, and begins in a tenth of the CPU time:
 * the modules are loaded once for a file.
 */
export async function serveInside(
  t: TestContext,
  folder: string,
  ...args: readonly string[]
): Promise<RunningServer> {
  const asked = parseCommandLine([`--data=${folder}`, ...SERVER_FLAGS, ...args], process.env);
  if (asked === undefined) throw new Error(`${args.join(" ")} starts no server`);
  const { config, lines: configLines } = asked;
  let log = "";
  const [clock, logRing] = [systemClock, new LogRing()];
  const destination = { write: (line: string) => (log += line) };
  const logger = createLogger({ level: config.logLevel, ring: logRing, destination });
  const lifecycle = new Lifecycle({ logger, clock });
  const stop = async (): Promise<number> => ((await lifecycle.stop()) ? 0 : 1);
  t.after(stop);
  const { banner } = await startApp({
    config,
    env: process.env,
    clock,
    random: systemRandom,
    logger,
    lifecycle,
    httpPost,
    httpGet,
    onReload: () => undefined,
    logRing,
    configLines,
    onFirstCaller: () => undefined,
  });
  const channel = openChannel(findTarget({ data: folder }, {}));
  lifecycle.started("its client", () => channel.close());
  const api = createApi(channel, () => undefined);
  return { api, proxyUrl: banner.proxyUrl, log: () => log, stop };
}
