import { EventEmitter, once } from "node:events";
import { PassThrough } from "node:stream";
import type { TestContext } from "node:test";
import { Listener_Kind } from "../../proto/gen/latchkey/v1/system_pb.js";
import { type Host, run } from "../../server/run.js";
import { SERVER_FLAGS, type ServerProcess } from "../../scripts/lib/server-process.js";
import { findTarget, openChannel } from "../../tui/api/channel.js";
import { createApi } from "../../tui/api/services.js";
import type { Ended } from "./fixture.js";

// Servers inside the test's own process: all that one in a process of its own is but for what the system does with
// processes. They begin in a tenth of the CPU time, for most of a start is to load modules.

/** What most tests ask of a server, wherever it runs. */
export type RunningServer = Pick<ServerProcess, "api" | "proxyUrl" | "log" | "stop">;

/** Stands for the process: hears what the server says, and signals to it. */
class StandInProcess extends EventEmitter implements Host {
  readonly env: Host["env"];
  readonly stdin = new PassThrough().end();
  readonly said = { out: "", err: "" };
  readonly stdout = { write: (text: string) => (this.said.out += text) };
  readonly stderr = { write: (text: string) => (this.said.err += text) };
  exitCode: Host["exitCode"];

  constructor(env: Host["env"] = {}) {
    super();
    this.env = { ...process.env, ...env };
  }

  exit(code: number): void {
    this.exitCode = code;
    this.emit("ended", code);
  }
}

/** A server on ports of its own, ended with the test. Throws with its own words when it does not start. */
export async function serveInside(
  t: TestContext,
  folder: string,
  ...args: readonly string[]
): Promise<RunningServer> {
  const host = new StandInProcess();
  await run([`--data=${folder}`, ...SERVER_FLAGS, ...args], "latchkey", () => undefined, host);
  if (host.exitCode !== undefined) throw new Error(`the server did not start:\n${host.said.err}`);
  const channel = openChannel(findTarget({ data: folder }, {}));
  const api = createApi(channel, () => undefined);
  let ended: Promise<number> | undefined;
  const stop = (): Promise<number> =>
    (ended ??= new Promise((resolve) => {
      channel.close();
      host.once("ended", resolve);
      host.emit("SIGTERM");
    }));
  t.after(stop);
  const { listeners } = await api.system.getStatus({});
  const proxy = listeners.find(({ kind }) => kind === Listener_Kind.PROXY)!;
  const proxyUrl = `${proxy.tls ? "https" : "http"}://${proxy.address}`;
  return { api, proxyUrl, log: () => host.said.err, stop };
}

/** Runs a command line of the server to its end: a restore, or a start that is refused. */
export async function runInside(args: readonly string[], env?: Host["env"]): Promise<Ended> {
  const host = new StandInProcess(env);
  await run(args, "latchkey", () => undefined, host);
  if (host.exitCode === undefined && host.listenerCount("SIGTERM") > 0) {
    const ended = once(host, "ended");
    host.emit("SIGTERM");
    await ended;
    throw new Error("the server did start");
  }
  return { code: Number(host.exitCode ?? 0), ...host.said };
}
