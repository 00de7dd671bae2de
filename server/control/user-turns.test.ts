import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.js";
import { UserTurns } from "./user-turns.js";

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
