import { Command as Program } from "commander";
import { COMMANDS, type Command } from "./commands.js";
import { flagsOf, requestFieldsOf, secretFieldsOf } from "./flags.js";
import type { Invocation } from "./port.js";
import { complaint } from "./option-hint.js";
import { askFlag, asksFor } from "./request.js";

/** Flags that every subcommand and the dashboard take. */
export interface GlobalFlags {
  readonly server?: string;
  readonly data?: string;
  readonly ca?: string;
}

export interface ProgramHandlers {
  readonly dashboard: (flags: GlobalFlags & Readonly<Record<string, unknown>>) => Promise<void>;
  readonly command: (command: Command, invocation: Invocation, flags: GlobalFlags) => Promise<void>;
  /** One look at the server, as text or JSON. */
  readonly status: (json: boolean, flags: GlobalFlags) => Promise<void>;
  readonly login: (username: string, flags: GlobalFlags) => Promise<void>;
  readonly logout: (flags: GlobalFlags) => Promise<void>;
}

/** The command line of `latchkey`: without a subcommand it is the dashboard. */
export function createProgram(version: string, handlers: ProgramHandlers): Program {
  const program = new Program("latchkey")
    .description(
      "Vault and gateway for LLM API keys: terminal dashboard, and the same for scripts.",
    )
    .version(version)
    .option(
      "--server <host:port>",
      "control API of another host (default: the socket of this host)",
    )
    .option("--data <folder>", "data folder of the server on this host")
    .option("--ca <file>", "PEM file of a private certificate authority")
    .option("--once", "print one look at the server instead of the dashboard")
    .option("--json", "with --once: print JSON")
    .option("--readonly", "dashboard: hide everything that changes something")
    .option("--unicode", "dashboard: use Unicode whatever the locale says")
    .option("--ascii", "dashboard: use ASCII only")
    .option("--theme <name>", "dashboard: dark, light, mono or 16")
    .option("--refresh <hz>", "dashboard: 0.5, 1, 2 or 4 updates a second")
    .option("--mouse", "dashboard: use the mouse")
    .helpCommand("help [command]", "the same as --help")
    .enablePositionalOptions()
    .exitOverride()
    .allowExcessArguments()
    .action(async (flags: GlobalFlags & Record<string, unknown>, self: Program) => {
      const [unknown] = self.args;
      if (unknown !== undefined) {
        const names = program.commands.map((command) => command.name());
        self.error(`error: unknown command '${unknown}'${meant(unknown, names)}`);
      }
      if (flags["once"] === true) await handlers.status(flags["json"] === true, flags);
      else await handlers.dashboard(flags);
    });
  program
    .command("status")
    .description("one look at the server: state, load, pool, errors")
    .option("--json", "print JSON")
    .action((own: { json?: boolean }) => handlers.status(own.json === true, program.opts()));
  program
    .command("login <username>")
    .description("sign in and keep the session for later commands; asks for the password")
    .action((username: string) => handlers.login(username, program.opts<GlobalFlags>()));
  program
    .command("logout")
    .description("end the session and forget it")
    .action(() => handlers.logout(program.opts<GlobalFlags>()));
  for (const noun of new Set(COMMANDS.map((command) => command.noun))) {
    const commands = COMMANDS.filter((command) => command.noun === noun);
    const group = program.command(noun).description(verbsOf(commands));
    for (const command of commands) addVerb(group, command, program, handlers);
  }
  for (const command of all(program)) {
    command.configureOutput({
      outputError: (message, write) => write(complaint(message, command)),
    });
  }
  program.addHelpText(
    "after",
    [
      "",
      "Secrets are asked for or read from stdin, never taken from the command line.",
      "Each subcommand has --help and --json. Names do where ids are asked for.",
      "A look at it without any key of a provider: npm run demo, in the checkout.",
      "Exit codes: 0 done, 1 refused or bad news, 2 wrong usage, 3 no connection, 4 not signed in.",
    ].join("\n"),
  );
  return program;
}

function all(command: Program): readonly Program[] {
  return [command, ...command.commands.flatMap(all)];
}

/** People write `keys` for either kind, or the singular. */
function meant(word: string, names: readonly string[]): string {
  const stem = word.toLowerCase().replace(/s$/, "");
  const near = stem.length < 3 ? [] : names.filter((name) => name.includes(stem));
  return near.length === 0 ? "" : `; did you mean ${near.join(" or ")}?`;
}

function addVerb(
  group: Program,
  command: Command,
  program: Program,
  handlers: ProgramHandlers,
): void {
  const verb = group.command(command.verb).description(command.help);
  for (const name of command.positional) verb.argument(`<${name}>`, argumentHelp(command, name));
  for (const flag of flagsOf(command)) {
    const usage = flag.placeholder === "" ? "" : ` ${flag.placeholder}`;
    verb.option(`--${flag.name}${usage}`, flag.help);
  }
  for (const field of secretFieldsOf(command)) {
    if (asksFor(command, field.name)) continue;
    verb.option(`--${askFlag(field.name)}`, `ask for the ${field.name.replaceAll("_", " ")}`);
  }
  if (command.asks) verb.option("--yes", "do it without asking");
  if (command.columns.length > 0 && isPaged(command)) verb.option("--all", "every page");
  if (requestFieldsOf(command).length > 0) {
    verb.option("--request", `read the whole ${command.method.input.name} as JSON from stdin`);
  }
  verb.option("--json", "print JSON, one line for each answer");
  verb.action(async (...args: unknown[]) => {
    await handlers.command(command, invocationOf(command, verb, args), program.opts());
  });
}

function invocationOf(command: Command, verb: Program, args: readonly unknown[]): Invocation {
  const positional = args
    .slice(0, command.positional.length)
    .filter((arg) => typeof arg === "string");
  const values = verb.opts<Record<string, unknown>>();
  const flags = Object.fromEntries(
    verb.options.map((option) => {
      const value = values[option.attributeName()];
      // `--no-follow` is kept as `follow`, which is true unless it was given.
      const given = option.negate ? value === false || undefined : value;
      return [option.long?.slice(2) ?? "", given];
    }),
  );
  return {
    positional,
    flags,
    json: flags["json"] === true,
    yes: flags["yes"] === true,
    all: flags["all"] === true,
    request: flags["request"] === true,
  };
}

function argumentHelp(command: Command, name: string): string {
  if (name !== "id") return "";
  const byName = ["provider-keys", "client-keys", "providers", "users"].includes(command.noun);
  return byName ? "its id or its name" : "its id";
}

function isPaged(command: Command): boolean {
  return command.method.input.fields.some(({ name }) => name === "page_token");
}

function verbsOf(commands: readonly Command[]): string {
  return commands.map((command) => command.verb).join(", ");
}
