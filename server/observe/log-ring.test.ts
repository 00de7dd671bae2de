import assert from "node:assert/strict";
import test from "node:test";
import { FakeClock, settle } from "../../test/support/fake-clock.js";
import type { Logger } from "../core/logger.js";
import { LOG_RING_LINES, LogRing, type LogSubscription } from "./log-ring.js";
import { createLogger } from "./logger.js";

function bench(): { ring: LogRing; logger: Logger } {
  const ring = new LogRing();
  const clock = new FakeClock();
  const destination = { write: () => undefined };
  return { ring, logger: createLogger({ level: "debug", clock, ring, destination }) };
}

const ALL: LogSubscription = { minLevel: "debug", contains: "", backfill: 0, follow: true };

test("a line comes back as it was written", () => {
  const { ring, logger } = bench();
  logger.warn({ module: "pool", keys: 3, state: { a: 1 } }, "cooled down");
  assert.deepEqual(ring.newest("debug", "", 10), [
    {
      atMs: new FakeClock().now(),
      level: "warn",
      module: "pool",
      message: "cooled down",
      fields: { keys: "3", state: '{"a":1}' },
    },
  ]);
});

test("the newest thousand lines are kept, oldest first", () => {
  const { ring, logger } = bench();
  for (let i = 1; i <= LOG_RING_LINES + 50; i++) logger.info({}, `line ${i}`);
  const lines = ring.newest("debug", "", 5000);
  assert.equal(lines.length, LOG_RING_LINES);
  assert.deepEqual([lines[0]!.message, lines.at(-1)!.message], ["line 51", "line 1050"]);
});

test("level and text select lines; a level inside a text does not count", () => {
  const { ring, logger } = bench();
  logger.debug({}, "alpha");
  logger.info({ note: '{"level":"error"' }, "ALPHA");
  logger.error({}, "beta");
  const messages = (lines: readonly { message: string }[]): string[] =>
    lines.map((line) => line.message);
  assert.deepEqual(messages(ring.newest("info", "alpha", 10)), ["ALPHA"]);
  assert.deepEqual(messages(ring.newest("error", "", 10)), ["beta"]);
});

test("a watcher gets the backfill first and then every new line", async () => {
  const { ring, logger } = bench();
  for (let i = 1; i <= 5; i++) logger.info({}, `old ${i}`);
  const watch = ring.subscribe({ ...ALL, backfill: 2 });
  const first = await watch.next();
  const next = watch.next();
  await settle();
  logger.info({}, "new");
  const texts = [first, await next].map((each) => each.value?.lines.map((line) => line.message));
  assert.deepEqual(texts, [["old 4", "old 5"], ["new"]]);
  await watch.return();
});

test("without following the stream ends after the backfill", async () => {
  const { ring, logger } = bench();
  logger.info({}, "only");
  const watch = ring.subscribe({ ...ALL, backfill: 10, follow: false });
  assert.equal((await watch.next()).value?.lines.length, 1);
  assert.equal((await watch.next()).done, true);
});

test("a slow watcher misses old lines, is told how many, and holds no more than its bound", async () => {
  const { ring, logger } = bench();
  const watch = ring.subscribe(ALL);
  const started = watch.next();
  await settle();
  logger.info({}, "line 0");
  await started;
  for (let i = 1; i <= 10_000; i++) logger.info({}, `line ${i}`);
  let [lines, dropped, last] = [0, 0, ""];
  while (last !== "line 10000") {
    const { value } = await watch.next();
    lines += value?.lines.length ?? 0;
    dropped = value?.dropped ?? 0;
    last = value?.lines.at(-1)?.message ?? "";
  }
  assert.ok(lines <= 500);
  assert.equal(lines + dropped, 10_000);
  await watch.return();
});

test("a signal ends a waiting watcher", async () => {
  const { ring } = bench();
  const end = new AbortController();
  const watch = ring.subscribe({ ...ALL, signal: end.signal });
  const next = watch.next();
  await settle();
  end.abort();
  assert.equal((await next).done, true);
});
