import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.js";
import type { BegunCall, CallRecord } from "../core/call.js";
import { systemClock } from "../core/clock.js";
import { BusyPoll } from "./busy-poll.js";
import type { CallSink } from "./ports.js";
import { RecordRound } from "./record-round.js";

/** Notes what is asked of it. */
class NotingSink implements Pick<CallSink, "inflight" | "write" | "count"> {
  readonly #steps: string[];
  inflight = 0;
  failure: Error | undefined;
  /** When what was written would survive a power cut; undefined where it need not. */
  safe: Promise<void> | undefined;

  constructor(steps: string[]) {
    this.#steps = steps;
  }

  write(entries: readonly unknown[]): Promise<void> | undefined {
    this.#steps.push(`write ${String(entries.length)}`);
    if (this.failure !== undefined) throw this.failure;
    return this.safe;
  }

  count(): void {
    this.#steps.push("count");
  }
}

function roundOf(
  steps: string[],
  busyPoll = new BusyPoll(systemClock, 0),
): { sink: NotingSink; round: RecordRound } {
  const sink = new NotingSink(steps);
  return { sink, round: new RecordRound(sink as unknown as CallSink, busyPoll) };
}

const RECORD = {} as CallRecord;

test("what is on record leaves before it is counted, and is counted before anything else has its turn", async () => {
  const steps: string[] = [];
  const { round } = roundOf(steps);
  for (const name of ["a", "b"]) {
    round.finish(RECORD, (fault) => {
      assert.equal(fault, undefined);
      // As an answer does, which leaves when the tick ends.
      process.nextTick(() => steps.push(`${name} leaves`));
      queueMicrotask(() => steps.push(`after ${name}`));
    });
  }
  await turn();
  await turn();
  assert.deepEqual(steps, ["write 2", "a leaves", "b leaves", "count", "after a", "after b"]);
});

test("calls that come in one turn are put on record in one write", async () => {
  const steps: string[] = [];
  const { sink, round } = roundOf(steps);
  sink.inflight = 2;
  setImmediate(() => {
    round.finish(RECORD, () => undefined);
  });
  round.finish(RECORD, () => undefined);
  await turn();
  await turn();
  assert.deepEqual(steps, ["write 2", "count"]);
});

test("a lone call is put on record without waiting for the turn to end", async () => {
  const steps: string[] = [];
  const { sink, round } = roundOf(steps);
  sink.inflight = 1;
  setImmediate(() => steps.push("rest of the turn"));
  round.finish(RECORD, () => undefined);
  await turn();
  assert.deepEqual(steps, ["write 1", "count", "rest of the turn"]);
});

test("what could not be put on record is told so, and counted all the same", async () => {
  const steps: string[] = [];
  const { sink, round } = roundOf(steps);
  sink.failure = new Error("no space");
  round.finish(RECORD, (fault) => {
    steps.push(fault === undefined ? "recorded" : "refused");
  });
  await turn();
  await turn();
  assert.deepEqual(steps, ["write 1", "refused", "count"]);
});

test("what a caller gets waits until it is safe on the disk, and is told where it could not be; what a provider is asked does not wait", async () => {
  for (const failure of [undefined, new Error("no space")]) {
    const steps: string[] = [];
    const { sink, round } = roundOf(steps);
    let settle: () => void = () => undefined;
    sink.safe = new Promise((resolve, reject) => {
      settle = () => {
        if (failure === undefined) resolve();
        else reject(failure);
      };
    });
    round.begin({} as BegunCall, (fault) => void steps.push(`begun ${fault?.code ?? "safe"}`));
    round.finish(RECORD, (fault) => void steps.push(`finished ${fault?.code ?? "safe"}`));
    await turn();
    assert.deepEqual(steps, ["write 2", "begun safe", "count"]);
    settle();
    await turn();
    assert.equal(steps.at(-1), failure === undefined ? "finished safe" : "finished internal");
    assert.equal(steps.length, 4);
  }
});

test("the loop is kept turning from a call's begin, and anew from its end", () => {
  const polled: (() => void)[] = [];
  const clock = new FakeClock();
  const { round } = roundOf([], new BusyPoll(clock, 200, (step) => void polled.push(step)));
  const turns = (): number => {
    polled.shift()?.();
    return polled.length;
  };
  round.begin({} as BegunCall, () => undefined);
  clock.advance(0.15);
  assert.equal(turns(), 1);
  round.finish(RECORD, () => undefined);
  clock.advance(0.15);
  assert.equal(turns(), 1);
  clock.advance(0.06);
  assert.equal(turns(), 0);
});
