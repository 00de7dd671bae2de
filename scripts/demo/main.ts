import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { findTarget, openChannel } from "../../tui/api/channel.js";
import { createApi } from "../../tui/api/services.js";
import { fillDemo } from "./content.js";
import { startSandboxProvider } from "./sandbox-provider.js";
import { startDemoServer } from "./server.js";
import { startTraffic } from "./traffic.js";

const USAGE = `npm run demo [-- --headless SECONDS]

Shows Latchkey without any provider key: a server on a throw-away folder, a sandbox provider on this
host that makes its answers up, a few keys, gentle traffic, and the dashboard on it. Nothing leaves
this host, and the folder is removed at the end.

  --headless SECONDS  no dashboard: run for so long, print what happened, end
`;

/** Runs the demo until the dashboard is left. */
export async function main(argv: readonly string[]): Promise<void> {
  if (argv.includes("--help")) {
    process.stdout.write(USAGE);
    return;
  }
  const headlessSeconds = argv[0] === "--headless" ? Number(argv[1] ?? "10") : undefined;
  const folder = mkdtempSync(path.join(os.tmpdir(), "latchkey-demo-"));
  process.stderr.write("This is a demo: a sandbox on this host answers, no provider is asked.\n");
  const sandbox = await startSandboxProvider({
    rateLimitedShare: 0.04,
    failingShare: 0.01,
    wordDelayMs: 30,
  });
  const server = await startDemoServer(folder);
  const cleanUp = async (): Promise<void> => {
    await server.stop();
    await sandbox.close();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const target = findTarget({ data: folder }, {});
    const channel = openChannel(target);
    const api = createApi(channel, () => undefined);
    const keys = await fillDemo(api, sandbox.origin);
    const traffic = startTraffic({ proxyUrl: await server.proxyUrl(api), keys });
    if (headlessSeconds === undefined) {
      const { openDashboard } = await import("../../tui/app/dashboard.js");
      await openDashboard({ ...target, label: "demo" }, {});
    } else await new Promise((resolve) => setTimeout(resolve, headlessSeconds * 1000));
    const done = await traffic.stop();
    channel.close();
    process.stderr.write(`${done.calls} calls made, ${done.failed} of them failed.\n`);
  } finally {
    await cleanUp();
  }
}
