import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command } from "commander";
import { createProgram } from "./program.js";

const none = async (): Promise<void> => undefined;

/** What is said of a command line that is wrong. */
async function complaint(...argv: readonly string[]): Promise<string> {
  const program = createProgram("0.1.0", {
    dashboard: none,
    command: none,
    status: none,
    login: none,
    logout: none,
  });
  let said = "";
  const listen = (command: Command): void => {
    command.configureOutput({ writeErr: (text) => void (said += text) });
    command.commands.forEach(listen);
  };
  listen(program);
  await assert.rejects(program.parseAsync([...argv], { from: "user" }));
  return said;
}

test("an option of other command lines is told what it is called here", async () => {
  for (const [line, remedy] of [
    ["calls list --limit 5", "--page-size <number>"],
    ["calls list --limit=5", "--page-size <number>"],
    ["calls list -n 5", "--page-size <number>"],
    ["calls export --limit 5", "--max-calls <number>"],
    ["calls list --output json", "--json"],
    ["status -o json", "--json"],
    ["calls list --sort time", "--order-by <text>"],
    ["usage summary --since 24h", "--range <span>"],
    ["client-keys create --user bob", "--owner <text>"],
    ["client-keys revoke ck_1 --force", "--yes"],
    ["providers create --url x", "--base-url <text>"],
    ["calls list --jsn", "--json"],
  ] as const) {
    const said = await complaint(...line.split(" "));
    assert.match(said, /^latchkey: unknown option /);
    assert(said.includes(`(Did you mean ${remedy}?)`), said);
  }
});

test("every other wrong option or command says where to look", async () => {
  for (const [line, remedy] of [
    ["calls list --colour", "See latchkey calls list --help."],
    ["--verbose-please", "See latchkey --help."],
    ["provider-keys create --key sk-1", "Secrets are asked for or read from stdin."],
    ["calls --limit 5", "Options come behind one of: list, get, watch, export."],
    ["calls tail", "There are list, get, watch, export."],
  ] as const) {
    const said = await complaint(...line.split(" "));
    assert(said.endsWith(`(${remedy})\n`), said);
  }
});
