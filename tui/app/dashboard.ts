import { randomUUID } from "node:crypto";
import { ApiError } from "../api/api-error.js";
import { openChannel, tokenFile, type Target } from "../api/channel.js";
import { createApi, type Api } from "../api/services.js";
import { storeToken } from "../cli/login.js";
import { UsageError } from "../cli/usage-error.js";
import { REFRESH_RATES } from "../state/overview.js";
import { Clipboard } from "../term/clipboard.js";
import { systemClock } from "../term/clock.js";
import type { DisplayWishes } from "../term/environment.js";
import { nodeProcess, type ProcessPort } from "../term/process-port.js";
import { runWithInput } from "../term/run-with-input.js";
import { writeSecretFile } from "../term/secret-file.js";
import { createTerminal, type Terminal } from "../term/terminal.js";
import { isThemeName, themeNames } from "../term/theme.js";
import { VERSION } from "../version.js";
import { writeCrashLog } from "./crash-log.js";
import { createExportFile } from "./export-file.js";
import { App } from "./frame.js";

type Flags = Readonly<Record<string, unknown>>;

const HZ_DEFAULT = 2;

/** What the flags ask for, checked before the terminal is touched. Throws a UsageError that names the flag. */
function dashboardWishes(flags: Flags): {
  readonly display: DisplayWishes;
  readonly intervalMs: number;
  readonly readonly: boolean;
  readonly mouse: boolean;
} {
  const { theme, unicode, ascii, readonly, mouse } = flags;
  const hz = flags["refresh"] === undefined ? HZ_DEFAULT : Number(flags["refresh"]);
  const rate = REFRESH_RATES.find((each) => each.hz === hz);
  if (rate === undefined) {
    throw new UsageError(`--refresh takes ${REFRESH_RATES.map((each) => each.hz).join(", ")}`);
  }
  if (theme !== undefined && !(typeof theme === "string" && isThemeName(theme))) {
    throw new UsageError(`--theme takes ${themeNames.join(", ")}`);
  }
  return {
    display: {
      unicode: unicode === true ? "unicode" : ascii === true ? "ascii" : "auto",
      theme: theme ?? "auto",
    },
    intervalMs: rate.intervalMs,
    readonly: readonly === true,
    mouse: mouse === true,
  };
}

/** How the dashboard ends the process it runs in. */
type Ending = Pick<ProcessPort, "exit" | "killSelf">;

/**
 * Opens the dashboard on this process's terminal; resolves when it was left. Then it ends the process, on a terminal
 * that is gone without any cleaning up; whoever has something to clean up passes an `ending` of its own.
 */
export async function openDashboard(
  target: Target,
  flags: Flags,
  ending: Partial<Ending> = {},
): Promise<void> {
  const wishes = dashboardWishes(flags);
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    throw new UsageError(
      "the dashboard needs a terminal; use a subcommand, or `latchkey status` for one look",
    );
  }
  const channel = openChannel(target);
  let token = target.token;
  const api = createApi(channel, () => token);
  const clock = systemClock();
  await new Promise<void>((resolve) => {
    let app: App | undefined;
    const terminal: Terminal = createTerminal({
      input: process.stdin,
      output: process.stdout,
      env: process.env,
      clock,
      process: { ...nodeProcess(), ...ending },
      wishes: wishes.display,
      mouse: wishes.mouse,
      writeCrashLog: (error) => writeCrashLog(error, process.env, clock.now()),
      onClose: () => {
        app?.stop();
        channel.close();
        resolve();
      },
    });
    app = new App({
      terminal,
      api,
      clock,
      clipboard: new Clipboard({
        env: process.env,
        send: (sequence) => terminal.send(sequence),
        run: runWithInput,
      }),
      writeFile: writeSecretFile,
      createFile: createExportFile,
      newRequestId: randomUUID,
      jitter: Math.random,
      signIn: async (username, password) => {
        // A session that has ended would be refused before the password is looked at.
        token = undefined;
        token = await signIn(api, username, password);
      },
      server: target.label,
      version: VERSION,
      readonly: wishes.readonly,
      intervalMs: wishes.intervalMs,
    });
    app.start();
  });
}

/** Begins a session and keeps its token where subcommands find it too. */
async function signIn(api: Api, username: string, password: string): Promise<string> {
  const { sessionToken } = await api.sessions.login({ username, password });
  if (sessionToken === "") throw new ApiError("UNKNOWN", "the server gave no session");
  storeToken(tokenFile(process.env), sessionToken);
  return sessionToken;
}
