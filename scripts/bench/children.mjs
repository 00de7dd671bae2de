// Processes that a bench starts beside itself.
import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));

/** Starts one of the scripts in this folder; it prints the port it took. */
export function startScript(file, args, stops) {
  const child = spawn(process.execPath, [path.join(here, file), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  stops.push(() => child.kill());
  return new Promise((resolve, reject) => {
    child.once("exit", () => reject(new Error(`${file} ended at once`)));
    child.stdout.once("data", (text) => {
      child.removeAllListeners("exit");
      resolve({ pid: child.pid, port: Number(String(text).split(" ")[1]) });
    });
  });
}

/**
 * Arguments of Node with which a server loads one of the scripts in this folder that watch it, and a function that
 * answers what that script saw since it was last asked: it writes a JSON file at SIGUSR2.
 */
export function watcher(script, folder) {
  const file = path.join(folder, "seen.json");
  process.env.LATCHKEY_BENCH_SEEN = file;
  const nodeArgs = ["--import", new URL(script, import.meta.url).href];
  const seen = async (pid) => {
    rmSync(file, { force: true });
    process.kill(pid, "SIGUSR2");
    for (let i = 0; i < 500; i++) {
      await wait(10);
      try {
        return JSON.parse(readFileSync(file, "utf8"));
      } catch {
        // Not written yet, or not to its end.
      }
    }
    throw new Error("the server does not tell what was seen of it");
  };
  return { nodeArgs, seen };
}

/** Starts a server whose event loop is watched; `delays` answers how late it ran since it was asked last. */
export async function startWatchedServer({ folder, stops, args = [] }) {
  const { startServerProcess } = await import("../../dist/scripts/lib/server-process.js");
  const { nodeArgs, seen } = watcher("loop-delay.mjs", folder);
  const server = await startServerProcess({
    dataFolder: path.join(folder, "data"),
    args: ["--log-level", "warn", ...args],
    nodeArgs,
  });
  stops.push(() => server.stop());
  return { ...server, delays: () => seen(server.process.pid) };
}
