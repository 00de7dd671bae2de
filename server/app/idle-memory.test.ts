import assert from "node:assert/strict";
import test from "node:test";
import { FakeClock } from "../../test/support/fake-clock.js";
import { IdleMemory } from "./idle-memory.js";

test("memory is given back once after each busy time, and never while there is work", () => {
  const clock = new FakeClock();
  let cpuMicros = 5_000_000;
  let collections = 0;
  const memory = new IdleMemory({
    clock,
    cpuMicros: () => cpuMicros,
    collect: () => {
      collections++;
      // A collection costs CPU too, and must not be taken for work.
      cpuMicros += 400_000;
    },
  });
  const tenSeconds = (busyMicros: number): number => {
    cpuMicros += busyMicros;
    clock.advance(10_000);
    return collections;
  };
  memory.start();
  assert.equal(tenSeconds(2_000_000), 0, "the start is still going on");
  assert.equal(tenSeconds(10_000), 1, "the start is over");
  assert.equal(tenSeconds(10_000), 1, "nothing was done since");
  assert.equal(tenSeconds(9_000_000), 1, "calls are served");
  assert.equal(tenSeconds(9_000_000), 1);
  assert.equal(tenSeconds(100_000), 2, "the last call is over");
  assert.equal(tenSeconds(100_000), 2);
  memory.stop();
  tenSeconds(9_000_000);
  assert.equal(tenSeconds(0), 2);
});
