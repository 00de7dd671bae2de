import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { Dialect } from "../../proto/gen/latchkey/v1/common_pb.js";
import { Provider_AuthStyle } from "../../proto/gen/latchkey/v1/providers_pb.js";
import { Listener_Kind } from "../../proto/gen/latchkey/v1/system_pb.js";
import { User_Role } from "../../proto/gen/latchkey/v1/users_pb.js";
import { startServerProcess, type ServerProcess } from "../../scripts/lib/server-process.js";
import { openChannel } from "../../tui/api/channel.js";
import { createApi, type Api } from "../../tui/api/services.js";
import { startUpstreamStub, type UpstreamStub } from "../support/upstream-stub.js";

/** A command line that does not end by then has not done what was asked of it. */
const RUN_DEADLINE_MS = 60_000;
const MAIN = new URL("../../server/main.js", import.meta.url).href;

/** A data folder that goes with the test. */
export function dataFolder(t: TestContext): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), "latchkey-system-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A server in a process of its own, ended with the test. */
export async function serve(
  t: TestContext,
  folder: string,
  ...args: readonly string[]
): Promise<ServerProcess> {
  const server = await startServerProcess({ dataFolder: folder, args });
  t.after(() => server.kill());
  return server;
}

/** What a process said that ended by itself. */
export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line to its end, the server's own unless told otherwise, with what is typed on standard input. */
export async function run(
  args: readonly string[],
  options: {
    readonly entry?: string;
    readonly env?: Record<string, string>;
    readonly input?: string;
  } = {},
): Promise<Ended> {
  const script = `import(${JSON.stringify(options.entry ?? MAIN)}).then(({ main }) => main(process.argv.slice(1)))`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, "--", ...args], {
    env: { ...process.env, ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const said = { out: "", err: "" };
  child.stdout.on("data", (chunk: Buffer) => (said.out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (said.err += chunk.toString()));
  child.stdin.end(options.input ?? "");
  const deadline = setTimeout(() => child.kill("SIGKILL"), RUN_DEADLINE_MS);
  const [code] = (await once(child, "close")) as [number | null];
  clearTimeout(deadline);
  return { code, ...said };
}

/** Flags of a server that listens on free ports. */
export function flags(folder: string, ...more: readonly string[]): readonly string[] {
  return ["--data", folder, "--proxy-port=0", "--control-port=0", ...more];
}

/** A stand-in for a provider, ended with the test. */
export async function upstream(t: TestContext): Promise<UpstreamStub> {
  const stub = await startUpstreamStub();
  t.after(() => stub.close());
  return stub;
}

/** A provider at the stub with one model and one provider key; answers the ids. */
export async function addProvider(
  api: Api,
  stub: UpstreamStub,
  secret = "sk-upstream-system-4c1e77",
): Promise<{ readonly providerId: string; readonly providerKeyId: string }> {
  const { provider } = await api.providers.createProvider({
    slug: "stub",
    displayName: "Stub",
    baseUrl: `${stub.origin}/v1`,
    dialect: Dialect.OPENAI,
    authStyle: Provider_AuthStyle.BEARER,
  });
  const providerId = provider?.id ?? "";
  await api.providers.upsertModels({ providerId, models: [{ modelId: "stub-chat" }] });
  return { providerId, providerKeyId: await addProviderKey(api, providerId, "main", secret) };
}

/** Stores one more secret. */
export async function addProviderKey(
  api: Api,
  providerId: string,
  name: string,
  secret: string,
): Promise<string> {
  const { providerKey } = await api.providerKeys.createProviderKey({ providerId, name, secret });
  return providerKey?.id ?? "";
}

/** A client key of the first admin. */
export async function addClientKey(api: Api, name = "app"): Promise<string> {
  return (await api.clientKeys.createClientKey({ name })).secret;
}

/** A client of a new user with role USER, signed in with a password over TCP. */
export async function signedIn(t: TestContext, admin: Api, username: string): Promise<Api> {
  const password = "a long password";
  await admin.users.createUser({ username, password, role: User_Role.USER });
  const { listeners } = await admin.system.getStatus({});
  const { address } = listeners.find(({ kind }) => kind === Listener_Kind.CONTROL)!;
  const target = { address, label: address, token: undefined, tls: false, caFile: undefined };
  const channel = openChannel(target);
  t.after(() => channel.close());
  let token: string | undefined;
  const api = createApi(channel, () => token);
  ({ sessionToken: token } = await api.sessions.login({ username, password }));
  return api;
}

/** One chat through the proxy port. */
export function chat(
  proxyUrl: string,
  clientKey: string,
  stream = false,
  signal: AbortSignal | null = null,
): Promise<Response> {
  return fetch(`${proxyUrl}/v1/chat/completions`, {
    method: "POST",
    signal,
    headers: { authorization: `Bearer ${clientKey}`, "content-type": "application/json" },
    body: JSON.stringify({
      model: "stub-chat",
      stream,
      messages: [{ role: "user", content: "hi" }],
    }),
  });
}

/** All messages of a stream. */
export async function all<T>(messages: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const message of messages) found.push(message);
  return found;
}

const UNTIL_DEADLINE_MS = 60_000;

/** Waits for something that the server does on its own. */
export async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + UNTIL_DEADLINE_MS;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error("it did not come to that");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
