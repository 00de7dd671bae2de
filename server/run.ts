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

/** What a server has of the process it runs in; `process` satisfies it. */
export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  exitCode?: typeof process.exitCode;
  on(event: NodeJS.Signals | "uncaughtException", listener: (cause: unknown) => void): unknown;
  exit(code: number): void;
}

/**
 * What `main` does; `onWork` is called when all is loaded and there is something to do: a restore, or a caller.
 * `program`: what a person types to ask this server.
 */
export async function run(
  argv: readonly string[],
  program: string,
  onWork: () => void,
  host: Host = process,
): Promise<void> {
  const asked = parseArguments(argv, host);
  if (asked === undefined) return;
  const { config } = asked;
  const clock = systemClock;
  const logRing = new LogRing();
  const logger = createLogger({
    level: config.logLevel,
    ring: logRing,
    // A process has a way to write its log that never blocks it.
    ...(host !== process && { destination: host.stderr }),
  });
  const lifecycle = new Lifecycle({ logger, clock });
  const exit = (code: number): void => host.exit(code);
  const world = {
    config,
    env: host.env,
    clock,
    random: systemRandom,
    logger,
    lifecycle,
    httpPost,
    httpGet,
    // Without a listener the signal ends the process, as a terminal that is closed should.
    onReload: (reload: () => void): void => void host.on("SIGHUP", reload),
    logRing,
    configLines: asked.lines,
    onFirstCaller: onWork,
  };
  try {
    if (asked.command === "restore") {
      onWork();
      const say = (line: string): void => void host.stdout.write(`${line}\n`);
      await restore({ ...world, ...asked, input: host.stdin, say });
      return;
    }
    stopOnSignals({ lifecycle, logger, signals: host, exit });
    const app = await startApp(world);
    host.stdout.write(bannerText(app.banner, clientOf(asked, program)));
  } catch (error) {
    complain(error, host);
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
function parseArguments(argv: readonly string[], host: Host): CommandLine | undefined {
  try {
    return parseCommandLine(argv, host.env);
  } catch (error) {
    // Commander has said what is wrong with the usage.
    if (!(error instanceof CommanderError)) complain(error, host);
    host.exitCode = 2;
    return undefined;
  }
}

/** One sentence for what we foresaw; for a bug of ours the whole error, which is worth reporting. */
function complain(error: unknown, host: Host): void {
  const text =
    error instanceof Fault
      ? error.publicMessage
      : error instanceof Error
        ? (error.stack ?? error.message)
        : String(error);
  host.stderr.write(`latchkey: ${text}\n`);
}
