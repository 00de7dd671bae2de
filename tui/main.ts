import { createInterface } from "node:readline/promises";
import type { DescService } from "@bufbuild/protobuf";
import { SessionService } from "../proto/gen/latchkey/v1/sessions_pb.js";
import { ApiError } from "./api/api-error.js";
import { findTarget, openChannel, tokenFile, type Target } from "./api/channel.js";
import { createServiceClient, type ServiceClient } from "./api/client.js";
import { forgetToken, storeToken } from "./cli/login.js";
import { createProgram, type GlobalFlags } from "./cli/program.js";
import { resolveId } from "./cli/resolve-id.js";
import { complaintOf, EXIT_CODES, exitCodeOf } from "./cli/exit-code.js";
import type { CliPort } from "./cli/port.js";
import { runCommand } from "./cli/run.js";
import { printStatus } from "./cli/status.js";
import { readSecret } from "./cli/secrets.js";
import { VERSION } from "./version.js";

const TIMEOUT_MS = 30_000;

/** The `latchkey` command: no subcommand opens the dashboard, a subcommand runs and ends. */
export async function main(argv: readonly string[]): Promise<void> {
  const program = createProgram(VERSION, {
    dashboard: async (flags) => {
      // Loaded only here: a script's subcommand must not pay for the terminal libraries.
      const { openDashboard } = await import("./app/dashboard.js");
      await openDashboard(target(flags), flags);
    },
    command: (command, invocation, flags) =>
      withClient(target(flags), async (port) => {
        const good = await runCommand(command, invocation, port);
        if (!good) process.exitCode = EXIT_CODES.refused;
      }),
    status: (json, flags) => withClient(target(flags), (port) => printStatus(json, port)),
    login: (username, flags) => login(username, target(flags)),
    logout: (flags) => logout(target(flags)),
  });
  // `latchkey calls list | head` closes the pipe early; that is not an error.
  process.stdout.once("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(EXIT_CODES.done);
    process.stderr.write(`latchkey: stdout cannot be written: ${error.message}\n`);
    process.exit(EXIT_CODES.refused);
  });
  try {
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    process.exitCode = exitCodeOf(error);
    const complaint = complaintOf(error);
    if (complaint !== undefined) process.stderr.write(`latchkey: ${complaint}\n`);
  }
}

function target(flags: GlobalFlags): Target {
  const { server, data, ca: caFile } = flags;
  return findTarget({ server, data, caFile }, process.env);
}

async function login(username: string, to: Target): Promise<void> {
  // An old session would be refused before the password is looked at.
  await withClient({ ...to, token: undefined }, async (port) => {
    const password = await readSecret("password", port.secrets);
    const answer = await port.client(SessionService).login({ username, password });
    const file = tokenFile(process.env);
    storeToken(file, answer.sessionToken);
    port.write(`Signed in as ${username}; the session is kept in ${file}.\n`);
  });
}

async function logout(from: Target): Promise<void> {
  await withClient(from, async (port) => {
    try {
      await port.client(SessionService).logout({});
    } finally {
      forgetToken(tokenFile(process.env));
    }
    port.write("Signed out.\n");
  });
}

async function withClient(to: Target, work: (port: CliPort) => Promise<void>): Promise<void> {
  const channel = openChannel(to);
  const interrupt = new AbortController();
  const onInterrupt = (): void => interrupt.abort();
  process.once("SIGINT", onInterrupt);
  const options = { channel, token: () => to.token, timeoutMs: TIMEOUT_MS };
  const client = <S extends DescService>(service: S): ServiceClient<S> =>
    createServiceClient(service, options);
  try {
    await work({
      client,
      secrets: { input: process.stdin, prompt: process.stderr },
      write: (text) => process.stdout.write(text),
      writeBytes: (bytes) => process.stdout.write(bytes),
      tell: (text) => process.stderr.write(text),
      confirm,
      toTerminal: process.stdout.isTTY,
      width: process.stdout.isTTY ? process.stdout.columns || Infinity : Infinity,
      resolveId: (noun, field, text) => resolveId(client, noun, field, text),
      nowMs: () => Date.now(),
      signal: interrupt.signal,
    });
  } catch (error) {
    // A stream that a person ended with Ctrl-C has done its work.
    if (!(interrupt.signal.aborted && error instanceof ApiError)) throw error;
  } finally {
    process.removeListener("SIGINT", onInterrupt);
    channel.close();
  }
}

async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) return false;
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `)).trim());
  } finally {
    lines.close();
  }
}
