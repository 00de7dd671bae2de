import { mkdirSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Writes what ended the dashboard to a file of its own and returns where it is. Only stack and
 * message are written: the fields of an error may hold what was being sent.
 */
export function writeCrashLog(error: unknown, env: Env, nowMs: number): string | undefined {
  const base = env["XDG_STATE_HOME"] || path.join(env["HOME"] || os.homedir(), ".local", "state");
  const stamp = new Date(nowMs).toISOString().replaceAll(/[:.]/g, "-");
  const file = path.join(base, "latchkey", `dashboard-crash-${stamp}.log`);
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  try {
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(file, `${new Date(nowMs).toISOString()}\n${text}\n`, { mode: 0o600 });
    return file;
  } catch {
    // The message on standard error tells the cause; without a writable folder only the stack is lost.
    return undefined;
  }
}
