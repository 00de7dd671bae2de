import assert from "node:assert/strict";
import test from "node:test";
import { ACTIONS } from "./policy.js";
import { MUTATIONS, prepare } from "./testing/mutations.js";
import { startWorld } from "./testing/world.js";

const prepared = async () => prepare(await startWorld());

/** Verbs of the permission table that change no row here: reads, and what other modules do. */
const NO_MUTATION =
  /\.(get|list|watch|get_\w+|who_am_i|explain_\w+|watch_\w+|tail_log|verify|test|check_health|diagnose|unlock|lock|rotate_vault_key|rotate_root_key|backup|update_super|enable_super)$/;

test("every verb that changes something is among the mutations tried here", () => {
  const expected = ACTIONS.filter(
    (action) => action === "client_key.get_byor" || !NO_MUTATION.test(action),
  );
  assert.deepEqual(Object.keys(MUTATIONS).toSorted(), expected);
});

for (const [action, mutate] of Object.entries(MUTATIONS)) {
  test(`${action} writes its audit event in its own transaction`, async () => {
    const world = await prepared();
    const before = { tables: world.store.tables, writes: world.store.writes };
    await mutate(world);
    const events = world.store.tables.audit.slice(before.tables.audit.length);
    assert.ok(events.some((event) => event.action === action && event.outcome === "OK"));
    assert.equal(world.store.writes, before.writes + 1, "one transaction");
    for (const event of events) assert.doesNotMatch(JSON.stringify(event), /secret-|password"?:/);
  });

  test(`${action} leaves nothing behind when any step of it fails`, async () => {
    const world = await prepared();
    const before = world.store.tables;
    // Fails the first write of the storage, then the second, and so on, until one attempt goes through.
    for (let failing = 1; ; failing++) {
      assert.ok(failing < 100, "the mutation never goes through");
      let operations = 0;
      let failed = false;
      const fail = () => {
        failed = true;
        throw new Error("disk full");
      };
      world.store.beforeOperation = () => {
        operations += 1;
        if (operations === failing) fail();
      };
      // The last failure is that of the commit itself.
      world.store.beforeCommit = () => {
        if (operations === failing - 1) fail();
      };
      world.changes.length = 0;
      const outcome = await Promise.allSettled([mutate(world)]);
      if (!failed) break;
      assert.equal(outcome[0].status, "rejected", `step ${String(failing)} failed unnoticed`);
      assert.equal(world.store.tables, before, `step ${String(failing)} left something behind`);
      assert.deepEqual(world.changes, [], "an uncommitted change was announced");
    }
    assert.notEqual(world.store.tables, before);
  });
}
