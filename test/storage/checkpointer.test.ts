import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { Checkpointer } from "../../server/storage/checkpointer.js";
import { connect, Db } from "../../server/storage/db.js";
import { Writer } from "../../server/storage/writer.js";
import { FakeClock } from "../support/fake-clock.js";

const PAGE_BYTES = 4096;
const RESTART_PAGES = 100;

async function bench(t: TestContext, beforeSync: () => Promise<void> = () => Promise.resolve()) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "latchkey-wal-"));
  const file = path.join(folder, "latchkey.db");
  const [writing, checkpointing] = [0, 1].map(() => connect({ file, readOnly: false }));
  assert.ok(writing !== undefined && checkpointing !== undefined);
  const toFault = (thrown: unknown): unknown => thrown;
  await writing.raw("PRAGMA journal_mode = WAL");
  await writing.raw("CREATE TABLE t (bytes BLOB)");
  const clock = new FakeClock();
  const db = new Db({ knex: checkpointing, toFault });
  const handle = await open(file, "a");
  const sync = async (): Promise<void> => {
    await beforeSync();
    await handle.datasync();
  };
  const checkpointer = new Checkpointer({ db, sync, clock, restartPages: RESTART_PAGES });
  const onCommit = (): void => checkpointer.committed(writer);
  const calm = (): Promise<void> => checkpointer.calm();
  const writer: Writer = new Writer({ knex: writing, toFault, onCommit, calm });
  t.after(async () => {
    await checkpointer.stop();
    await Promise.all([writing.destroy(), checkpointing.destroy()]);
    await handle.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { clock, writer, walPages: () => statSync(`${file}-wal`).size / PAGE_BYTES };
}

test("the WAL begins anew although somebody is always writing", async (t) => {
  const { clock, writer, walPages } = await bench(t);
  const write = (): Promise<unknown> =>
    writer.run((db) => db.rows("INSERT INTO t VALUES (randomblob(40000))"));
  let waiting: Promise<unknown>[] = [write(), write()];
  for (let i = 0; i < 300; i++) {
    clock.advance(1000);
    // One is always in the queue, so that the writer never stands still by itself.
    const [next, ...others] = waiting;
    waiting = [...others, write()];
    await next;
  }
  await Promise.all(waiting);
  assert.ok(walPages() < 5 * RESTART_PAGES, `${walPages()} pages`);
});

test("what can wait does not write while the WAL is about to begin anew, and all others do", async (t) => {
  let reached = (): void => undefined;
  let goOn = (): void => undefined;
  const atSync = new Promise<void>((resolve) => (reached = resolve));
  const mayGoOn = new Promise<void>((resolve) => (goOn = resolve));
  const { clock, writer } = await bench(t, () => {
    reached();
    return mayGoOn;
  });
  const order: string[] = [];
  const write = (name: string) => async (db: Db) => {
    await db.rows("INSERT INTO t VALUES (randomblob(40000))");
    order.push(name);
  };
  for (let pages = 0; pages < 2 * RESTART_PAGES; pages += 10) {
    clock.advance(1000);
    await writer.run(write("many"));
  }
  await atSync;
  const waiting = writer.runInBackground(write("background"));
  await writer.run(write("other"));
  goOn();
  await waiting;
  assert.deepEqual(order.slice(-2), ["other", "background"]);
});

test("a pause begins when the transactions before it have ended, and those after it wait", async (t) => {
  const { writer } = await bench(t);
  const order: string[] = [];
  const transaction = (name: string): Promise<void> =>
    writer.run(async (db) => {
      await db.rows("INSERT INTO t VALUES (x'00')");
      order.push(name);
    });
  const failing = writer.pause(() => Promise.reject(new Error("no")));
  await Promise.all([
    assert.rejects(failing, /no/),
    transaction("before"),
    writer.pause(async () => {
      await Promise.resolve();
      order.push("pause");
    }),
    transaction("after"),
  ]);
  assert.deepEqual(order, ["before", "pause", "after"]);
});
