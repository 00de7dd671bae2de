import { Command, CommanderError, Option as Flag } from "commander";
import { startApp } from "./app.js";
import { bannerText } from "./app/banner.js";
import { httpPost } from "./upstream/http-post.js";
import { readConfig, type Config } from "./config.js";
import { systemClock } from "./core/clock.js";
import { Fault } from "./core/fault.js";
import { systemRandom } from "./core/random.js";
import { Lifecycle, stopOnSignals } from "./lifecycle.js";
import { createLogger } from "./observe/logger.js";
import { OPTIONS } from "./options.js";
import { VERSION } from "./version.js";

/** Runs the server until a signal ends it. Exit codes: 0 stopped cleanly, 1 could not start or stop, 2 wrong usage. */
export async function main(argv: readonly string[]): Promise<void> {
  const config = parseArguments(argv);
  if (config === undefined) return;
  const clock = systemClock;
  const logger = createLogger({ level: config.logLevel });
  const lifecycle = new Lifecycle({ logger, clock });
  const exit = (code: number): void => process.exit(code);
  stopOnSignals({ lifecycle, logger, signals: process, exit });
  try {
    const app = await startApp({
      config,
      env: process.env,
      clock,
      random: systemRandom,
      logger,
      lifecycle,
      httpPost,
    });
    process.stdout.write(bannerText(app.banner));
  } catch (error) {
    complain(error);
    await lifecycle.stop();
    exit(1);
  }
}

/** Undefined when there is nothing to run: help was asked for, or the usage was wrong. */
function parseArguments(argv: readonly string[]): Config | undefined {
  const program = new Command("latchkey-server")
    .description(
      "Vault and gateway for LLM API keys. Every option can also be given as an environment variable or in the JSON file named by --config.",
    )
    .version(VERSION)
    .exitOverride()
    .option("--config <file>", 'JSON file with settings by their key, e.g. { "proxyPort": 8080 }');
  for (const option of OPTIONS) {
    const usage = option.placeholder === "" ? "" : ` ${option.placeholder}`;
    const fallback = describeDefault(option.fallback);
    program.addOption(
      new Flag(
        `--${option.flag}${usage}`,
        `${option.help} [${option.key}, ${option.env}]${fallback}`,
      ),
    );
  }
  try {
    program.parse(argv, { from: "user" });
    const flags: Record<string, unknown> = program.opts();
    const byKey = Object.fromEntries(
      OPTIONS.map((option) => [option.key, flags[camelCase(option.flag)]]),
    );
    return readConfig({ flags: { ...byKey, config: flags["config"] }, env: process.env });
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2;
      return undefined;
    }
    complain(error);
    process.exitCode = 2;
    return undefined;
  }
}

function describeDefault(fallback: unknown): string {
  if (fallback === "" || fallback === false) return "";
  return Array.isArray(fallback) ? "" : ` (default ${String(fallback)})`;
}

function camelCase(flag: string): string {
  return flag.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
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
