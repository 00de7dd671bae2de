import assert from "node:assert/strict";
import { test } from "node:test";
import type { Actor } from "../core/audit.js";
import { FakeClock } from "../../test/support/fake-clock.js";
import { MemoryIdempotencyStore, type RequestKey } from "./idempotency.js";

const DAY_MS = 86_400_000;

function actor(userId: string | null): Actor {
  return { userId, name: "", role: "USER", via: "SESSION", ip: "" };
}

function key(part: Partial<RequestKey> = {}): RequestKey {
  return { actor: actor("usr_1"), rpc: "CreateThing", requestId: "uuid-1", ...part };
}

function counting() {
  const clock = new FakeClock();
  const store = new MemoryIdempotencyStore({ clock });
  let runs = 0;
  const once = (which: RequestKey) =>
    store.once(
      which,
      async () => ++runs,
      (value) => `made ${value}`,
    );
  return { clock, store, once, runs: () => runs };
}

test("a repeat gets what was kept and runs nothing", async () => {
  const { once, runs } = counting();
  assert.deepEqual(await once(key()), { repeated: false, value: 1 });
  assert.deepEqual(await once(key({ requestId: "UUID-1" })), { repeated: true, kept: "made 1" });
  assert.equal(runs(), 1);
});

test("another user, another RPC, another id and no id are other requests", async () => {
  const { once, runs } = counting();
  await once(key());
  await once(key({ actor: actor("usr_2") }));
  await once(key({ rpc: "CreateOther" }));
  await once(key({ requestId: "uuid-2" }));
  await once(key({ requestId: "" }));
  await once(key({ requestId: "" }));
  assert.equal(runs(), 6);
});

test("after a day a repeat is a new request", async () => {
  const { clock, once, runs } = counting();
  await once(key());
  clock.advance(DAY_MS - 1);
  await once(key());
  clock.advance(1);
  await once(key());
  assert.equal(runs(), 2);
});

test("a failure reaches the repeat that waited for it, and is forgotten", async () => {
  const { store, once } = counting();
  let fail: (error: Error) => void = () => undefined;
  const failing = () =>
    new Promise<number>((_resolve, reject) => {
      fail = reject;
    });
  const first = store.once(key(), failing, String);
  const repeat = store.once(key(), failing, String);
  fail(new Error("no"));
  await assert.rejects(first, /no/);
  await assert.rejects(repeat, /no/);
  assert.equal(store.size, 0);
  assert.deepEqual(await once(key()), { repeated: false, value: 1 });
});

test("long answers push out the oldest ones, so that memory stays bounded", async () => {
  const { store } = counting();
  const mebi = "x".repeat(1024 * 1024);
  for (let i = 0; i < 20; i++) {
    const request = key({ requestId: `uuid-${i}` });
    await store.once(
      request,
      async () => i,
      () => mebi,
    );
  }
  assert(store.size < 9, `${store.size} answers are kept`);
  const last = await store.once(
    key({ requestId: "uuid-19" }),
    async () => 99,
    () => "",
  );
  assert.equal(last.repeated, true);
});
