import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { CallRecord } from "../../server/core/call.js";
import { systemClock } from "../../server/core/clock.js";
import { IdSource } from "../../server/core/ids.js";
import { systemRandom } from "../../server/core/random.js";
import { Secret } from "../../server/core/secret.js";
import { GATEWAY_LIMITS } from "../../server/gateway/limits.js";
import { createGateway, type Gateway } from "../../server/gateway/server.js";
import { Pool } from "../../server/pool/pool.js";
import { Upstream } from "../../server/upstream/upstream.js";
import { UrlPolicy } from "../../server/upstream/url-policy.js";
import { chaosCall, type ChaosPlan, ChaosProvider } from "../support/chaos-provider.js";
import { FakeClock, settle } from "../support/fake-clock.js";
import { aProviderKey, seededRandom } from "../support/records.js";
import { startUpstreamStub, type UpstreamStub } from "../support/upstream-stub.js";
import {
  CLIENT_KEY,
  FakeAuthenticator,
  FakeLimiter,
  FakeLogger,
  FakeRouter,
  FakeSink,
  provider,
} from "./fixture.js";

/** Enough to see that the parts fit; `npm run bench -- chaos` makes the whole promise's ten thousand. */
const CALLS = Number(process.env["LATCHKEY_CHAOS_CALLS"] ?? 200);
const CUTS = Math.ceil(CALLS / 4);
const KEYS = 10;
const DEAD = "sk-upstream-3";
/** Turns of the event loop without anything happening, after which simulated time goes on. */
const QUIET_TURNS = 4;
const STEP_MS = 25;

let stub: UpstreamStub;

before(async () => {
  stub = await startUpstreamStub();
});

after(() => stub.close());

/** A gateway before the real pool, with time of its own. */
class Chaos {
  readonly clock = new FakeClock();
  readonly sink = new FakeSink();
  readonly provider: ChaosProvider;
  readonly replies: { readonly status: number; readonly text: string; readonly cut: boolean }[] =
    [];
  readonly pool: Pool;
  readonly #upstream: Upstream;
  readonly #gateway: Gateway;
  #origin = "";
  #happened = 0;

  constructor(plan: ChaosPlan) {
    const { clock } = this;
    this.provider = new ChaosProvider(plan);
    this.pool = new Pool({
      clock,
      random: seededRandom(plan.seed),
      logger: new FakeLogger(),
      inService: () => true,
      onHealthChange: () => {},
    });
    const keys = Array.from({ length: KEYS }, (_, at) =>
      aProviderKey(`pk_${String(at)}`, { providerId: "prv_0" }),
    );
    this.pool.load({ keys, users: [], providers: [] }, new Map());
    const policy = new UrlPolicy({ allowCidrs: ["127.0.0.0/8"] });
    this.#upstream = new Upstream({ clock, policy });
    this.#gateway = createGateway({
      authenticator: new FakeAuthenticator(),
      router: new FakeRouter([provider({ baseUrl: stub.origin })], {}),
      admission: { enter: () => undefined, leave: () => undefined },
      limiter: new FakeLimiter(""),
      pool: this.pool,
      secrets: { open: (key) => new Secret(`sk-upstream-${key.id.slice(3)}`) },
      sink: this.sink,
      upstream: this.#upstream,
      clock,
      ids: new IdSource({ clock: systemClock, random: systemRandom }),
      logger: new FakeLogger(),
      limits: { lastRequestMs: 0 },
    });
  }

  async run(calls: number, callers: number, stream: (call: number) => boolean): Promise<void> {
    stub.received.length = 0;
    stub.script = (received, res) => {
      this.#happened++;
      stub.received.length = 0;
      return this.provider.script(received, res);
    };
    const { port } = await this.#gateway.listen({ host: "127.0.0.1", port: 0 });
    this.#origin = `http://127.0.0.1:${String(port)}/v1/chat/completions`;
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < calls) {
        const call = next++;
        await this.#call(call, stream(call));
        this.#happened++;
      }
    };
    let over = false;
    const all = Promise.all(Array.from({ length: callers }, work)).finally(() => {
      over = true;
    });
    const isOver = (): boolean => over;
    while (!isOver()) await this.#tick();
    await all;
    await this.#gateway.close();
    this.#upstream.close();
  }

  /** Time goes on when nothing happens any more but for calls that wait. */
  async #tick(): Promise<void> {
    const before = this.#happened;
    for (let turn = 0; turn < QUIET_TURNS; turn++) await settle();
    if (this.#happened === before) this.clock.advance(STEP_MS);
  }

  async #call(call: number, stream: boolean): Promise<void> {
    const response = await fetch(this.#origin, {
      method: "POST",
      headers: { authorization: `Bearer ${CLIENT_KEY}`, "content-type": "application/json" },
      body: chaosCall(call, stream),
    });
    let text = "";
    let cut = false;
    try {
      for await (const chunk of response.body ?? []) text += Buffer.from(chunk).toString("utf8");
    } catch {
      cut = true;
    }
    this.replies.push({ status: response.status, text, cut });
  }
}

/** What went wrong, for the message of a failed run. */
function story(records: readonly CallRecord[]): string {
  return records
    .map(({ errorCode, latencyMs, attempts }) => {
      const tries = attempts.map(
        (each) => `${each.providerKeyId}@${String(each.startedMs)} ${each.outcome}`,
      );
      return `${String(errorCode)} after ${String(latencyMs)} ms: ${tries.join(", ")}`;
    })
    .join("\n");
}

test("calls succeed while keys are limited, fail and one is dead", async () => {
  const chaos = new Chaos({ seed: 7, deadSecret: DEAD, limited: 0.3, failing: 0.1, cutting: 0 });
  await chaos.run(CALLS, 32, (call) => call % 2 === 0);
  const { records } = chaos.sink;
  assert.equal(records.length, CALLS);
  const failed = records.filter((record) => record.status !== "SUCCESS");
  assert.ok(failed.length <= CALLS / 10_000, `${String(failed.length)} failed:\n${story(failed)}`);
  const bad = chaos.replies.filter((reply) => reply.status !== 200 || reply.cut);
  assert.equal(bad.length, failed.length, "what is recorded is what callers saw");
  const { attempts, attemptsMost, limited } = chaos.provider.counts;
  assert.ok(limited > CALLS / 4, "the provider did limit");
  assert.ok(attempts / CALLS < 1.75, `${String(attempts / CALLS)} attempts for each call`);
  assert.ok(attemptsMost <= GATEWAY_LIMITS.attemptsMax);
});

test("a stream that is cut is told apart from one that ended, by its caller and in the log", async () => {
  const chaos = new Chaos({ seed: 3, deadSecret: DEAD, limited: 0, failing: 0, cutting: 0.9 });
  await chaos.run(CUTS, 16, () => true);
  const cut = chaos.sink.records.filter((record) => record.errorCode === "stream_cut");
  assert.equal(cut.length, chaos.provider.counts.cut);
  assert.ok(cut.length > CUTS / 2);
  assert.ok(cut.every((record) => record.status === "ERROR" && record.usageSource === "PARTIAL"));
  assert.ok(cut.every((record) => record.attempts.at(-1)?.outcome === "CUT"));
  const ended = chaos.replies.filter((reply) => reply.text.includes("[DONE]"));
  const told = chaos.replies.filter((reply) => reply.text.includes('"code":"stream_cut"'));
  assert.equal(ended.length, CUTS - cut.length, "no cut stream looks finished");
  assert.equal(told.length + chaos.replies.filter((reply) => reply.cut).length, cut.length);
});
