import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.js";
import { Guesses } from "./guesses.js";

const ATTACKER = "203.0.113.9";

function world() {
  const clock = new FakeClock();
  return { clock, guesses: new Guesses({ clock, bringsOthers: (ip) => ip === "127.0.0.1" }) };
}

/** How many guesses an address may make now, up to a hundred. */
function allowed(guesses: Guesses, ip: string): number {
  for (let i = 0; i < 100; i++) {
    try {
      guesses.begin(ip, `name ${i}`);
    } catch {
      return i;
    }
  }
  return 100;
}

test("an address that gets many passwords wrong is refused for a while, and no other", () => {
  const { clock, guesses } = world();
  assert.equal(allowed(guesses, "2001:db8::1"), 20);
  assert.throws(() => guesses.begin("2001:db8::2", "a"), {
    code: "rate_limit_exceeded",
    message: /wrong passwords/,
  });
  assert.equal(allowed(guesses, ATTACKER), 20);
  clock.advance(3_000);
  assert.equal(allowed(guesses, ATTACKER), 1);
});

test("right passwords do not count, however many", () => {
  const { guesses } = world();
  for (let i = 0; i < 100; i++) guesses.begin(ATTACKER, `name ${i}`).wasRight();
});

test("who has signed in from an address is not refused there, and has a turn of their own", () => {
  const { guesses } = world();
  guesses.begin(ATTACKER, "alice").wasRight();
  assert.equal(allowed(guesses, ATTACKER), 20);
  const { asker } = guesses.begin(ATTACKER, "alice");
  assert.notEqual(asker.holder.ownerId, ATTACKER);
  assert.throws(() => guesses.begin(ATTACKER, "bob"));
});

test("names at one address take turns, and a proxy's address is not refused", () => {
  const { guesses } = world();
  const [one, two] = [guesses.begin("127.0.0.1", "one"), guesses.begin("127.0.0.1", "two")];
  assert.equal(one.asker.holder.ownerId, two.asker.holder.ownerId);
  assert.notEqual(one.asker.holder.clientKey.id, two.asker.holder.clientKey.id);
  assert.equal(allowed(guesses, "127.0.0.1"), 100);
});
