import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { systemClock } from "../../server/core/clock.js";
import { IdSource } from "../../server/core/ids.js";
import { systemRandom } from "../../server/core/random.js";
import { Secret } from "../../server/core/secret.js";
import type { GatewayLimits } from "../../server/gateway/limits.js";
import { createGateway, type Gateway } from "../../server/gateway/server.js";
import { Pool } from "../../server/pool/pool.js";
import { Upstream } from "../../server/upstream/upstream.js";
import { UrlPolicy } from "../../server/upstream/url-policy.js";
import { AccountProvider } from "../support/account-provider.js";
import { FakeClock, settle } from "../support/fake-clock.js";
import { aProviderKey, seededRandom } from "../support/records.js";
import {
  replyJson,
  type Script,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import {
  CLIENT_KEY,
  FakeAuthenticator,
  FakeLimiter,
  FakeLogger,
  FakeRouter,
  FakeSink,
  provider,
} from "./fixture.js";

// What has an id is asked for with the key that made it, also when that key rests; the pool is the real one.

const KEYS = 3;
/** Turns of the event loop after which a call that has not ended waits for time to pass. */
const QUIET_TURNS = 40;
const STEP_MS = 100;

let stub: UpstreamStub;
let accounts: Accounts | undefined;

before(async () => {
  stub = await startUpstreamStub();
});

after(async () => {
  await accounts?.close();
  await stub.close();
});

beforeEach(async () => {
  await accounts?.close();
  accounts = undefined;
});

class Accounts {
  readonly clock = new FakeClock();
  readonly pool: Pool;
  /** What the next requests with a secret are answered instead of what its account holds. */
  readonly trouble = new Map<string, Script[]>();
  readonly authenticator = new FakeAuthenticator();
  readonly #keys = Array.from({ length: KEYS }, (_, at) => this.key(at));
  readonly #upstream: Upstream;
  readonly #gateway: Gateway;
  #origin = "";
  #seq = 0;

  constructor(limits: Partial<GatewayLimits>) {
    const { clock, authenticator } = this;
    this.pool = new Pool({
      clock,
      random: seededRandom(5),
      logger: new FakeLogger(),
      inService: () => true,
      onHealthChange: () => {},
    });
    this.pool.load({ keys: this.#keys, users: [], providers: [] }, new Map());
    this.#upstream = new Upstream({
      clock,
      policy: new UrlPolicy({ allowCidrs: ["127.0.0.0/8"] }),
    });
    this.#gateway = createGateway({
      authenticator,
      router: new FakeRouter([provider({ baseUrl: stub.origin })], {}),
      admission: { enter: () => undefined, leave: () => undefined },
      limiter: new FakeLimiter(""),
      pool: this.pool,
      secrets: { open: (key) => new Secret(secretOf(key.id)) },
      sink: new FakeSink(),
      upstream: this.#upstream,
      clock,
      ids: new IdSource({ clock: systemClock, random: systemRandom }),
      logger: new FakeLogger(),
      limits: { lastRequestMs: 0, ...limits },
    });
    const provided = new AccountProvider();
    stub.script = (received, res) =>
      (this.trouble.get(received.secret)?.shift() ?? provided.script)(received, res);
  }

  static async start(limits: Partial<GatewayLimits> = {}): Promise<Accounts> {
    accounts = new Accounts(limits);
    const { port } = await accounts.#gateway.listen({ host: "127.0.0.1", port: 0 });
    accounts.#origin = `http://127.0.0.1:${String(port)}`;
    return accounts;
  }

  async close(): Promise<void> {
    await this.#gateway.close();
    this.#upstream.close();
  }

  key(at: number, enabled = true): ReturnType<typeof aProviderKey> {
    return aProviderKey(`pk_${String(at)}`, {
      providerId: "prv_0",
      ownerId: "usr_owner",
      visibility: "PUBLIC",
      enabled,
    });
  }

  change(at: number, value: ReturnType<typeof aProviderKey> | null): void {
    this.pool.applyChange({
      seq: ++this.#seq,
      kind: "provider_key",
      id: `pk_${String(at)}`,
      value,
    });
  }

  /** Asks, and lets time pass while nothing else happens. `secrets` are those that the provider was asked with. */
  async ask(
    method: string,
    path: string,
  ): Promise<{ status: number; text: string; retryAfter: string | null; secrets: string[] }> {
    stub.received.length = 0;
    let over = false;
    const headers = { authorization: `Bearer ${CLIENT_KEY}`, "content-type": "application/json" };
    const asked = fetch(`${this.#origin}${path}`, {
      method,
      headers,
      ...(method === "POST" ? { body: "{}" } : {}),
    }).finally(() => {
      over = true;
    });
    const isOver = (): boolean => over;
    while (!isOver()) {
      for (let turn = 0; turn < QUIET_TURNS && !isOver(); turn++) await settle();
      if (!isOver()) this.clock.advance(STEP_MS);
    }
    const response = await asked;
    return {
      status: response.status,
      text: await response.text(),
      retryAfter: response.headers.get("retry-after"),
      secrets: stub.received.map(({ secret }) => secret),
    };
  }

  /** Uploads a file; answers its id and the place of the key that did. */
  async upload(): Promise<{ path: string; home: string; at: number }> {
    const { status, text, secrets } = await this.ask("POST", "/v1/files");
    assert.equal(status, 200, text);
    const { id } = JSON.parse(text) as { id: string };
    const [home = ""] = secrets;
    return { path: `/v1/files/${id}`, home, at: Number(home.slice(-1)) };
  }
}

function secretOf(keyId: string): string {
  return `sk-upstream-${keyId.slice(3)}`;
}

function trouble(status: number, headers = {}): Script {
  const error = { message: "not now", type: "busy", param: null, code: "busy" };
  return replyJson(status, JSON.stringify({ error }), headers);
}

test("a call about an id waits for the key that holds it, and asks no other", async () => {
  const world = await Accounts.start();
  const { path, home } = await world.upload();
  for (const happens of [trouble(429, { "retry-after": "3" }), trouble(500), trouble(503)]) {
    world.trouble.set(home, [happens]);
    // eslint-disable-next-line no-await-in-loop -- one after the other
    const { status, text, secrets } = await world.ask("GET", path);
    assert.equal(status, 200, text);
    assert.deepEqual(secrets, [home, home]);
  }
});

test("a call about an id whose key rests for long is told when to come back, without another's 404", async () => {
  const world = await Accounts.start();
  const { path, home } = await world.upload();
  world.trouble.set(home, [trouble(429, { "retry-after": "60" })]);
  const limited = await world.ask("GET", path);
  assert.equal(limited.status, 429);
  assert.deepEqual(limited.secrets, [home]);
  const resting = await world.ask("GET", path);
  assert.equal(resting.status, 503, resting.text);
  assert.match(resting.text, /no_own_token/);
  assert.ok(Number(resting.retryAfter) > 50 && Number(resting.retryAfter) <= 60);
  assert.deepEqual(resting.secrets, []);
  world.clock.advance(60_000);
  assert.equal((await world.ask("GET", path)).status, 200);
});

test("others are asked once the key is switched off or deleted, or says itself that there is no such thing", async () => {
  const world = await Accounts.start();
  const { path, home, at } = await world.upload();
  for (const value of [world.key(at, false), null]) {
    world.change(at, value);
    // eslint-disable-next-line no-await-in-loop -- one after the other
    const gone = await world.ask("GET", path);
    assert.equal(gone.status, 404);
    assert.equal(gone.secrets.length, KEYS - 1);
    assert.ok(!gone.secrets.includes(home));
  }
  const other = await world.upload();
  assert.equal((await world.ask("DELETE", other.path)).status, 200);
  const deleted = await world.ask("GET", other.path);
  assert.equal(deleted.status, 404);
  assert.equal(deleted.secrets[0], other.home);
  assert.equal(deleted.secrets.length, KEYS - 1);
});

test("a call that is too large for the key that holds its thing is told so, without another's 404", async () => {
  const world = await Accounts.start();
  const { path, home } = await world.upload();
  const error = { message: "Request too large (TPM): Limit 30000, Requested 52000." };
  world.trouble.set(home, [replyJson(429, JSON.stringify({ error }))]);
  const { status, text, secrets } = await world.ask("GET", path);
  assert.equal(status, 429);
  assert.match(text, /Requested 52000/);
  assert.deepEqual(secrets, [home]);
  assert.equal((await world.ask("GET", path)).status, 200);
});

test("a caller of the pool who makes many things has others' looked for no more than before", async () => {
  const world = await Accounts.start({ homesMax: 8 });
  const { authenticator } = world;
  authenticator.kind = "SUPER";
  const quiet = await world.upload();
  authenticator.ownerId = "usr_loud";
  for (let n = 0; n < 20; n++) {
    authenticator.clientKeyId = `ck_loud_${String(n % 5)}`;
    // eslint-disable-next-line no-await-in-loop -- one after the other
    await world.upload();
  }
  authenticator.ownerId = "usr_owner";
  authenticator.clientKeyId = "ck_caller";
  const { status, secrets } = await world.ask("GET", quiet.path);
  assert.equal(status, 200);
  assert.deepEqual(secrets, [quiet.home]);
});
