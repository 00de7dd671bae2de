import type { Batch, OpenBatch } from "../../server/core/batch.js";
import type { BatchNews } from "../../server/core/finished-call.js";
import { type CallRecord, NO_TOKENS, NOTHING_RESERVED } from "../../server/core/call.js";
import type { FoundBatch, Look } from "../../server/batches/batch-look.js";
import { type BatchStore, BatchWatch } from "../../server/batches/batch-watch.js";
import { FakeClock } from "./fake-clock.js";

// The watch against a store and a ledger that may die at any step, as the process does in a kill.

export const DAY_MS = 24 * 60 * 60_000;

/** The process is killed at this step. */
export class Killed extends Error {}

type Row = OpenBatch & { lookAt: number | null };

/** What outlives a process: the rows, the ledger, and what the provider says. */
export class Outside implements BatchStore {
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

/** The clock of a process. */
export const clockAt = () => new FakeClock();

/** The watch of a process. `aside` holds what it has set aside. */
export function watchOf(outside: Outside, clock: FakeClock, aside: string[] = []): BatchWatch {
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

/** A batch that was made. */
export function batchOf(
  id: string,
  ownerId: string,
  madeAt: number,
  more: Partial<Batch> = {},
): Batch {
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

/** Of a batch of a single request that came without a file. */
export const NO_FILE = { inputFile: "", name: "", requests: 1 };

/** What stands for a batch before its name is known. */
export function askedOf(batch: Batch): Batch {
  return { ...batch, batchId: `?${batch.batchId}`, path: "/v1/batches", sought: NO_FILE };
}

/** As a call has it made. */
export async function make(watch: BatchWatch, batch: Batch): Promise<void> {
  const asked = askedOf(batch);
  await watch.asked(asked);
  await watch.made(batch, asked);
}

/** A batch that has ended, in which each model was used once. */
export const ended = (...models: readonly string[]): Look => ({
  kind: "ENDED",
  use: {
    sums: models.map((model) => ({ model, tokens: { ...NO_TOKENS, input: 1 }, costMicros: 1 })),
    read: 1,
    untold: 0,
    problem: "",
  },
});
