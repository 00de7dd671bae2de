import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.js";
import { silentLogger } from "../../test/support/records.js";
import { ClientKeyUses } from "./client-key-uses.js";
import type { ClientKeyUse, KeysStore } from "./ports.js";

/** Takes uses down, or refuses while told so. */
function usesOf() {
  const written: ClientKeyUse[] = [];
  const disk = { full: false };
  const touch = async (uses: readonly ClientKeyUse[]) => {
    if (disk.full) throw new Error("disk full");
    written.push(...uses);
  };
  const write = (work: (tx: unknown) => unknown) =>
    Promise.resolve(work({ clientKeys: { touch } }));
  const store = { write } as unknown as KeysStore;
  const uses = new ClientKeyUses({ store, clock: new FakeClock(), log: silentLogger });
  return { uses, written, disk };
}

test("the address of the last use stands last, and each other one before it once", async () => {
  const { uses, written } = usesOf();
  for (const host of [1, 2, 1, 3, 3, 1]) uses.count("ck_1", `10.0.0.${String(host)}`);
  uses.count("ck_2", "");
  await uses.flush();
  assert.deepEqual(
    written.map(({ id, count }) => [id, count]),
    [
      ["ck_1", 6],
      ["ck_2", 1],
    ],
  );
  assert.equal(written[0]?.addresses.at(-1), "10.0.0.1");
  assert.deepEqual(written[0]?.addresses.toSorted(), ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
  assert.deepEqual(written[1]?.addresses, []);
});

test("a key used from everywhere holds a bounded number of addresses, the last one among them", async () => {
  const { uses, written } = usesOf();
  for (let host = 0; host < 1000; host++) uses.count("ck_1", `10.0.${String(host)}.1`);
  await uses.flush();
  assert.equal(written[0]?.addresses.length, 16);
  assert.equal(written[0]?.addresses.at(-1), "10.0.999.1");
});

test("addresses that could not be written are kept with their uses", async () => {
  const { uses, written, disk } = usesOf();
  uses.count("ck_1", "10.0.0.1");
  disk.full = true;
  await uses.flush();
  uses.count("ck_1", "10.0.0.2");
  disk.full = false;
  await uses.flush();
  assert.deepEqual(
    written.map(({ count, addresses }) => [count, addresses]),
    [[2, ["10.0.0.1", "10.0.0.2"]]],
  );
});
