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

/** Starts a server whose event loop is watched; `delays` answers how late it ran since it was asked last. */
export async function startWatchedServer({ folder, stops, args = [] }) {
  const { startServerProcess } = await import("../../dist/scripts/lib/server-process.js");
  const file = path.join(folder, "delays.json");
  const before = process.env.NODE_OPTIONS;
  process.env.NODE_OPTIONS = `--import ${new URL("loop-delay.mjs", import.meta.url).href}`;
  process.env.LATCHKEY_BENCH_DELAYS = file;
  let server;
  try {
    server = await startServerProcess({
      dataFolder: path.join(folder, "data"),
      args: ["--log-level", "warn", ...args],
    });
  } finally {
    if (before === undefined) delete process.env.NODE_OPTIONS;
    else process.env.NODE_OPTIONS = before;
  }
  stops.push(() => server.stop());
  const delays = async () => {
    rmSync(file, { force: true });
    server.process.kill("SIGUSR2");
    for (let i = 0; i < 500; i++) {
      await wait(10);
      try {
        return JSON.parse(readFileSync(file, "utf8"));
      } catch {
        // Not written yet, or not to its end.
      }
    }
    throw new Error("the server does not tell how late its event loop ran");
  };
  return { ...server, delays };
}
