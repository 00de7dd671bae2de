import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProviderKey } from "../core/provider-key.js";
import type { HealthCheck } from "../keys/ports.js";
import { FakeLogger } from "../../test/gateway/fixture.js";
import { FakeClock, settle } from "../../test/support/fake-clock.js";
import { HealthLoop } from "./health-loop.js";

test("an interval that is changed holds at once, and none switches the loop off", async () => {
  const clock = new FakeClock();
  let seconds = 604_800;
  let rounds = 0;
  const loop = new HealthLoop({
    clock,
    logger: new FakeLogger(),
    keys: async () => [{ id: "pk_1" } as ProviderKey],
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
