import { Command as Program } from "commander";
import { COMMANDS, type Command } from "./commands.js";
import { flagsOf, secretFieldsOf } from "./flags.js";
import { asksFor, type Invocation } from "./run.js";

/** Flags that every subcommand and the dashboard take. */
export interface GlobalFlags {
  readonly server?: string;
  readonly data?: string;
  readonly ca?: string;
}

export interface ProgramHandlers {
  readonly dashboard: (flags: GlobalFlags & Readonly<Record<string, unknown>>) => Promise<void>;
  readonly command: (command: Command, invocation: Invocation, flags: GlobalFlags) => Promise<void>;
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
    .option("--readonly", "dashboard: hide everything that changes something")
    .option("--unicode", "dashboard: use Unicode whatever the locale says")
    .option("--ascii", "dashboard: use ASCII only")
    .option("--theme <name>", "dashboard: dark, light, mono or 16")
    .option("--refresh <hz>", "dashboard: 0.5, 1, 2 or 4 updates a second")
    .option("--mouse", "dashboard: use the mouse")
    .enablePositionalOptions()
    .action((flags: GlobalFlags & Record<string, unknown>) => handlers.dashboard(flags));
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
    const group = program.command(noun).description(`${verbsOf(commands)} (see --help)`);
    for (const command of commands) addVerb(group, command, program, handlers);
  }
  program.addHelpText(
    "after",
    "\nSecrets are asked for or read from stdin, never taken from the command line.\nEach subcommand has --help and --json.",
  );
  return program;
}

function addVerb(
  group: Program,
  command: Command,
  program: Program,
  handlers: ProgramHandlers,
): void {
  const verb = group.command(command.verb).description(command.help);
  for (const name of command.positional)
    verb.argument(isOptional(command, name) ? `[${name}]` : `<${name}>`);
  for (const flag of flagsOf(command)) {
    const usage = flag.placeholder === "" ? "" : ` ${flag.placeholder}`;
    verb.option(`--${flag.name}${usage}`, flag.help);
  }
  for (const field of secretFieldsOf(command.method.input)) {
    if (asksFor(command, field.name)) continue;
    verb.option(`--ask-${field.name}`, `ask for the ${field.name.replaceAll("_", " ")}`);
  }
  if (command.asks) verb.option("--yes", "do it without asking");
  verb.option("--json", "print JSON");
  verb.action(async (...args: unknown[]) => {
    const positional = args
      .slice(0, command.positional.length)
      .filter((arg) => typeof arg === "string");
    const flags = verb.opts<Record<string, unknown>>();
    const byName = Object.fromEntries(
      verb.options.map((option) => [option.long?.slice(2) ?? "", flags[option.attributeName()]]),
    );
    const invocation = {
      positional,
      flags: byName,
      json: byName["json"] === true,
      yes: byName["yes"] === true,
    };
    await handlers.command(command, invocation, program.opts<GlobalFlags>());
  });
}

function isOptional(command: Command, name: string): boolean {
  const field = command.method.input.fields.find((each) => each.name === name);
  return field?.oneof !== undefined;
}

function verbsOf(commands: readonly Command[]): string {
  return commands.map((command) => command.verb).join(", ");
}
