import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import * as fc from "fast-check";
import { Dialect } from "../../proto/gen/latchkey/v1/common_pb.js";
import type { ServerProcess } from "../../scripts/lib/server-process.js";
import type { Api } from "../../tui/api/services.js";
import { AccountProvider } from "../support/account-provider.js";
import type { UpstreamStub } from "../support/upstream-stub.js";
import { accounts, caller, type Reply } from "./accounts.js";
import { addClientKey, addProviderKey, dataFolder, serve, signedIn, upstream } from "./fixture.js";

// What has an id is its owner's, in whatever order two users make, use and lose things while the server is stopped and
// killed: it is asked for in the account that holds it, by nobody else, and is not forgotten by a restart.

const KEYS = 2;

/** A user with keys of two accounts at a provider of each dialect. */
interface Owner {
  readonly name: string;
  readonly clientKey: string;
  /** Ids of the provider keys that are left, by secret. */
  readonly keys: Map<string, string>;
}

interface Thing {
  readonly owner: Owner;
  readonly kind: Kind;
  readonly id: string;
  /** Of the account that holds it. */
  readonly secret: string;
  /** A kill came before this was surely written down. */
  isForgotten: boolean;
}

interface Kind {
  readonly path: string;
  readonly isAnthropic: boolean;
  readonly body: (owner: string) => object;
  /** How a request of another names it. */
  readonly named?: (id: string) => object;
}

const kind = (path: string, more: Partial<Kind> = {}): Kind => ({
  path,
  isAnthropic: false,
  body: () => ({}),
  ...more,
});

const KINDS: readonly Kind[] = [
  kind("/v1/files"),
  kind("/v1/conversations", { named: (id) => ({ conversation: id }) }),
  kind("/v1/vector_stores", {
    named: (id) => ({ tools: [{ type: "file_search", vector_store_ids: [id] }] }),
  }),
  kind("/v1/containers"),
  kind("/v1/skills"),
  kind("/v1/responses", {
    body: (owner) => ({ model: `${owner}-openai-x`, input: "hi" }),
    named: (id) => ({ previous_response_id: id }),
  }),
  kind("/v1/messages/batches", { isAnthropic: true, body: () => ({ requests: [] }) }),
  kind("/v1beta/cachedContents", {
    body: (owner) => ({ model: `models/${owner}-gemini-x`, contents: [] }),
  }),
];

class World {
  readonly things: Thing[] = [];
  readonly #t: TestContext;
  readonly #stub: UpstreamStub;
  readonly #folder: string;
  #server: ServerProcess;

  constructor(t: TestContext, stub: UpstreamStub, folder: string, server: ServerProcess) {
    this.#t = t;
    this.#stub = stub;
    this.#folder = folder;
    this.#server = server;
  }

  async make(owner: Owner, each: Kind): Promise<void> {
    const { reply, secrets } = await this.#ask(
      owner,
      each,
      "POST",
      each.path,
      each.body(owner.name),
    );
    assert.equal(reply.status, 200, reply.text);
    const [secret = "", ...more] = secrets;
    assert.deepEqual(more, [], "made with the first try");
    const id = reply.id === "" ? (/"name":"[^/]+\/([^"]+)"/.exec(reply.text)?.[1] ?? "") : reply.id;
    this.things.push({ owner, kind: each, id, secret, isForgotten: false });
  }

  async use(thing: Thing): Promise<void> {
    const { owner, kind: each, id, secret } = thing;
    const { reply, secrets } = await this.#ask(owner, each, "GET", `${each.path}/${id}`);
    if (owner.keys.has(secret)) {
      assert.equal(reply.status, 200, reply.text);
      if (!thing.isForgotten) assert.deepEqual(secrets, [secret], "asked for where it is");
      thing.isForgotten = false;
    } else {
      assert.ok(reply.status >= 400, reply.text);
    }
  }

  async steal({ kind: each, id }: Thing, thief: Owner): Promise<void> {
    const asked = await this.#ask(thief, each, "GET", `${each.path}/${id}`);
    assert.ok(asked.reply.status >= 400, asked.reply.text);
    if (each.named === undefined) return;
    const body = { model: `${thief.name}-openai-x`, input: "hi", ...each.named(id) };
    const named = await this.#ask(thief, each, "POST", "/v1/responses", body);
    assert.ok(named.reply.status >= 400, named.reply.text);
  }

  /** Of each provider one account is left. */
  async deleteKey({ keys }: Owner, at: number): Promise<void> {
    const dialects = [...keys.keys()].map((secret) => secret.split("-")[2]);
    const spare = [...keys].filter(
      ([secret]) => dialects.filter((each) => each === secret.split("-")[2]).length > 1,
    );
    const [secret, id] = spare[at % Math.max(1, spare.length)] ?? [];
    if (secret === undefined || id === undefined) return;
    await this.#server.api.providerKeys.deleteProviderKey({ id });
    keys.delete(secret);
  }

  async restart(isKilled: boolean): Promise<void> {
    if (isKilled) {
      await this.#server.kill();
      for (const thing of this.things) thing.isForgotten = true;
    } else await this.#server.stop();
    this.#server = await serve(this.#t, this.#folder);
  }

  /** `secrets` are those that the provider was asked with: the caller's own alone. */
  async #ask(
    owner: Owner,
    { isAnthropic }: Kind,
    ...request: Parameters<ReturnType<typeof caller>["ask"]>
  ): Promise<{ reply: Reply; secrets: string[] }> {
    this.#stub.received.length = 0;
    const { ask } = caller(this.#server.proxyUrl, owner.clientKey, isAnthropic);
    const reply = await ask(...request);
    const secrets = this.#stub.received.map(({ secret }) => secret);
    for (const secret of secrets)
      assert.ok(owner.keys.has(secret), "another's key, or a deleted one");
    return { reply, secrets };
  }
}

/** A user, and what is theirs. */
async function newOwner(
  t: TestContext,
  admin: Api,
  stub: UpstreamStub,
  name: string,
): Promise<Owner> {
  const api = await signedIn(t, admin, name);
  const keys = new Map<string, string>();
  for (const [word, dialect] of [
    ["openai", Dialect.OPENAI],
    ["anthropic", Dialect.ANTHROPIC],
    ["gemini", Dialect.GEMINI],
  ] as const) {
    /* eslint-disable no-await-in-loop -- one after the other */
    const providerId = await accounts(api, stub, { slug: `${name}-${word}`, dialect });
    for (let n = 0; n < KEYS; n++) {
      const secret = `sk-${name}-${word}-${String(n)}-account-5d1e`;
      keys.set(secret, await addProviderKey(api, providerId, `${word} ${String(n)}`, secret));
    }
    /* eslint-enable no-await-in-loop */
  }
  return { name, clientKey: await addClientKey(api), keys };
}

const place = fc.nat(1_000);
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ does: fc.constant("MAKE" as const), user: place, at: place }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ does: fc.constant("USE" as const), user: place, at: place }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ does: fc.constant("STEAL" as const), user: place, at: place }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ does: fc.constant("DELETE" as const), user: place, at: place }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      does: fc.constantFrom("STOP" as const, "KILL" as const),
      user: place,
      at: place,
    }),
  },
);

test("whatever two users make, use and lose, over restarts: each id is its owner's, in its account", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 40, maxLength: 40, size: "max" }),
      async (steps) => {
        const stub = await upstream(t);
        stub.script = new AccountProvider().script;
        const folder = dataFolder(t);
        const server = await serve(t, folder);
        const users = [
          await newOwner(t, server.api, stub, "ann"),
          await newOwner(t, server.api, stub, "bob"),
        ] as const;
        const world = new World(t, stub, folder, server);
        for (const { does, user, at } of steps) {
          const [owner, other] = user % 2 === 0 ? users : [users[1], users[0]];
          const thing = world.things[at % Math.max(1, world.things.length)];
          /* eslint-disable no-await-in-loop -- one after the other */
          if (does === "MAKE") await world.make(owner, KINDS[at % KINDS.length]!);
          else if (does === "DELETE") await world.deleteKey(owner, at);
          else if (does === "STOP" || does === "KILL") await world.restart(does === "KILL");
          else if (thing === undefined) continue;
          else if (does === "USE") await world.use(thing);
          else await world.steal(thing, thing.owner === owner ? other : owner);
          /* eslint-enable no-await-in-loop */
        }
        for (const thing of world.things) {
          // eslint-disable-next-line no-await-in-loop -- one after the other
          await world.use(thing);
        }
      },
    ),
    { numRuns: 1, endOnFailure: true },
  );
});
