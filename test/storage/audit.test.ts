import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import { Fault } from "../../server/core/fault.js";
import { AuditTrail } from "../../server/storage/audit-trail.js";
import { connect, openDb } from "../../server/storage/db.js";
import { Writer } from "../../server/storage/writer.js";
import * as make from "./fixture.js";

const mac = (hash: string) => createHash("sha256").update(`key${hash}`).digest("hex");

test("many events of one transaction follow from one another as if they came one by one", async (t) => {
  const { storage } = await make.opened(t, { auditMac: mac });
  const drafts = Array.from({ length: 300 }, (_, n) => make.auditDraft({ targetId: `pk_${n}` }));
  await storage.keys.write(async (tx) => {
    await tx.audit.append(make.auditDraft({ targetId: "pk_first" }));
    await tx.audit.appendAll(drafts);
    await tx.audit.appendAll([]);
    await tx.audit.append(make.auditDraft({ targetId: "pk_last" }));
  });
  const events = await storage.keys.read.audit.after(0, 1000);
  assert.deepEqual(
    events.map(({ targetId }) => targetId),
    ["pk_first", ...drafts.map(({ targetId }) => targetId), "pk_last"],
  );
  const verdict = await storage.auditTrail.verify();
  assert.deepEqual([verdict.ok, verdict.checked, verdict.withoutMac], [true, 302, 0]);
});

test("each event follows from the one before, and the whole chain verifies", async (t) => {
  const { storage, clock } = await make.opened(t, { auditMac: mac });
  for (let n = 0; n < 5; n++) {
    clock.ms += 10;
    await storage.keys.write(async (tx) => {
      const event = await tx.audit.append(make.auditDraft({ targetId: `pk_${n}`, note: "何" }));
      assert.equal(event.seq, n + 1);
      assert.equal(event.at, clock.ms);
      assert.equal(event.mac, mac(event.hash));
    });
  }
  const events = await storage.keys.read.audit.after(0, 100);
  assert.equal(new Set(events.map((event) => event.hash)).size, 5);
  assert.deepEqual(await storage.auditTrail.verify(), {
    ok: true,
    checked: 5,
    brokenAt: null,
    reason: "",
    withoutMac: 0,
    macsChecked: true,
  });
  assert.equal((await storage.auditTrail.verify({ fromSeq: 2, toSeq: 3 })).checked, 2);
  const page = await storage.keys.read.audit.list(
    make.query({ conditions: [{ field: "owner_id", op: "=", value: "" }], pageSize: 2 }),
  );
  assert.deepEqual([page.items[0]?.seq, page.total], [5, 5]);
});

test("events can be neither changed nor deleted, only given their missing MAC", async (t) => {
  const { storage } = await make.opened(t);
  await storage.keys.write((tx) => tx.audit.append(make.auditDraft()));
  const raw = connect({ file: storage.file, readOnly: false });
  t.after(() => raw.destroy());
  for (const sql of [
    "DELETE FROM audit_events",
    "UPDATE audit_events SET note = 'x'",
    "UPDATE audit_events SET mac = 'x', note = 'x'",
    "UPDATE audit_events SET seq = 9",
    "UPDATE audit_events SET mac = NULL",
    "INSERT OR REPLACE INTO audit_events SELECT * FROM audit_events",
    "DELETE FROM audit_head",
  ]) {
    await assert.rejects(raw.raw(sql), /cannot be (changed|deleted)/, sql);
  }
  await raw.raw("UPDATE audit_events SET mac = 'right'");
  await assert.rejects(raw.raw("UPDATE audit_events SET mac = 'other'"), /cannot be changed/);
});

test("any edit, deletion or swap of events is found where it happened", async (t) => {
  const { storage } = await make.opened(t, { auditMac: mac });
  const count = 40;
  for (let n = 0; n < count; n++) {
    await storage.keys.write((tx) =>
      tx.audit.append(make.auditDraft({ targetId: `pk_${n}`, note: `note ${n}` })),
    );
  }
  const knex = connect({ file: storage.file, readOnly: false });
  t.after(() => knex.destroy());
  const db = openDb(knex, storage.file);
  const writer = new Writer({ knex, toFault: (thrown) => thrown });
  // Looks at the tampered state from inside its own transaction, which is then rolled back.
  const trail = new AuditTrail({ writer, reader: db, auditMac: mac });
  const triggers = ["audit_events_no_update", "audit_events_no_delete", "audit_head_no_delete"];
  const columns = [
    "at",
    "actor_name",
    "ip",
    "action",
    "target_id",
    "note",
    "outcome",
    "hash",
    "mac",
  ];

  const seq = fc.integer({ min: 1, max: count });
  const tampering = fc.oneof(
    fc.record({ kind: fc.constant("edit" as const), seq, column: fc.constantFrom(...columns) }),
    fc.record({ kind: fc.constant("delete" as const), seq, column: fc.constant("") }),
    fc.record({ kind: fc.constant("swap" as const), seq, column: fc.constant("") }),
    fc.record({ kind: fc.constant("forge" as const), seq, column: fc.constant("") }),
  );
  await fc.assert(
    fc.asyncProperty(tampering, async (act) => {
      await knex.raw("BEGIN");
      try {
        for (const trigger of triggers) await knex.raw(`DROP TRIGGER ${trigger}`);
        if (act.kind === "edit") {
          const value = act.column === "at" ? "at + 1" : `${act.column} || 'x'`;
          await knex.raw(`UPDATE audit_events SET ${act.column} = ${value} WHERE seq = ?`, [
            act.seq,
          ]);
        }
        if (act.kind === "delete")
          await knex.raw("DELETE FROM audit_events WHERE seq = ?", [act.seq]);
        if (act.kind === "forge") {
          await knex.raw(
            `INSERT INTO audit_events SELECT ?, at, actor_user_id, actor_name, actor_role, actor_via, ip, action,
               target_id, target_name, changed_fields, outcome, note, hash, mac FROM audit_events WHERE seq = ?`,
            [count + 1, act.seq],
          );
        }
        if (act.kind === "swap") {
          const other = (act.seq % count) + 1;
          await knex.raw("UPDATE audit_events SET seq = -1 WHERE seq = ?", [act.seq]);
          await knex.raw("UPDATE audit_events SET seq = ? WHERE seq = ?", [act.seq, other]);
          await knex.raw("UPDATE audit_events SET seq = ? WHERE seq = -1", [other]);
        }
        const found = await trail.verify();
        assert.equal(found.ok, false, JSON.stringify(act));
        if (act.kind === "edit" || act.kind === "delete") assert.equal(found.brokenAt, act.seq);
        else assert.ok(found.brokenAt !== null);
      } finally {
        await knex.raw("ROLLBACK");
      }
    }),
    { numRuns: 120, examples: columns.map((column) => [{ kind: "edit", seq: count, column }]) },
  );
  assert.equal((await storage.auditTrail.verify()).ok, true);
});

test("events of a locked vault get their MAC later, unless the chain was touched meanwhile", async (t) => {
  let unlocked = false;
  const { storage } = await make.opened(t, { auditMac: (hash) => (unlocked ? mac(hash) : null) });
  const append = (count: number) =>
    storage.keys.write(async (tx) => {
      for (let n = 0; n < count; n++) await tx.audit.append(make.auditDraft());
    });
  await append(450);
  const locked = await storage.auditTrail.verify();
  assert.deepEqual([locked.ok, locked.withoutMac], [true, 450]);
  await assert.rejects(storage.auditTrail.completeMacs(), (thrown: unknown) => {
    return thrown instanceof Fault && thrown.code === "vault_locked";
  });
  unlocked = true;
  await append(1);
  assert.equal(await storage.auditTrail.completeMacs(), 450);
  assert.equal(await storage.auditTrail.completeMacs(), 0);
  const complete = await storage.auditTrail.verify();
  assert.deepEqual([complete.ok, complete.withoutMac, complete.macsChecked], [true, 0, true]);

  unlocked = false;
  await append(3);
  const raw = connect({ file: storage.file, readOnly: false });
  await raw.raw("DROP TRIGGER audit_events_no_update");
  await raw.raw("UPDATE audit_events SET note = 'forged' WHERE seq = 453");
  await raw.destroy();
  unlocked = true;
  await assert.rejects(storage.auditTrail.completeMacs(), (thrown: unknown) => {
    return thrown instanceof Fault && thrown.code === "failed_precondition";
  });
  assert.equal((await storage.auditTrail.verify()).brokenAt, 453);
});
