import assert from "node:assert/strict";
import test from "node:test";
import { FakeClock } from "../../test/support/fake-clock.js";
import type { Fault } from "../core/fault.js";
import { AdmissionQueue } from "./admission-queue.js";

function queue(activeMax: number, waitingMax: number): { clock: FakeClock; calls: AdmissionQueue } {
  const clock = new FakeClock();
  return { clock, calls: new AdmissionQueue({ clock, activeMax, waitingMax, waitMaxMs: 5_000 }) };
}

/** Enters and notes the name when the turn has come. */
function enter(calls: AdmissionQueue, key: string, log: string[], signal?: AbortSignal): void {
  const turn = calls.enter(key, signal);
  if (turn === undefined) log.push(key);
  else
    turn.then(
      () => log.push(key),
      (fault: Fault) => log.push(`${key} ${fault.code}`),
    );
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("calls below the bound enter at once, without a promise", () => {
  const { calls } = queue(2, 0);
  assert.equal(calls.enter("a"), undefined);
  assert.equal(calls.enter("a"), undefined);
  assert.equal(calls.active, 2);
});

test("beyond the bound a bounded number waits and the rest is refused at once", async () => {
  const { calls } = queue(1, 2);
  const log: string[] = [];
  enter(calls, "a", log);
  enter(calls, "b", log);
  enter(calls, "c", log);
  assert.throws(() => calls.enter("d"), { code: "overloaded", retryAfterSeconds: 1 });
  calls.leave();
  await settled();
  assert.deepEqual(log, ["a", "b"]);
  calls.leave();
  await settled();
  assert.deepEqual(log, ["a", "b", "c"]);
  assert.deepEqual([calls.active, calls.waiting], [1, 0]);
});

test("who waits too long is refused, and the turn goes to somebody else", async () => {
  const { clock, calls } = queue(1, 5);
  const log: string[] = [];
  enter(calls, "a", log);
  enter(calls, "b", log);
  clock.advance(4_000);
  enter(calls, "c", log);
  clock.advance(1_000);
  await settled();
  assert.deepEqual(log, ["a", "b overloaded"]);
  calls.leave();
  await settled();
  assert.deepEqual(log, ["a", "b overloaded", "c"]);
  assert.equal(calls.waiting, 0);
});

test("a key that floods the queue delays itself and not the others", async () => {
  const { calls } = queue(1, 100);
  const log: string[] = [];
  enter(calls, "first", log);
  for (let i = 0; i < 20; i++) enter(calls, "flood", log);
  enter(calls, "quiet", log);
  for (let i = 0; i < 4; i++) {
    calls.leave();
    await settled();
  }
  assert.deepEqual(log, ["first", "flood", "quiet", "flood", "flood"]);
});

test("a caller that leaves while waiting gives up its place", async () => {
  const { calls } = queue(1, 1);
  const log: string[] = [];
  enter(calls, "a", log);
  const leaving = new AbortController();
  enter(calls, "b", log, leaving.signal);
  leaving.abort();
  await settled();
  enter(calls, "c", log);
  calls.leave();
  await settled();
  assert.deepEqual(log, ["a", "b caller_aborted", "c"]);
  const gone = new AbortController();
  gone.abort();
  enter(calls, "d", log, gone.signal);
  await settled();
  assert.equal(log.at(-1), "d caller_aborted");
  assert.deepEqual([calls.active, calls.waiting], [1, 0]);
});
