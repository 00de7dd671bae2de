import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Batch, OpenBatch } from "../core/batch.js";
import { type CallRecord, NO_TOKENS, NOTHING_RESERVED } from "../core/call.js";
import type { BatchNews } from "../core/finished-call.js";
import type { FoundBatch, Look } from "./batch-look.js";
import { type BatchStore, BatchWatch } from "./batch-watch.js";
import {
  LOOK_PAUSE_MAX_MS,
  LOOK_PAUSE_MIN_MS,
  RESPONSE_AGE_MAX_MS,
  RESPONSE_PAUSE_MAX_MS,
  SEEK_MAX_MS,
} from "./limits.js";
import { FakeClock, settle } from "../../test/support/fake-clock.js";

// The watch against a store and a ledger that may die at any step, as the process does in a kill.

const DAY_MS = 24 * 60 * 60_000;

class Killed extends Error {}

type Row = OpenBatch & { lookAt: number | null };

/** What outlives a process: the rows, the ledger, and what the provider says. */
class Outside implements BatchStore {
  readonly rows: Row[] = [];
  readonly ledger = new Map<string, CallRecord>();
  readonly booked: string[] = [];
  /** Who may count a batch; of single responses it is whoever is told of them first. */
  take: (batch: OpenBatch) => boolean = () => true;
  looks = 0;
  look: (batch: OpenBatch) => Look = () => ({ kind: "RUNNING" });
  /** Steps until the process is killed; none by default. */
  stepsLeft = Number.POSITIVE_INFINITY;
  #ids = 0;
  #numbers = 0;

  readonly nextId = (): string => `call_${String(++this.#ids)}`;

  async step<T>(change: () => T): Promise<T> {
    await Promise.resolve();
    if (this.stepsLeft-- <= 0) throw new Killed();
    const done = change();
    await Promise.resolve();
    if (this.stepsLeft-- <= 0) throw new Killed();
    return done;
  }

  add(batch: Batch, lookAt: number): Promise<number | undefined> {
    return this.step(() => this.#insert(batch, lookAt));
  }
  made(batch: Batch, asked: Batch, lookAt: number): Promise<number | undefined> {
    return this.step(() => {
      this.#drop(asked);
      return this.#insert(batch, lookAt);
    });
  }
  found = (asked: OpenBatch, names: readonly FoundBatch[], lookAt: number): Promise<boolean> =>
    this.step(() => {
      const taken = this.rows.map(({ batchId }) => batchId);
      const name = names.find(({ batchId }) => !taken.includes(batchId));
      const row = this.rows.find(({ number }) => number === asked.number);
      if (row !== undefined && name !== undefined) {
        Object.assign(row, { ...name, lookAt, sought: undefined });
      }
      return name !== undefined;
    });
  seek = (asked: Batch, lookAt: number): Promise<OpenBatch | undefined> =>
    this.step(() => {
      const row = this.#find(asked.scope, asked.batchId);
      if (row !== undefined) row.lookAt = lookAt;
      return row;
    });
  forget = (asked: Batch): Promise<void> =>
    this.step(() => {
      this.#drop(asked);
    });
  open = (): Promise<readonly OpenBatch[]> =>
    this.step(() => this.rows.filter(({ lookAt }) => lookAt !== null));
  find = (scope: string, batchId: string): Promise<OpenBatch | undefined> =>
    this.step(() => {
      const row = this.#find(scope, batchId);
      return row?.lookAt === null ? undefined : row && { ...row };
    });
  due = (nowMs: number, except: readonly string[]): Promise<OpenBatch | undefined> =>
    this.step(() => {
      const row = this.#byTime(except)[0];
      return row !== undefined && (row.lookAt ?? 0) <= nowMs ? { ...row } : undefined;
    });
  nextLookAt = (except: readonly string[]): Promise<number | undefined> =>
    this.step(() => this.#byTime(except)[0]?.lookAt ?? undefined);
  hastenAll = (nowMs: number): Promise<void> =>
    this.step(() => {
      for (const row of this.rows) if ((row.lookAt ?? 0) > nowMs) row.lookAt = nowMs;
    });
  hasten = (number: number, _key: string, nowMs: number): Promise<void> =>
    this.#change(number, (row) => {
      if (row.lookAt !== null) row.lookAt = nowMs;
    });
  putOff = (number: number, lookAt: number, misses: number): Promise<void> =>
    this.#change(number, (row) => {
      if (row.lookAt !== null) Object.assign(row, { lookAt, misses });
    });
  keepRecords = (number: number, records: readonly CallRecord[]): Promise<void> =>
    this.#change(number, (row) => Object.assign(row, { records }));
  counted = (number: number): Promise<void> =>
    this.#change(number, (row) => Object.assign(row, { lookAt: null, records: undefined }));

  numberOf = ({ scope, batchId }: Pick<Batch, "scope" | "batchId">): Promise<number | undefined> =>
    this.step(() => this.#find(scope, batchId)?.number);

  /** What is in the journal and not in the store, which has it as soon as anybody waits for that. */
  readonly news: BatchNews[] = [];
  recorded = (): Promise<void> => this.step(() => this.replay());
  /** As the ledger does with what the last process left, before anything else begins. */
  replay(): void {
    for (const each of this.news.splice(0)) {
      if (each.kind === "GOES_ON") this.#insert(each.batch, each.lookAt);
      else {
        const row = this.#find(each.scope, each.batchId);
        if (row !== undefined) Object.assign(row, { lookAt: null, records: undefined });
      }
    }
  }

  record = async (records: readonly CallRecord[]): Promise<void> => {
    for (const each of records) {
      // eslint-disable-next-line no-await-in-loop -- a kill may come between two
      await this.step(() => {
        if (this.ledger.has(each.id)) return;
        this.ledger.set(each.id, each);
        this.booked.push(each.id);
      });
    }
  };

  #change(number: number, change: (row: Row) => unknown): Promise<void> {
    return this.step(() => {
      const row = this.rows.find((each) => each.number === number);
      if (row !== undefined) change(row);
    });
  }
  #insert(batch: Batch, lookAt: number): number | undefined {
    if (this.#find(batch.scope, batch.batchId) !== undefined) return undefined;
    const number = ++this.#numbers;
    this.rows.push({ ...batch, number, misses: 0, records: undefined, lookAt });
    return number;
  }
  #drop({ scope, batchId }: Batch): void {
    const row = this.#find(scope, batchId);
    if (row !== undefined) this.rows.splice(this.rows.indexOf(row), 1);
  }
  #find(scope: string, batchId: string): Row | undefined {
    return this.rows.find((row) => row.scope === scope && row.batchId === batchId);
  }
  #byTime(except: readonly string[]): Row[] {
    return this.rows
      .filter((row) => row.lookAt !== null && !except.includes(row.ownerId))
      .toSorted((a, b) => (a.lookAt ?? 0) - (b.lookAt ?? 0));
  }
}

const clockAt = () => new FakeClock();

function watchOf(outside: Outside, clock: FakeClock, aside: string[] = []): BatchWatch {
  const log = () => undefined;
  return new BatchWatch({
    clock,
    logger: { debug: log, info: log, warn: log, error: log },
    store: outside,
    nextId: outside.nextId,
    look: (batch) => outside.step(() => (outside.looks++, outside.look(batch))),
    record: outside.record,
    recorded: outside.recorded,
    take: (batch) => outside.take(batch),
    setAside: ({ batchId }) => {
      aside.push(batchId);
      return () => aside.splice(aside.indexOf(batchId), 1);
    },
  });
}

function batchOf(id: string, ownerId: string, madeAt: number, more: Partial<Batch> = {}): Batch {
  return {
    scope: ownerId,
    batchId: id,
    providerId: "prv",
    providerKeyId: "pk",
    ownerId,
    clientKeyId: "ck",
    clientKeyKind: "STANDARD",
    dialect: "OPENAI",
    path: `/v1/batches/${id}`,
    model: "",
    reserved: NOTHING_RESERVED,
    madeAt,
    ...more,
  };
}

const NO_FILE = { inputFile: "", name: "", requests: 1 };

/** What stands for a batch before its name is known. */
function askedOf(batch: Batch): Batch {
  return { ...batch, batchId: `?${batch.batchId}`, path: "/v1/batches", sought: NO_FILE };
}

/** As a call has it made. */
async function make(watch: BatchWatch, batch: Batch): Promise<void> {
  const asked = askedOf(batch);
  await watch.asked(asked);
  await watch.made(batch, asked);
}

const ended = (...models: readonly string[]): Look => ({
  kind: "ENDED",
  use: {
    sums: models.map((model) => ({ model, tokens: { ...NO_TOKENS, input: 1 }, costMicros: 1 })),
    read: 1,
    untold: 0,
    problem: "",
  },
});

test("whatever step a process dies at, the next one counts each batch once", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(60), { maxLength: 6 }),
      fc.integer({ min: 1, max: 4 }),
      async (kills, batches) => {
        const outside = new Outside();
        const clock = clockAt();
        const first = watchOf(outside, clock);
        await first.start();
        for (let n = 0; n < batches; n++) {
          await make(first, batchOf(`b${n}`, `usr_${n % 2}`, clock.now()));
        }
        outside.look = ({ batchId }) => ended(`${batchId} one`, `${batchId} two`);
        await first.stop();
        for (const steps of kills) {
          outside.stepsLeft = steps;
          const dying = watchOf(outside, clock);
          await dying.start().catch(() => undefined);
          await settle();
          outside.stepsLeft = Number.POSITIVE_INFINITY;
          await dying.stop();
        }
        const last = watchOf(outside, clock);
        await last.start();
        await settle();
        await last.stop();
        const models = [...outside.ledger.values()].map(({ modelServed }) => modelServed);
        const wanted = Array.from({ length: batches }, (_, n) => [`b${n} one`, `b${n} two`]).flat();
        assert.deepEqual(models.toSorted(), wanted.toSorted());
        assert.equal(outside.booked.length, wanted.length);
        assert.ok(outside.rows.every(({ lookAt }) => lookAt === null));
      },
    ),
  );
});

test("whatever step a process dies at while batches are made, each that was made counts once", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ steps: fc.nat(30), unheard: fc.boolean() }), { maxLength: 5 }),
      async (lives) => {
        const outside = new Outside();
        const clock = clockAt();
        const list: FoundBatch[] = [];
        outside.look = ({ batchId, sought }) =>
          sought === undefined ? ended(batchId) : { kind: "SOUGHT", names: list.toReversed() };
        for (const { steps, unheard } of lives) {
          const watch = watchOf(outside, clock);
          await watch.start();
          outside.stepsLeft = steps;
          for (let n = 0; n < 3 && outside.stepsLeft > 0; n++) {
            const batch = batchOf(`b${list.length}`, "usr", clock.now());
            await watch.asked(askedOf(batch));
            if (outside.stepsLeft < 0) break;
            list.push(batch);
            if (unheard) await watch.unmade(askedOf(batch), false).catch(() => undefined);
            else await watch.made(batch, askedOf(batch));
          }
          await settle();
          outside.stepsLeft = Number.POSITIVE_INFINITY;
          await watch.stop();
        }
        const last = watchOf(outside, clock);
        await last.start();
        for (let passed = 0; passed <= 2 * SEEK_MAX_MS; passed += LOOK_PAUSE_MIN_MS) {
          await settle();
          clock.advance(LOOK_PAUSE_MIN_MS);
        }
        await settle();
        await last.stop();
        const models = [...outside.ledger.values()].map(({ modelServed }) => modelServed);
        assert.deepEqual(models.toSorted(), list.map(({ batchId }) => batchId).toSorted());
        assert.ok(
          outside.rows.every(({ lookAt, sought }) => lookAt === null && sought === undefined),
        );
      },
    ),
  );
});

test("what was asked for and is in no list is given up, with what was set aside", async () => {
  const outside = new Outside();
  const clock = clockAt();
  const aside: string[] = [];
  const watch = watchOf(outside, clock, aside);
  await watch.start();
  const reserved = { inputTokens: 7, maxOutputTokens: 9, costMicros: 5, isLater: true } as const;
  const asked = askedOf(batchOf("b1", "usr", clock.now(), { reserved }));
  outside.look = () => ({ kind: "SOUGHT", names: [] });
  await watch.asked(asked);
  assert.deepEqual(aside, [], "its call has it set aside");
  await watch.unmade(asked, false);
  assert.deepEqual(aside, ["?b1"]);
  for (let passed = 0; passed <= SEEK_MAX_MS; passed += LOOK_PAUSE_MIN_MS) {
    await settle();
    clock.advance(LOOK_PAUSE_MIN_MS);
  }
  await settle();
  assert.deepEqual([aside, outside.rows, outside.ledger.size], [[], [], 0]);
  await watch.stop();
});

test("a batch is looked at ever more seldom until it has ended, and never again", async () => {
  const outside = new Outside();
  const clock = clockAt();
  const watch = watchOf(outside, clock);
  await watch.start();
  await make(watch, batchOf("b1", "usr", clock.now()));
  const passed = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 30_000) {
      clock.advance(30_000);
      await settle();
    }
  };
  await passed(DAY_MS);
  assert.ok(outside.looks > 48 && outside.looks < 90, `${outside.looks} looks`);
  outside.look = () => ended("m");
  await passed(LOOK_PAUSE_MAX_MS + 60_000);
  assert.equal(outside.ledger.size, 1);
  const { looks } = outside;
  await passed(DAY_MS);
  await watch.ended("usr", "b1", { id: "pk", providerId: "prv" });
  await watch.beforeRemoval("usr", "b1");
  await make(watch, batchOf("b1", "usr", clock.now()));
  await passed(DAY_MS);
  assert.equal(outside.looks, looks);
  await watch.stop();
});

test("a batch is neither given up nor forgotten because the clock is ahead by a year for an hour", async () => {
  const outside = new Outside();
  const clock = clockAt();
  const watch = watchOf(outside, clock);
  await watch.start();
  await make(watch, batchOf("b1", "usr", clock.now()));
  const passed = async (minutes: number): Promise<void> => {
    for (let minute = 0; minute < minutes; minute++) {
      clock.advance(60_000);
      await settle();
    }
  };
  clock.jumpWall(365 * DAY_MS);
  await passed(60);
  assert.deepEqual([outside.ledger.size, outside.rows.length], [0, 1]);
  clock.jumpWall(-365 * DAY_MS);
  outside.look = () => ended("m");
  await passed(11);
  assert.equal(outside.ledger.size, 1);
  await watch.stop();
});

test("a batch of the same name at another provider hastens nothing and moves no batch", async () => {
  const outside = new Outside();
  const clock = new FakeClock();
  const watch = watchOf(outside, clock);
  await watch.start();
  await make(watch, batchOf("b1", "usr", clock.now()));
  await watch.ended("usr", "b1", { id: "pk_other", providerId: "prv_other" });
  await settle();
  assert.equal(outside.looks, 0);
  assert.equal(outside.rows[0]?.providerKeyId, "pk");
  await watch.ended("usr", "b1", { id: "pk_new", providerId: "prv" });
  await settle();
  assert.equal(outside.looks, 1);
  await watch.stop();
});

for (const [what, look, code] of [
  ["is gone", { kind: "MISSED", problem: "the batch: HTTP 404", use: undefined }, "batch_lost"],
  ["never ends", { kind: "RUNNING" }, "batch_lost"],
  ["cannot be looked at", { kind: "FAILED", problem: "HTTP 500" }, "batch_lost"],
  [
    "has results that break off",
    {
      kind: "MISSED",
      problem: "cut",
      use: { ...(ended("m") as { use: object }).use, problem: "cut" },
    },
    "batch_incomplete",
  ],
] as readonly (readonly [string, Look, string])[]) {
  test(`a batch that ${what} counts in the end, and gives back what was set aside`, async () => {
    const outside = new Outside();
    const clock = clockAt();
    const aside: string[] = [];
    const watch = watchOf(outside, clock, aside);
    await watch.start();
    outside.look = () => look;
    const reserved = { inputTokens: 7, maxOutputTokens: 9, costMicros: 5, isLater: true } as const;
    await make(watch, batchOf("b1", "usr", clock.now(), { reserved }));
    assert.deepEqual(aside, ["b1"]);
    for (let n = 0; n < 12 * 48 && outside.ledger.size === 0; n++) {
      clock.advance(LOOK_PAUSE_MAX_MS);
      await settle();
    }
    const [record] = outside.ledger.values();
    assert.equal(record?.errorCode, code);
    if (code === "batch_lost") {
      assert.equal(record.tokens.output, 9);
      assert.equal(record.costMicros, 5);
      assert.equal(record.usageSource, "ESTIMATED");
    }
    assert.deepEqual(aside, []);
    await watch.stop();
  });
}

test("a user with many batches at a provider that hangs holds up nobody else", async () => {
  const outside = new Outside();
  const clock = clockAt();
  const watch = watchOf(outside, clock);
  await watch.start();
  for (let n = 0; n < 50; n++) await make(watch, batchOf(`slow${n}`, "usr_slow", clock.now()));
  await make(watch, batchOf("quick", "usr_quick", clock.now()));
  let release: () => void = () => undefined;
  const hanging = new Promise<void>((resolve) => (release = resolve));
  outside.step = async (change) => {
    const done = change();
    if ((done as Partial<Look> | undefined)?.kind === "RUNNING") await hanging;
    return done;
  };
  outside.look = ({ batchId }) => (batchId === "quick" ? ended("m") : { kind: "RUNNING" });
  await settle();
  clock.advance(LOOK_PAUSE_MIN_MS);
  await settle();
  assert.equal(outside.ledger.size, 1);
  release();
  await watch.stop();
});

// Single responses, which count with whoever is told of them first: callers and the watch take them out of one set.

const RESERVED = { inputTokens: 7, maxOutputTokens: 9, costMicros: 5 };

function responseOf(id: string, madeAt: number, reserved = RESERVED): Batch {
  const target = { upstreamModel: "m", price: null };
  const later = { target, counted: NO_TOKENS };
  return batchOf(id, "usr", madeAt, { path: `/v1/responses/${id}`, reserved, later });
}

/** A call begins a response that goes on after it, and is put on record. */
function goOn({ outside, watch }: Watching, response: Batch): Promise<void> {
  const news = { kind: "GOES_ON", batch: response, lookAt: watch.goesOn(response) } as const;
  outside.news.push(news);
  return watch.recorded(news);
}

/** A call is told what a response used, and is put on record. */
function tell({ outside, watch }: Watching, { scope, batchId }: Batch): Promise<void> {
  const news = { kind: "TOLD", scope, batchId } as const;
  outside.news.push(news);
  return watch.recorded(news);
}

interface Watching {
  readonly outside: Outside;
  readonly watch: BatchWatch;
}

/** What a process knows of responses that are still to be counted. */
function memoryOf(outside: Outside): Set<string> {
  const rows = outside.rows.filter(
    ({ lookAt, records }) => lookAt !== null && records === undefined,
  );
  const memory = new Set(rows.map(({ batchId }) => batchId));
  outside.take = ({ batchId }) => memory.delete(batchId);
  return memory;
}

/** A watch that has begun, with all around it, and what the server knows of responses in memory. */
async function watchingResponses() {
  const outside = new Outside();
  const clock = clockAt();
  const aside: string[] = [];
  const watch = watchOf(outside, clock, aside);
  const memory = memoryOf(outside);
  await watch.start();
  return { outside, clock, aside, watch, memory };
}

async function passing(clock: FakeClock, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= LOOK_PAUSE_MIN_MS) {
    await settle();
    clock.advance(LOOK_PAUSE_MIN_MS);
  }
  await settle();
}

test("a response is looked for a minute after it was begun and counts once, though nobody asks for it", async () => {
  const { outside, clock, aside, watch, memory } = await watchingResponses();
  memory.add("r1");
  const noted = goOn({ outside, watch }, responseOf("r1", clock.now()));
  assert.deepEqual(aside, ["r1"], "nothing else may use that meanwhile");
  await noted;
  assert.deepEqual(aside, ["r1"]);
  clock.advance(LOOK_PAUSE_MIN_MS - 1);
  await settle();
  assert.equal(outside.looks, 0);
  clock.advance(1);
  await settle();
  assert.deepEqual([outside.looks, outside.ledger.size, aside], [1, 0, ["r1"]]);
  outside.look = () => ended("m");
  await passing(clock, DAY_MS);
  assert.deepEqual([outside.looks, outside.ledger.size, aside], [2, 1, []]);
  assert.ok(!memory.has("r1"), "a caller who asks now counts nothing more");
  await watch.stop();
});

test("a response that its caller was told of is asked for no more, and what was set aside is free", async () => {
  const { outside, clock, aside, watch, memory } = await watchingResponses();
  const response = responseOf("r1", clock.now());
  memory.add("r1");
  // As soon as it was made, before the store has it.
  const noted = goOn({ outside, watch }, response);
  memory.delete("r1");
  await Promise.all([noted, tell({ outside, watch }, response)]);
  assert.deepEqual(aside, []);
  await passing(clock, DAY_MS);
  await watch.stop();
  const next = watchOf(outside, clock, aside);
  assert.deepEqual([...memoryOf(outside)], []);
  await next.start();
  await passing(clock, DAY_MS);
  await next.stop();
  assert.deepEqual([outside.looks, outside.ledger.size, aside], [0, 0, []]);
});

test("a response of which its caller is told while it is looked at does not count twice", async () => {
  const { outside, clock, aside, watch, memory } = await watchingResponses();
  memory.add("r1");
  await goOn({ outside, watch }, responseOf("r1", clock.now()));
  outside.look = () => {
    memory.delete("r1");
    return ended("m");
  };
  await passing(clock, DAY_MS);
  assert.deepEqual([outside.looks, outside.ledger.size, aside], [1, 0, []]);
  await watch.stop();
});

test("whatever step a process dies at, the next one counts each response once", async () => {
  for (let steps = 0; steps < 40; steps++) {
    const outside = new Outside();
    const clock = clockAt();
    const first = watchOf(outside, clock);
    memoryOf(outside).add("r1");
    await first.start();
    await goOn({ outside, watch: first }, responseOf("r1", clock.now()));
    await first.stop();
    outside.look = () => ended("m");
    for (const stepsLeft of [steps, Number.POSITIVE_INFINITY]) {
      outside.stepsLeft = stepsLeft;
      memoryOf(outside);
      const watch = watchOf(outside, clock);
      await watch.start().catch(() => undefined);
      await settle();
      outside.stepsLeft = Number.POSITIVE_INFINITY;
      await watch.stop();
    }
    assert.deepEqual([outside.ledger.size, outside.booked.length], [1, 1], `${steps} steps`);
  }
});

test("a response whose call is on record outlives its process, and one that is told does not come back", async () => {
  for (const isTold of [false, true]) {
    const { outside, clock, aside, watch, memory } = await watchingResponses();
    memory.add("r1");
    const response = responseOf("r1", clock.now());
    outside.stepsLeft = 0;
    await assert.rejects(goOn({ outside, watch }, response), Killed);
    if (isTold) await assert.rejects(tell({ outside, watch }, response), Killed);
    await watch.stop();
    assert.deepEqual(aside, [], "whatever the store says, budgets get back what they set aside");
    outside.stepsLeft = Number.POSITIVE_INFINITY;
    outside.replay();
    outside.look = () => ended("m");
    memoryOf(outside);
    const next = watchOf(outside, clock);
    await next.start();
    await passing(clock, DAY_MS);
    assert.equal(outside.ledger.size, isTold ? 0 : 1);
    await next.stop();
  }
});

test("a batch that the store does not take before its call is on record is set aside and counts all the same", async () => {
  const { outside, clock, aside, watch } = await watchingResponses();
  const batch = batchOf("b1", "usr", clock.now(), { reserved: RESERVED });
  outside.take = () => true;
  const { made } = outside;
  outside.made = () => Promise.reject(new Error("locked"));
  await make(watch, batch);
  assert.deepEqual([aside, outside.looks], [["b1"], 0]);
  outside.made = made;
  const news = { kind: "GOES_ON", batch, lookAt: batch.madeAt } as const;
  outside.news.push(news);
  await watch.recorded(news);
  assert.deepEqual(aside, ["b1"]);
  const names = [{ batchId: batch.batchId, path: batch.path }];
  outside.look = ({ sought }) => (sought === undefined ? ended("m") : { kind: "SOUGHT", names });
  await passing(clock, DAY_MS);
  assert.deepEqual([outside.ledger.size, aside], [1, []]);
  await watch.stop();
});

test("a response that the store does not take the first time counts all the same", async () => {
  const outside = new Outside();
  const clock = clockAt();
  const watch = watchOf(outside, clock);
  const memory = memoryOf(outside);
  await watch.start();
  memory.add("r1");
  await goOn({ outside, watch }, responseOf("r1", clock.now()));
  outside.look = () => ended("m");
  const { keepRecords } = outside;
  let refusals = 2;
  outside.keepRecords = (...asked) =>
    refusals-- > 0 ? Promise.reject(new Error("full")) : keepRecords(...asked);
  await passing(clock, DAY_MS);
  assert.deepEqual([outside.ledger.size, refusals], [1, -1]);
  await watch.stop();
});

test("a response that does not end is asked for every few minutes, and given up after days", async () => {
  const outside = new Outside();
  const clock = clockAt();
  const watch = watchOf(outside, clock);
  const memory = memoryOf(outside);
  await watch.start();
  memory.add("r1");
  const madeAt = clock.now();
  await goOn({ outside, watch }, responseOf("r1", madeAt));
  const looks: number[] = [];
  outside.look = () => {
    looks.push(clock.now());
    return { kind: "RUNNING" };
  };
  await passing(clock, RESPONSE_AGE_MAX_MS + RESPONSE_PAUSE_MAX_MS + LOOK_PAUSE_MIN_MS);
  const pauses = looks.map((at, n) => at - (looks[n - 1] ?? madeAt));
  assert.equal(pauses[0], LOOK_PAUSE_MIN_MS);
  assert.ok(Math.max(...pauses) <= RESPONSE_PAUSE_MAX_MS);
  assert.ok(looks.length < RESPONSE_AGE_MAX_MS / RESPONSE_PAUSE_MAX_MS + 60, `${looks.length}`);
  const [record] = outside.ledger.values();
  assert.deepEqual([record?.errorCode, record?.costMicros], ["response_lost", 5]);
  await watch.stop();
});

test("a response that is gone counts as what was set aside, or where its call counted, no more", async () => {
  const { outside, clock, aside, watch, memory } = await watchingResponses();
  outside.look = () => ({ kind: "MISSED", problem: "the response: HTTP 404", use: undefined });
  memory.add("r1").add("r2");
  await goOn({ outside, watch }, responseOf("r1", clock.now()));
  await goOn({ outside, watch }, responseOf("r2", clock.now(), NOTHING_RESERVED));
  await passing(clock, DAY_MS);
  const records = [...outside.ledger.values()];
  assert.deepEqual(
    records.map(({ endpoint, errorCode, costMicros }) => [endpoint, errorCode, costMicros]),
    [["/v1/responses/r1", "response_lost", 5]],
  );
  assert.deepEqual([aside, outside.rows.every(({ lookAt }) => lookAt === null)], [[], true]);
  await watch.stop();
});
