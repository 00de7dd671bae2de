import assert from "node:assert/strict";
import test from "node:test";
import { type CheckProgress, checkSecrets } from "../../server/vault/check.js";
import { adoptEnrolled } from "../../server/vault/enrolment.js";
import { Secret } from "../../server/core/secret.js";
import { createTestVault, isFault, testClock } from "./fixtures.js";
import { bindingOfIndex, fillRows, unreadable } from "./memory-rows.js";

test("the start-up check opens every secret and names each one that does not open", async (t) => {
  const { vault } = await createTestVault(t);
  const rows = await fillRows(vault, 1200);
  const [one, two] = [rows.all.get("pk_3")!, rows.all.get("pk_1100")!];
  rows.all.set("pk_3", { ...one, sealed: two.sealed });
  rows.all.set("pk_1100", { ...two, sealed: { ...two.sealed, vaultKeyVersion: 9 } });
  const seen: CheckProgress[] = [];
  for await (const each of checkSecrets({ vault, rows: rows.rows(), clock: testClock })) {
    seen.push(each);
  }
  assert.deepEqual(
    seen.map(({ checked, finished }) => ({ checked, finished })),
    [
      { checked: 1000, finished: false },
      { checked: 1200, finished: true },
    ],
  );
  assert.deepEqual(
    seen.at(-1)!.refused.map((row) => row.id),
    ["pk_3", "pk_1100"],
  );
  for (const { reason } of seen.at(-1)!.refused) assert.match(reason, /is not used: /);
});

test("a check of a locked vault says that it is locked, not that secrets are unreadable", async (t) => {
  const { vault } = await createTestVault(t);
  const rows = await fillRows(vault, 3);
  vault.lock();
  const check = checkSecrets({ vault, rows: rows.rows(), clock: testClock });
  await assert.rejects(check.next(), isFault("vault_locked"));
});

test("secrets entered while locked are adopted with their fingerprints after the unlock", async (t) => {
  const { vault, restart } = await createTestVault(t);
  const rows = await fillRows(vault, 5);
  vault.lock();
  for (const index of [5, 6]) {
    const binding = bindingOfIndex(index);
    const sealed = await vault.seal(new Secret(`sk-row-${index}`), binding);
    rows.all.set(binding.recordId, { binding, sealed });
  }
  await vault.unlock();
  const fingerprints = new Map<string, string>();
  const options = { vault, rows: rows.rows(), clock: testClock };
  const report = await adoptEnrolled({
    ...options,
    save: async ({ id, from, to, fingerprint }) => {
      fingerprints.set(id, fingerprint);
      assert.equal(await rows.save([{ id, from, to }]), 1);
    },
  });
  assert.deepEqual(report, { adopted: 2, refused: [] });
  assert.equal(fingerprints.get("pk_6"), vault.fingerprint(new Secret("sk-row-6")));
  const again = await restart();
  assert.deepEqual(await unreadable(again, rows), []);
});

test("secrets of an earlier locked run are reported, not adopted", async (t) => {
  const { vault, restart } = await createTestVault(t);
  const rows = await fillRows(vault, 1);
  vault.lock();
  const binding = bindingOfIndex(1);
  rows.all.set("pk_1", { binding, sealed: await vault.seal(new Secret("sk-row-1"), binding) });
  const again = await restart();
  const report = await adoptEnrolled({
    vault: again,
    rows: rows.rows(),
    clock: testClock,
    save: () => assert.fail("nothing to save"),
  });
  assert.equal(report.adopted, 0);
  assert.match(report.refused[0]!.reason, /confirm it or enter it again/);
});
