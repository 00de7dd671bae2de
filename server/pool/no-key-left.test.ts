import assert from "node:assert/strict";
import test from "node:test";
import { keys, OWN, World } from "../../test/support/pool-world.js";
import { aProviderKey, aRoute } from "../../test/support/records.js";
import type { Fault } from "../core/fault.js";

const BOTH = aRoute("model-x", "prv_test", "prv_second");
const REFUSED = { httpStatus: 404 };

/** What a call is told that has tried all keys there are. */
function allTried(count: number): Fault {
  const all = keys(count);
  return new World(all).fails("no_public_token", { tried: all.map(({ id }) => id) });
}

test("who gets no key is told whose keys there are none of, for what, why, and when to come back", () => {
  const off = new World(keys(2, { enabled: false }));
  const resting = new World(keys(1));
  resting.call("RATE_LIMITED", { retryAfterMs: 6_001 });
  const alias = { ...aRoute(), modelAsked: "alias" };
  const nothing = { modelAsked: "model-y", targets: [] };
  for (const [fault, words, seconds] of [
    [
      off.fails("no_public_token"),
      /^No public provider key can serve model-x now\. None is enabled/,
      30,
    ],
    [
      off.fails("no_own_token", { principal: OWN }),
      /^No provider key of your own can serve model-x now\. None is enabled and healthy\.$/,
      30,
    ],
    [
      resting.fails("no_public_token"),
      /model-x now\. Every one is cooling down or has used up its quota\.$/,
      7,
    ],
    [allTried(1), /now\. The only one that could be tried failed\.$/, 1],
    [allTried(2), /now\. Both that could be tried failed\.$/, 1],
    [allTried(3), /now\. All 3 that could be tried failed\.$/, 1],
    [off.fails("no_public_token", { route: alias }), /can serve model-x now\. None/, 30],
    [off.fails("no_public_token", { route: nothing }), /can serve model-y now\. None/, 30],
    [off.fails("no_public_token", { route: aRoute("") }), /can serve this call now\. None/, 30],
  ] as const) {
    assert.match(fault.publicMessage, words);
    assert.equal(fault.retryAfterSeconds, seconds, fault.publicMessage);
    // Where no time brings one back, SDKs need not come again by themselves.
    const isForGood = seconds === 30;
    assert.equal(fault.headers, isForGood ? "x-should-retry: false\r\n" : "");
  }
});

test("a model that the provider refuses to each key that works is not found, whatever other keys are switched off", () => {
  for (const enabled of [true, false]) {
    const world = new World([
      aProviderKey("pk_refused"),
      aProviderKey("pk_other", { tier: "BACKUP", enabled }),
      aProviderKey("pk_off", { enabled: false }),
    ]);
    assert.equal(world.call("MODEL_REFUSED", REFUSED), "pk_refused");
    if (enabled) world.fails("no_public_token", { tried: ["pk_other"] });
    else world.fails("model_not_found");
  }
});

test("a model that one provider refuses is not found only where no other may still have it", () => {
  for (const enabled of [true, false]) {
    const second = { providerId: "prv_second", enabled };
    const world = new World([aProviderKey("pk_refused"), aProviderKey("pk_second", second)]);
    assert.equal(world.call("MODEL_REFUSED", REFUSED), "pk_refused");
    if (enabled) world.fails("no_public_token", { route: BOTH, tried: ["pk_second"] });
    else world.fails("model_not_found", { route: BOTH });
  }
});

test("a call that one account alone can serve is told so where that key is out", () => {
  const world = new World(keys(2));
  const fault = world.fails("no_public_token", { home: "pk_00001", tried: ["pk_00001"] });
  assert.match(fault.publicMessage, /^What this call names is in the account of one provider key/);
});
