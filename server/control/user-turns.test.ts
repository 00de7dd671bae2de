import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.js";
import { createContextValues, type UnaryRequest } from "@connectrpc/connect";
import { ClientKeyService } from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import { PoolService } from "../../proto/gen/latchkey/v1/pool_pb.js";
import { ProviderService } from "../../proto/gen/latchkey/v1/providers_pb.js";
import { actorKey } from "./context.js";
import { turnsInterceptor, UserTurns } from "./user-turns.js";

interface Asked {
  /** Ends the work, which has taken so long. */
  readonly end: (tookMs?: number) => Promise<void>;
  readonly begun: boolean;
  readonly result: Promise<string>;
}

class World {
  readonly clock = new FakeClock();
  readonly #turns = new UserTurns(this.clock);

  ask(userId: string, outcome: "answered" | "failed" = "answered"): Asked {
    let finish = (): void => undefined;
    const work = new Promise<string>((resolve, reject) => {
      finish = () => {
        if (outcome === "failed") reject(new Error("failed"));
        else resolve(userId);
      };
    });
    const asked = { begun: false };
    const result = this.#turns.take(userId, () => {
      asked.begun = true;
      return work;
    });
    result.catch(() => undefined);
    const end = async (tookMs = 0): Promise<void> => {
      this.clock.advance(tookMs);
      finish();
      await turn();
    };
    return Object.assign(asked, { end, result });
  }
}

async function turn(): Promise<void> {
  for (let i = 0; i < 5; i++) await setImmediate();
}

test("a user's questions are answered one after the other, with a pause as long as each took", async () => {
  const world = new World();
  const first = world.ask("mia");
  const second = world.ask("mia");
  const other = world.ask("max");
  await turn();
  assert.deepEqual([first.begun, second.begun, other.begun], [true, false, true]);
  await first.end(300);
  assert.equal(await first.result, "mia", "at once");
  world.clock.advance(299);
  await turn();
  assert.equal(second.begun, false);
  world.clock.advance(1);
  await turn();
  assert.equal(second.begun, true);
});

test("a question that fails ends its turn as well, and no pause is longer than a second", async () => {
  const world = new World();
  const first = world.ask("mia", "failed");
  const second = world.ask("mia");
  await first.end(60_000);
  await assert.rejects(first.result, /failed/);
  world.clock.advance(1_000);
  await turn();
  assert.equal(second.begun, true);
});

test("of one user so many questions wait, and more are refused; others are not", async () => {
  const world = new World();
  const first = world.ask("mia");
  for (let i = 0; i < 64; i++) world.ask("mia");
  await assert.rejects(world.ask("mia").result, { code: "overloaded" });
  assert.equal(world.ask("max").begun, false);
  await turn();
  await first.end();
  world.clock.advance(1_000);
  await turn();
  const late = world.ask("mia");
  await Promise.race([late.result.catch(() => assert.fail("there is room again")), turn()]);
});

const ROUTES = { key: ClientKeyService, pool: PoolService, provider: ProviderService };

/** Asks through the interceptor; the answers come when they are let. */
function asking() {
  const begun: string[] = [];
  let letAnswer = (): void => undefined;
  const answers = new Promise<void>((resolve) => (letAnswer = resolve));
  const clock = new FakeClock();
  const answer = turnsInterceptor(clock)(async (req) => {
    begun.push(`${req.contextValues.get(actorKey).userId ?? ""} ${req.method.name}`);
    await answers;
    throw new Error("no answer is needed");
  });
  const ask = (userId: string | null, service: keyof typeof ROUTES, name: string): void => {
    const actor = { userId, name: "", role: "USER", via: "SESSION", ip: "" } as const;
    const method = ROUTES[service].methods.find((each) => each.name === name);
    assert(method !== undefined);
    const req = {
      stream: false,
      service: ROUTES[service],
      method,
      signal: new AbortController().signal,
      contextValues: createContextValues().set(actorKey, actor),
    };
    answer(req as unknown as UnaryRequest).catch(() => undefined);
  };
  return { begun, ask, letAnswer };
}

test("lists of all kinds and what is as dear take turns; small questions do not", async () => {
  const { begun, ask, letAnswer } = asking();
  ask("mia", "key", "ListClientKeys");
  ask("mia", "provider", "ListModels");
  ask("mia", "pool", "GetPool");
  ask("mia", "key", "GetClientKeyStats");
  ask("mia", "key", "GetClientKey");
  ask("mia", "key", "CreateClientKey");
  ask("max", "provider", "ListProviders");
  ask(null, "provider", "ListProviders");
  ask(null, "provider", "ListProviders");
  await turn();
  assert.deepEqual(begun.toSorted(), [
    " ListProviders",
    " ListProviders",
    "max ListProviders",
    "mia CreateClientKey",
    "mia GetClientKey",
    "mia ListClientKeys",
  ]);
  letAnswer();
  for (let i = 0; i < 5; i++) await turn();
  assert.deepEqual(begun.slice(6), ["mia ListModels", "mia GetPool", "mia GetClientKeyStats"]);
});
