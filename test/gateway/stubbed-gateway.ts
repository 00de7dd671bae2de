import { afterEach, beforeEach } from "node:test";
import {
  CHAT_REPLY,
  replyJson,
  type Script,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { type Setup, startGateway, type TestGateway } from "./fixture.js";

/** Of provider keys. */
export const SECRETS = [
  "sk-first-00000000000000000000",
  "sk-second-0000000000000000000",
  "sk-third-00000000000000000000",
  "sk-fourth-0000000000000000000",
];

/** What a caller asks, and a provider answers. */
export const CHAT = { model: "m", messages: [] };
export const ok = replyJson(200, CHAT_REPLY);
export const refusal = (status: number, code: string, headers = {}): Script =>
  replyJson(
    status,
    JSON.stringify({ error: { message: `said ${code}`, type: code, code } }),
    headers,
  );

/** A gateway of one test and short ways to use it. */
export interface Bound extends Pick<TestGateway, "pool" | "sink" | "log"> {
  /** Asks for a chat. */
  readonly post: (body: unknown) => Promise<Response>;
  readonly send: (path: string, body: unknown) => Promise<Response>;
}

export interface StubbedGateway {
  /** In place of a provider; there while a test runs. */
  readonly stub: UpstreamStub;
  /** A fresh gateway over it, instead of the one before. */
  readonly start: (setup?: Setup) => Promise<TestGateway>;
  readonly bound: (setup?: Setup) => Promise<Bound>;
}

/**
 * For a whole test file. Each test has a stub of its own, which ends with it, as its last gateway does: what the calls
 * of the one before broke off may still be on its way there. `secrets`: of the provider keys.
 */
export function stubbedGateway(secrets: readonly string[]): StubbedGateway {
  let stub: UpstreamStub | undefined;
  let gateway: TestGateway | undefined;

  beforeEach(async () => {
    stub = await startUpstreamStub();
  });
  afterEach(async () => {
    await gateway?.close();
    gateway = undefined;
    await stub?.close();
  });

  const begun = (): UpstreamStub => {
    if (stub === undefined) throw new Error("no test runs yet");
    return stub;
  };
  const start = async (setup: Setup = {}): Promise<TestGateway> => {
    await gateway?.close();
    gateway = await startGateway({
      providers: [{ baseUrl: begun().origin }],
      secrets,
      ...setup,
    });
    return gateway;
  };
  return {
    get stub() {
      return begun();
    },
    start,
    bound: async (setup) => {
      const started = await start(setup);
      const { pool, sink, log } = started;
      return {
        pool,
        sink,
        log,
        post: (body) => started.post("/v1/chat/completions", body),
        send: (path, body) => started.post(path, body),
      };
    },
  };
}
