import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { Fault } from "../../server/core/fault.js";
import { openAccounting, type Accounting } from "../../server/metering/accounting.js";
import type { CallDurability } from "../../server/metering/call-sink.js";
import { EMPTY_POOL } from "../../server/metering/snapshot.js";
import { FakeClock, settle } from "../support/fake-clock.js";
import { MemoryLedger } from "./memory-ledger.js";
import { begin, begunCall, callId, finish, keptLog, sampleCall } from "./sample-calls.js";
import { SimDisk } from "./sim-disk.js";

type Step =
  | "begin"
  | "finish"
  | "finishStrict"
  | "wait"
  | "diskFull"
  | "diskError"
  | "syncError"
  | "diskWell"
  | "databaseAway"
  | "databaseBack"
  | "kill"
  | "powerCut";

const STEPS: readonly Step[] = [
  ...Array.from<Step>({ length: 6 }).fill("begin"),
  ...Array.from<Step>({ length: 8 }).fill("finish"),
  ...Array.from<Step>({ length: 4 }).fill("finishStrict"),
  ...Array.from<Step>({ length: 4 }).fill("wait"),
  "diskFull",
  "diskError",
  "syncError",
  "diskWell",
  "diskWell",
  "databaseAway",
  "databaseBack",
  "kill",
  "powerCut",
];

/** A server with its disk and database, to which everything happens that can happen to one. */
class World {
  readonly ledger = new MemoryLedger();
  clock = new FakeClock();
  disk = new SimDisk();
  accounting: Accounting | undefined;
  #number = 0;
  #running: number[] = [];
  /** Calls whose begin, or whose end, was acknowledged and that nothing since was allowed to lose. */
  readonly begun = new Set<string>();
  readonly finished = new Set<string>();
  readonly synced = new Set<string>();

  #durability: CallDurability = "RELAXED";

  async start(): Promise<void> {
    this.accounting = await openAccounting({
      ledger: this.ledger,
      disk: this.disk,
      clock: this.clock,
      logger: keptLog(),
      policy: () => "strict",
      durability: () => this.#durability,
      poolSummary: () => EMPTY_POOL,
      ownPoolSummary: () => EMPTY_POOL,
      nameOf: () => undefined,
      journalFileBytes: 2500,
    });
  }

  async step(step: Step, random: number): Promise<void> {
    switch (step) {
      case "begin":
        return this.#begin();
      case "finish":
      case "finishStrict":
        return this.#finish(step, random);
      case "wait":
        return this.clock.run(Math.ceil(random * 2000), 100);
      case "diskFull":
        this.disk.capacityBytes = this.disk.usedBytes + Math.floor(random * 500);
        return undefined;
      case "diskError":
        this.disk.appendError = "EIO";
        this.disk.tornBytes = Math.floor(random * 300);
        this.disk.truncateFails = random > 0.5;
        return undefined;
      case "syncError":
        this.disk.syncFailures = 1;
        return undefined;
      case "diskWell":
        this.heal();
        return undefined;
      case "databaseAway":
        this.ledger.failure = new Fault("storage_unavailable", "away");
        return undefined;
      case "databaseBack":
        this.ledger.failure = undefined;
        return undefined;
      case "kill":
        return this.#restart(this.disk.afterKill());
      case "powerCut":
        return this.#powerCut(random);
      default:
        return step satisfies never;
    }
  }

  heal(): void {
    this.disk.capacityBytes = Number.POSITIVE_INFINITY;
    this.disk.appendError = undefined;
    this.disk.truncateFails = false;
    this.disk.syncFailures = 0;
  }

  #begin(): void {
    const number = ++this.#number;
    try {
      begin(this.accounting?.sink, begunCall(number));
      this.#running.push(number);
      this.begun.add(callId(number));
    } catch (error) {
      assert.ok(error instanceof Fault, String(error));
    }
  }

  async #finish(how: "finish" | "finishStrict", random: number): Promise<void> {
    const [number] = this.#running.splice(Math.floor(random * this.#running.length), 1);
    if (number === undefined) return;
    const record = sampleCall(number);
    try {
      this.#durability = how === "finish" ? "RELAXED" : "STRICT";
      await finish(this.accounting?.sink, record);
      this.finished.add(record.id);
      if (how === "finishStrict") this.synced.add(record.id);
    } catch (error) {
      assert.ok(error instanceof Fault, String(error));
      // Refused, so the caller saw no end; whether it is on record is open.
      this.begun.delete(record.id);
    }
  }

  async #powerCut(random: number): Promise<void> {
    const safe = (id: string): boolean => this.synced.has(id) || this.ledger.calls.has(id);
    for (const id of this.finished) if (!safe(id)) this.finished.delete(id);
    for (const id of this.begun) if (!safe(id)) this.begun.delete(id);
    await this.#restart(this.disk.afterPowerCut((bytes) => Math.floor(random * (bytes + 1))));
  }

  /** The old process takes no further step; what it had scheduled finds its own clock standing still. */
  async #restart(disk: SimDisk): Promise<void> {
    const { capacityBytes, appendError } = this.disk;
    this.disk = disk;
    disk.capacityBytes = capacityBytes;
    disk.appendError = appendError;
    this.#running = [];
    this.clock = new FakeClock(this.clock.now());
    await this.start();
  }
}

async function play(steps: readonly (readonly [Step, number])[]): Promise<void> {
  const world = new World();
  await world.start();
  for (const [step, random] of steps) await world.step(step, random);
  world.heal();
  world.ledger.failure = undefined;
  await world.step("kill", 0);
  await world.clock.run(20_000, 500);
  await world.accounting?.caughtUp();
  await settle();
  for (const id of world.finished) {
    assert.equal(world.ledger.calls.get(id)?.status, "SUCCESS", `${id} was finished`);
  }
  for (const id of world.begun) assert.ok(world.ledger.calls.has(id), `${id} had begun`);
}

/** More for a thorough run. */
const RUNS = Number(process.env["LATCHKEY_SIMULATIONS"] ?? 150);

test(`in ${RUNS} random histories of faults no acknowledged call is lost or recorded as cut short`, async () => {
  const step = fc.tuple(fc.constantFrom(...STEPS), fc.double({ min: 0, max: 0.999, noNaN: true }));
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 80, size: "max" }), play),
    {
      numRuns: RUNS,
    },
  );
});
