import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { Listener_Kind } from "../../proto/gen/latchkey/v1/system_pb.js";
import { findTarget, openChannel } from "../../tui/api/channel.js";
import { createApi, type Api } from "../../tui/api/services.js";

const START_DEADLINE_MS = 60_000;
const LOOK_EVERY_MS = 50;

/** Free ports, providers on this host, and a short end. */
export const SERVER_FLAGS = [
  "--proxy-port=0",
  "--control-port=0",
  "--allow-upstream-cidr=127.0.0.0/8",
  "--drain-seconds=2",
];

/** A server in a process of its own, with a client of its control port over the local socket. */
export interface ServerProcess {
  readonly process: ChildProcess;
  readonly api: Api;
  /** Base URL of the proxy port, which the system chose. */
  readonly proxyUrl: string;
  /** What the process wrote to standard error so far: its log. */
  log(): string;
  /** Asks it to stop, as an operator would; answers its exit code. */
  stop(): Promise<number | null>;
  /** Ends it without any warning. */
  kill(): Promise<void>;
}

/**
 * Starts the built server on a data folder and free ports; resolves when it can be asked. Throws with
 * the server's own words when it does not start.
 */
export async function startServerProcess(options: {
  readonly dataFolder: string;
  readonly args?: readonly string[];
  /** Arguments of Node itself. */
  readonly nodeArgs?: readonly string[];
}): Promise<ServerProcess> {
  const entry = new URL("../../server/main.js", import.meta.url).href;
  const run = `import(${JSON.stringify(entry)}).then(({ main }) => main(process.argv.slice(1)))`;
  const child = spawn(
    process.execPath,
    [
      ...(options.nodeArgs ?? []),
      "--input-type=module",
      "-e",
      run,
      "--",
      `--data=${options.dataFolder}`,
      ...SERVER_FLAGS,
      ...(options.args ?? []),
    ],
    {
      stdio: ["ignore", "pipe", "pipe"],
      // As `npm start` does.
      env: { ...process.env, MALLOC_ARENA_MAX: "1" },
    },
  );
  const written = { out: "", log: "" };
  child.stdout.on("data", (chunk: Buffer) => (written.out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (written.log += chunk.toString()));
  const exited = once(child, "exit");
  await started(child, written);

  const channel = openChannel(findTarget({ data: options.dataFolder }, {}));
  const api = createApi(channel, () => undefined);
  const ended = async (signal: NodeJS.Signals): Promise<number | null> => {
    channel.close();
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await exited;
    return child.exitCode;
  };
  return {
    process: child,
    api,
    proxyUrl: await proxyUrlOf(api),
    log: () => written.log,
    stop: () => ended("SIGTERM"),
    kill: async () => void (await ended("SIGKILL")),
  };
}

/** The banner is the last thing that a start prints: everything listens by then. */
async function started(
  child: ChildProcess,
  written: { readonly out: string; readonly log: string },
): Promise<void> {
  const deadline = Date.now() + START_DEADLINE_MS;
  while (!written.out.includes("Data ")) {
    if (child.exitCode !== null) throw new Error(`the server did not start:\n${written.log}`);
    if (Date.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`the server took too long to start:\n${written.log}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

async function proxyUrlOf(api: Api): Promise<string> {
  const { listeners } = await api.system.getStatus({});
  const proxy = listeners.find((listener) => listener.kind === Listener_Kind.PROXY);
  if (proxy === undefined) throw new Error("the server names no proxy port");
  return `${proxy.tls ? "https" : "http"}://${proxy.address}`;
}
