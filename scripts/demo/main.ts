import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { findTarget } from "../../tui/api/channel.js";
import { type ServerProcess, startServerProcess } from "../lib/server-process.js";
import { fillDemo } from "./content.js";
import { startSandboxProvider } from "./sandbox-provider.js";
import { startTraffic } from "./traffic.js";

const USAGE = `npm run demo [-- --headless SECONDS]

Shows Latchkey without any provider key: a server on a throw-away folder, a sandbox provider on this
host that makes its answers up, a few keys, gentle traffic, and the dashboard on it. Nothing leaves
this host, and the folder is removed at the end.

  --headless SECONDS  no dashboard: run for so long, print what happened, end
`;

/** What ends the demo at once. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs the demo until the dashboard is left. */
export async function main(argv: readonly string[]): Promise<void> {
  if (argv.includes("--help")) {
    process.stdout.write(USAGE);
    return;
  }
  const headlessSeconds = argv[0] === "--headless" ? Number(argv[1] ?? "10") : undefined;
  const folder = mkdtempSync(path.join(os.tmpdir(), "latchkey-demo-"));
  let server: ServerProcess | undefined;
  const vanish = (): void => {
    server?.process.kill("SIGKILL");
    // What the server still writes while it ends may be in the way for a moment.
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
    process.kill(process.pid, "SIGKILL");
  };
  for (const signal of SIGNALS) process.on(signal, vanish);
  process.stderr.write("This is a demo: a sandbox on this host answers, no provider is asked.\n");
  const sandbox = await startSandboxProvider({
    rateLimitedShare: 0.006,
    failingShare: 0.004,
    wordDelayMs: 30,
  });
  server = await startServerProcess({ dataFolder: folder, args: ["--log-level", "error"] });
  try {
    const keys = await fillDemo(server.api, sandbox.origin);
    const traffic = startTraffic({ proxyUrl: server.proxyUrl, keys });
    if (headlessSeconds === undefined) await showDashboard(folder, vanish);
    else await new Promise((resolve) => setTimeout(resolve, headlessSeconds * 1000));
    const done = await traffic.stop();
    process.stderr.write(`${done.calls} calls made, ${done.failed} of them failed.\n`);
  } finally {
    await server.stop();
    await sandbox.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The dashboard hears of signals itself, and would end the process; the server and its folder have to go first. */
async function showDashboard(folder: string, vanish: () => void): Promise<void> {
  const { openDashboard } = await import("../../tui/app/dashboard.js");
  const exit = (code: number): void => void (process.exitCode = code);
  const target = { ...findTarget({ data: folder }, {}), label: "demo" };
  for (const signal of SIGNALS) process.off(signal, vanish);
  await openDashboard(target, {}, { exit, killSelf: vanish });
  for (const signal of SIGNALS) process.on(signal, vanish);
}
