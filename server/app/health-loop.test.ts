import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProviderKey } from "../core/provider-key.js";
import type { HealthCheck } from "../keys/ports.js";
import { FakeLogger } from "../../test/gateway/fixture.js";
import { FakeClock, settle } from "../../test/support/fake-clock.js";
import { aProviderKey } from "../../test/support/records.js";
import { HealthLoop } from "./health-loop.js";

test("an interval that is changed holds at once, and none switches the loop off", async () => {
  const clock = new FakeClock();
  let seconds = 604_800;
  let rounds = 0;
  const loop = new HealthLoop({
    clock,
    logger: new FakeLogger(),
    keyIds: () => ["pk_1"],
    keyNow: () => ({ id: "pk_1" }) as ProviderKey,
    check: async () => {
      rounds += 1;
      return {} as HealthCheck;
    },
    everySeconds: () => seconds,
  });
  const minutes = async (count: number): Promise<number> => {
    const before = rounds;
    for (let n = 0; n < count * 60; n++) {
      clock.advance(1000);
      await settle();
    }
    return rounds - before;
  };
  loop.start();
  assert.equal(await minutes(5), 0);
  seconds = 120;
  assert.equal(await minutes(2), 1, "a week is not waited for");
  assert.ok((await minutes(21)) >= 9);
  seconds = 0;
  assert.equal(await minutes(30), 0);
  seconds = 60;
  assert.ok((await minutes(10)) >= 8);
  await loop.stop();
});

test("a key is checked as it is when its turn comes, and not at all if it is gone or switched off by then", async () => {
  const clock = new FakeClock();
  const keys = new Map(["pk_1", "pk_2", "pk_3"].map((id) => [id, aProviderKey(id)]));
  const checked: ProviderKey[] = [];
  const loop = new HealthLoop({
    clock,
    logger: new FakeLogger(),
    keyIds: () => [...keys.keys()],
    keyNow: (id) => keys.get(id),
    check: async (key) => {
      checked.push(key);
      return {} as HealthCheck;
    },
    everySeconds: () => 60,
  });
  loop.start();
  clock.advance(60_000);
  keys.delete("pk_2");
  const changed = aProviderKey("pk_3", { version: 2 });
  keys.set("pk_3", changed);
  for (let i = 0; i < 3; i++) {
    clock.advance(1_000);
    await settle();
  }
  assert.deepEqual(checked, [changed, keys.get("pk_1")]);
  await loop.stop();
});
