import { App, type AppOptions } from "../../tui/app/frame.js";
import { Clipboard } from "../../tui/term/clipboard.js";
import type { SecretFileResult } from "../../tui/term/secret-file.js";
import { settle, type FakeClock } from "../support/fake-clock.js";
import { FakeApi } from "./fake-api.js";
import * as data from "./fake-data.js";
import { TestTui, type OpenOptions } from "./harness.js";

/** A whole dashboard on an emulated terminal, with a scripted server. */
export interface Rig {
  readonly tui: TestTui;
  readonly fake: FakeApi;
  readonly app: App;
  readonly clock: FakeClock;
  /** What was written to files, by path. */
  readonly files: Map<string, string>;
  readonly signIns: { username: string; password: string }[];
  /** Presses keys and lets every answer arrive. */
  readonly press: (...keys: readonly string[]) => Promise<void>;
  readonly type: (text: string) => Promise<void>;
  /** Lets simulated time pass, in steps, with the answers that come meanwhile. */
  readonly pass: (ms: number) => Promise<void>;
  readonly close: () => void;
}

/** How many rows each list has. */
export interface RigOptions extends Omit<OpenOptions, "mount"> {
  readonly count?: number;
  readonly role?: "ADMIN" | "OPERATOR" | "USER";
  readonly without?: readonly string[];
  readonly readonly?: boolean;
  readonly signIn?: AppOptions["signIn"];
  /** Scripts the server before the dashboard starts. */
  readonly script?: (fake: FakeApi) => void;
}

export async function openApp(options: RigOptions = {}): Promise<Rig> {
  const fake = new FakeApi();
  const files = new Map<string, string>();
  const signIns: { username: string; password: string }[] = [];
  let app: App | undefined;
  const writeFile = (path: string, secret: Buffer): SecretFileResult => {
    files.set(path, secret.toString("utf8"));
    return { ok: true, message: `written to ${path} (0600)` };
  };
  let requestIds = 0;
  const env = options.env ?? { TERM: "xterm-256color", LANG: "C.UTF-8" };
  const tui = new TestTui({
    ...options,
    env,
    mount: (terminal, clock) => {
      answerAll(fake, clock, options);
      options.script?.(fake);
      app = new App({
        terminal,
        clock,
        api: fake.api,
        clipboard: new Clipboard({
          env,
          send: (sequence) => terminal.send(sequence),
          run: async () => false,
        }),
        writeFile,
        createFile: (path) => ({
          write: (bytes) => void files.set(path, (files.get(path) ?? "") + Buffer.from(bytes)),
          close: () => undefined,
        }),
        newRequestId: () => `request-${(requestIds += 1)}`,
        jitter: () => 0,
        signIn: async (username, password) => {
          signIns.push({ username, password });
          await options.signIn?.(username, password);
        },
        server: "prod-eu-1",
        version: "0.1.0",
        readonly: options.readonly ?? false,
        intervalMs: 500,
      });
      app.start();
    },
  });
  if (app === undefined) throw new Error("not mounted");
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 50) {
      await settle();
      await tui.settle(Math.min(left, 50));
    }
    await settle();
  };
  const mounted = app;
  const rig: Rig = {
    tui,
    fake,
    app: mounted,
    clock: tui.clock,
    files,
    signIns,
    pass,
    press: async (...keys) => {
      for (const key of keys) {
        await tui.press(key);
        await pass(100);
      }
      await pass(200);
    },
    type: async (text) => {
      await tui.type(text);
      await pass(100);
    },
    close: () => {
      mounted.stop();
      tui.close();
    },
  };
  await pass(400);
  return rig;
}

function answerAll(fake: FakeApi, clock: FakeClock, options: RigOptions): void {
  const now = clock.now();
  const count = options.count ?? 3;
  const list = <T>(field: string, make: (i: number, nowMs: number) => T) =>
    paged(field, count, (i) => make(i, now));
  fake.on("whoAmI", () => data.whoAmI(options.role ?? "ADMIN", options.without ?? []));
  fake.on("listProviderKeys", list("providerKeys", data.providerKey));
  fake.on("listClientKeys", list("clientKeys", data.clientKey));
  fake.on("listUsers", list("users", data.user));
  fake.on("listCalls", list("calls", data.call));
  fake.on("listEvents", list("events", data.auditEvent));
  fake.on("listModels", list("models", data.model));
  fake.on("listProviders", () => ({
    providers: [
      { id: "prv_openai", slug: "openai", displayName: "OpenAI", enabled: true },
      { id: "prv_zhipu", slug: "zhipu", displayName: "智谱", enabled: true },
    ],
  }));
  fake.on("getStatus", () => data.status(now));
  fake.on("getCall", (request) => ({
    call: data.call(Number(String(request["id"]).slice(5)), now),
    attempts: [{ number: 1, providerKeyName: "main-1", providerSlug: "openai", httpStatus: 429 }],
    timings: { totalMs: 2031, allocateMs: 0.4 },
  }));
  fake.on("getBreakdown", () => ({ rows: [], totals: {} }));
  fake.onStream("watchOverview", (stream) => stream.send(data.overview(now)));
}

/** A list of a number of rows that is read by pages. */
function paged(field: string, count: number, make: (i: number) => unknown) {
  return (request: Record<string, unknown>) => {
    const from = Number(request["pageToken"] || 0);
    const size = Math.min(Number(request["pageSize"] || 50), 1000);
    const to = Math.min(count, from + size);
    return {
      [field]: Array.from({ length: Math.max(0, to - from) }, (_, i) => make(from + i)),
      nextPageToken: to < count ? String(to) : "",
      totalEstimate: BigInt(count),
    };
  };
}
