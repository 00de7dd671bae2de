import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Listener_Kind } from "../../proto/gen/latchkey/v1/system_pb.js";
import type { Api } from "../../tui/api/services.js";

const START_DEADLINE_MS = 60_000;
const LOOK_EVERY_MS = 100;

export interface DemoServer {
  /** Base URL of the proxy port, which the system chose. */
  proxyUrl(api: Api): Promise<string>;
  stop(): Promise<void>;
}

/** Starts a server of its own on a folder and free ports; resolves when it can be asked. */
export async function startDemoServer(folder: string): Promise<DemoServer> {
  const entry = new URL("../../server/main.js", import.meta.url);
  const run = `import(${JSON.stringify(entry.href)}).then(({ main }) => main(process.argv.slice(1)))`;
  const child = spawn(
    process.execPath,
    [
      ...["--input-type=module", "-e", run, "--"],
      ...["--data", folder, "--proxy-port", "0", "--control-port", "0"],
      ...["--allow-upstream-cidr", "127.0.0.0/8", "--log-level", "error", "--drain-seconds", "1"],
    ],
    { stdio: ["ignore", "ignore", "inherit"], cwd: path.dirname(fileURLToPath(entry)) },
  );
  const exited = once(child, "exit");
  const socket = path.join(folder, "control.sock");
  const deadline = Date.now() + START_DEADLINE_MS;
  while (!existsSync(socket)) {
    if (child.exitCode !== null) throw new Error("the demo's server did not start; see above");
    if (Date.now() > deadline) throw new Error("the demo's server took too long to start");
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  return {
    async proxyUrl(api) {
      const { listeners } = await api.system.getStatus({});
      const proxy = listeners.find((listener) => listener.kind === Listener_Kind.PROXY);
      if (proxy === undefined) throw new Error("the server names no proxy port");
      return `http://${proxy.address}`;
    },
    async stop() {
      child.kill("SIGTERM");
      await exited;
    },
  };
}
