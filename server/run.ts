import { CommanderError } from "commander";
import { startApp } from "./app.js";
import { bannerText, type CommandLineClient } from "./app/banner.js";
import { restore } from "./app/restore.js";
import { parseCommandLine, type CommandLine } from "./command-line.js";
import { systemClock } from "./core/clock.js";
import { Fault } from "./core/fault.js";
import { systemRandom } from "./core/random.js";
import { Lifecycle, stopOnSignals } from "./lifecycle.js";
import { LogRing } from "./observe/log-ring.js";
import { createLogger } from "./observe/logger.js";
import { httpGet, httpPost } from "./upstream/own-requests.js";

/**
 * What `main` does; `onWork` is called when all is loaded and there is something to do: a restore, or a caller.
 * `program`: what a person types to ask this server.
 */
export async function run(
  argv: readonly string[],
  program: string,
  onWork: () => void,
): Promise<void> {
  const asked = parseArguments(argv);
  if (asked === undefined) return;
  const { config } = asked;
  const clock = systemClock;
  const logRing = new LogRing();
  const logger = createLogger({ level: config.logLevel, ring: logRing });
  const lifecycle = new Lifecycle({ logger, clock });
  const exit = (code: number): void => process.exit(code);
  const world = {
    config,
    env: process.env,
    clock,
    random: systemRandom,
    logger,
    lifecycle,
    httpPost,
    httpGet,
    // Without a listener the signal ends the process, as a terminal that is closed should.
    onReload: (reload: () => void): void => void process.on("SIGHUP", reload),
    logRing,
    configLines: asked.lines,
    onFirstCaller: onWork,
  };
  try {
    if (asked.command === "restore") {
      onWork();
      const say = (line: string): void => void process.stdout.write(`${line}\n`);
      await restore({ ...world, ...asked, input: process.stdin, say });
      return;
    }
    stopOnSignals({ lifecycle, logger, signals: process, exit });
    const app = await startApp(world);
    process.stdout.write(bannerText(app.banner, clientOf(asked, program)));
  } catch (error) {
    complain(error);
    await lifecycle.stop();
    exit(1);
  }
}

/** A data folder that this start alone was told of has to be told to the client too. */
function clientOf({ config, lines }: CommandLine, program: string): CommandLineClient {
  const source = lines.find(({ name }) => name === "data")?.source;
  const isTold = source === "flag" || source === "file";
  return { program, dataFolder: isTold ? config.data : undefined };
}

/** Undefined when there is nothing to run: help was asked for, or the usage was wrong. */
function parseArguments(argv: readonly string[]): CommandLine | undefined {
  try {
    return parseCommandLine(argv, process.env);
  } catch (error) {
    // Commander has said what is wrong with the usage.
    if (!(error instanceof CommanderError)) complain(error);
    process.exitCode = 2;
    return undefined;
  }
}

/** One sentence for what we foresaw; for a bug of ours the whole error, which is worth reporting. */
function complain(error: unknown): void {
  const text =
    error instanceof Fault
      ? error.publicMessage
      : error instanceof Error
        ? (error.stack ?? error.message)
        : String(error);
  process.stderr.write(`latchkey: ${text}\n`);
}
