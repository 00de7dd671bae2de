import { Command, CommanderError, Option as Flag } from "commander";
import { readConfig, type Config, type ConfigLine } from "./config.js";
import { OPTIONS } from "./options.js";
import { VERSION } from "./version.js";

/** What the process was asked to do. */
export type CommandLine = Settled &
  (
    | { readonly command: "serve" }
    | {
        readonly command: "restore";
        /** A backup file, or a folder with what is in one. */
        readonly backup: string;
        /** Restore although secrets in the backup do not open. */
        readonly acceptUnreadable: boolean;
      }
  );

interface Settled {
  readonly config: Config;
  readonly lines: readonly ConfigLine[];
}

/**
 * Reads the arguments; undefined when there is nothing to run because help or the version was asked for.
 * Throws Fault `config_invalid` for a setting that is not allowed, and CommanderError, which has been
 * printed already, for wrong usage.
 */
export function parseCommandLine(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): CommandLine | undefined {
  const program = describe();
  let asked: { backup: string; acceptUnreadable: boolean } | undefined;
  program.action(() => undefined);
  program
    .command("restore")
    .description(
      "put a backup in the place of the database in the data folder; the server must be stopped",
    )
    .argument("<backup>", "backup file, or a folder with what is in one")
    .option("--accept-unreadable", "restore although some of its secrets do not open")
    .addHelpText("after", "\nGive --data, --root-key and the like as for the server.")
    .exitOverride()
    .action((backup: string, flags: { acceptUnreadable?: boolean }) => {
      asked = { backup, acceptUnreadable: flags.acceptUnreadable === true };
    });
  try {
    program.parse(argv, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return undefined;
    throw error;
  }
  const flags: Record<string, unknown> = program.opts();
  const byKey = Object.fromEntries(
    OPTIONS.map((option) => [option.key, flags[camelCase(option.flag)]]),
  );
  const sources = { flags: { ...byKey, config: flags["config"] }, env };
  const settled = readConfig(sources);
  return asked === undefined
    ? { ...settled, command: "serve" }
    : { ...settled, command: "restore", ...asked };
}

function describe(): Command {
  const program = new Command("latchkey-server")
    .description(
      "Vault and gateway for LLM API keys. Every option can also be given as an environment variable or in the JSON file named by --config.",
    )
    .version(VERSION)
    .exitOverride()
    .allowExcessArguments(false)
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
  return program;
}

function describeDefault(fallback: unknown): string {
  const text = String(fallback);
  return text === "" || fallback === false ? "" : ` (default ${text})`;
}

function camelCase(flag: string): string {
  return flag.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
