import assert from "node:assert/strict";
import {
  chmod,
  mkdir,
  readdir,
  readFile,
  stat,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Fault, type FaultCode } from "../../server/core/fault.js";
import { connect } from "../../server/storage/db.js";
import { UNLIMITED } from "../../server/core/limits.js";
import { MIGRATIONS } from "../../server/storage/migrations/all.js";
import { openStorage, type StorageOptions } from "../../server/storage/open.js";
import * as make from "./fixture.js";

async function openFails(code: FaultCode, options: Partial<StorageOptions>): Promise<string> {
  let message = "";
  const opening = openStorage({
    dataFolder: "",
    clock: new make.StoppedClock(),
    logger: make.silent,
    onCommit() {},
    auditMac: () => null,
    ...options,
  });
  await assert.rejects(opening, (thrown: unknown) => {
    assert.ok(thrown instanceof Fault, String(thrown));
    assert.equal(thrown.code, code, thrown.publicMessage);
    message = thrown.publicMessage;
    return true;
  });
  // One sentence, with the cause before and the remedy after the semicolon or comma.
  assert.match(message, /^[A-Z].*[^.]\.$/);
  return message;
}

/** A closed database with one user in it; returns its file. */
async function closedDatabase(folder: string, users = 1): Promise<string> {
  const storage = await openStorage({
    dataFolder: folder,
    clock: new make.StoppedClock(),
    logger: make.silent,
    onCommit() {},
    auditMac: () => null,
  });
  await storage.keys.write(async (tx) => {
    for (let n = 1; n <= users; n++) await tx.users.insert(make.user(`usr_${n}`));
  });
  await storage.close();
  return path.join(folder, "latchkey.db");
}

test("folder and files are for their owner alone", async (t) => {
  const { storage, folder } = await make.opened(t, {
    dataFolder: path.join(await make.tempFolder(t), "new", "data"),
  });
  await storage.keys.write((tx) => tx.users.insert(make.user("usr_1")));
  assert.equal((await stat(folder)).mode & 0o777, 0o700);
  const files = await readdir(folder);
  assert.ok(files.includes("latchkey.db-wal"), String(files));
  for (const file of files.filter((name) => name.startsWith("latchkey.db"))) {
    assert.equal((await stat(path.join(folder, file))).mode & 0o777, 0o600, file);
  }
});

test("a database that others could read is closed to them at the next start", async (t) => {
  const folder = await make.tempFolder(t);
  const file = await closedDatabase(folder);
  await chmod(file, 0o644);
  await make.opened(t, { dataFolder: folder });
  assert.equal((await stat(file)).mode & 0o777, 0o600);
});

test("every write is on the disk when it is acknowledged", async (t) => {
  const { storage } = await make.opened(t);
  await storage.keys.write(async (tx) => {
    await tx.users.insert(make.user("usr_1"));
  });
  // A second connection sees what a crash of this process would leave.
  const other = connect({ file: storage.file, readOnly: true });
  t.after(() => other.destroy());
  const pragma = async (name: string) =>
    Object.values((await other.raw<object[]>(`PRAGMA ${name}`))[0] ?? {})[0];
  assert.equal(await pragma("journal_mode"), "wal");
  assert.equal(await pragma("synchronous"), 2);
  assert.equal(await pragma("foreign_keys"), 1);
  assert.equal(await pragma("query_only"), 1);
  assert.equal(await pragma("application_id"), 0x4c4b4559);
  await assert.rejects(other.raw("DELETE FROM users"));
});

test("a folder that cannot be used is named, with what to do", async (t) => {
  const folder = await make.tempFolder(t);
  const file = path.join(folder, "file");
  await writeFile(file, "");
  assert.match(await openFails("data_folder_unusable", { dataFolder: file }), /--data/);
  await openFails("data_folder_unusable", { dataFolder: path.join(file, "below") });
  const taken = path.join(folder, "taken");
  await mkdir(path.join(taken, "latchkey.db"), { recursive: true });
  await openFails("data_folder_unusable", { dataFolder: taken });
  if (process.platform === "linux") {
    await openFails("data_folder_unusable", { dataFolder: "/proc/latchkey" });
  }
  if (process.getuid?.() !== 0) {
    const locked = path.join(folder, "locked");
    await mkdir(locked, { mode: 0o500 });
    assert.match(await openFails("data_folder_unusable", { dataFolder: locked }), /permission/);
  }
});

test("a full disk is told from a folder that may not be written", async (t) => {
  if (process.platform !== "linux") return t.skip("there is no /dev/full");
  const folder = await make.tempFolder(t);
  await symlink("/dev/full", path.join(folder, "latchkey.pid"));
  const message = await openFails("data_folder_unusable", { dataFolder: folder });
  assert.match(message, /is full; free some space/);
});

test("a damaged file is refused and left as it is, never made anew", async (t) => {
  const garbage = Buffer.alloc(8192, "garbage ");
  for (const damage of ["garbage", "header", "cut"] as const) {
    const folder = await make.tempFolder(t);
    const file = await closedDatabase(folder, 300);
    if (damage === "garbage") await writeFile(file, garbage);
    if (damage === "cut") await truncate(file, (await stat(file)).size / 2 - 100);
    if (damage === "header") {
      const bytes = await readFile(file);
      bytes.fill(0xff, 0, 100);
      await writeFile(file, bytes);
    }
    const before = await readFile(file);
    const message = await openFails("database_corrupt", { dataFolder: folder });
    assert.match(message, /backup/);
    assert.ok(before.equals(await readFile(file)), `${damage}: the file was changed`);
  }
});

test("damage anywhere is found at start or does no harm", async (t) => {
  const folder = await make.tempFolder(t);
  const file = await closedDatabase(folder, 200);
  const clean = await readFile(file);
  const users = Array.from({ length: 200 }, (_, n) => make.user(`usr_${n + 1}`)).toSorted((a, b) =>
    a.id < b.id ? -1 : 1,
  );
  let found = 0;
  for (let trial = 0; trial < 24; trial++) {
    const bytes = Buffer.from(clean);
    const page = 4096 * ((trial * 7) % (bytes.length / 4096));
    bytes.fill(0x5a + trial, page + 8, page + 400);
    await writeFile(file, bytes);
    try {
      const storage = await openStorage({
        dataFolder: folder,
        clock: new make.StoppedClock(),
        logger: make.silent,
        onCommit() {},
        auditMac: () => null,
      });
      try {
        assert.deepEqual(await storage.keys.read.users.all(), users);
      } finally {
        await storage.close();
      }
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
      assert.ok(["database_corrupt", "storage_unavailable"].includes(thrown.code), thrown.code);
      found += 1;
    }
    const rest = await readdir(folder);
    assert.ok(rest.includes("latchkey.db"));
  }
  assert.ok(found >= 6, `only ${found} of 24 were found`);
});

test("another program's database is not touched", async (t) => {
  const folder = await make.tempFolder(t);
  const foreign = connect({ file: path.join(folder, "latchkey.db"), readOnly: false });
  await foreign.raw("CREATE TABLE theirs (x)");
  await foreign.destroy();
  await openFails("database_corrupt", { dataFolder: folder });
});

test("a database of a newer Latchkey is refused", async (t) => {
  const folder = await make.tempFolder(t);
  const newer = {
    version: MIGRATIONS.length + 1,
    name: "future",
    statements: () => ["CREATE TABLE future (x INTEGER)"],
  };
  const { storage } = await make.opened(t, {
    dataFolder: folder,
    migrations: [...MIGRATIONS, newer],
  });
  assert.equal(storage.schemaVersion, newer.version);
  await storage.close();
  assert.match(await openFails("database_newer", { dataFolder: folder }), /newer/);
});

test("a step of the schema that fails leaves the schema at the step before", async (t) => {
  const folder = await make.tempFolder(t);
  const broken = {
    version: MIGRATIONS.length + 1,
    name: "broken",
    statements: () => ["CREATE TABLE half (x INTEGER)", "CREATE TABLE half (x INTEGER)"],
  };
  const opening = make.opened(t, { dataFolder: folder, migrations: [...MIGRATIONS, broken] });
  await assert.rejects(opening, /half/);
  const { storage } = await make.opened(t, { dataFolder: folder });
  assert.equal(storage.schemaVersion, MIGRATIONS.length);
  await storage.keys.write((tx) => tx.users.insert(make.user("usr_1")));
});

test("two servers never use one folder, and the refusal names the other one", async (t) => {
  const { storage, folder } = await make.opened(t);
  const message = await openFails("data_folder_unusable", { dataFolder: folder });
  assert.match(message, new RegExp(`process ${process.pid}\\b`));
  const link = path.join(await make.tempFolder(t), "link");
  await symlink(folder, link);
  await openFails("data_folder_unusable", { dataFolder: link });
  // The refusals have not broken the lock of the first.
  await openFails("data_folder_unusable", { dataFolder: folder });
  await storage.keys.write((tx) => tx.users.insert(make.user("usr_1")));
  await storage.close();
  const again = await make.opened(t, { dataFolder: folder });
  assert.equal((await again.storage.keys.read.users.all()).length, 1);
});

test("a backup made while writing goes on is a whole database for its owner alone", async (t) => {
  const { storage } = await make.opened(t);
  let written = 0;
  const write = () =>
    storage.keys.write(async (tx) => {
      await tx.users.insert(make.user(`usr_${written}`));
      await tx.audit.append(make.auditDraft());
      written += 1;
    });
  await write();
  const target = path.join(await make.tempFolder(t), "copy", "latchkey.db");
  await assert.rejects(storage.backup(target), (thrown: unknown) => {
    return thrown instanceof Fault && thrown.code === "storage_unavailable";
  });
  await mkdir(path.dirname(target));
  const copying = storage.backup(target);
  for (let n = 0; n < 50; n++) await write();
  const copy = await copying;
  assert.equal((await stat(target)).mode & 0o777, 0o600);
  assert.equal((await stat(target)).size, copy.bytes);
  await assert.rejects(storage.backup(target), (thrown: unknown) => {
    return thrown instanceof Fault && thrown.code === "already_exists";
  });
  const restored = await make.opened(t, { dataFolder: path.dirname(target) });
  const users = await restored.storage.keys.read.users.all();
  const check = await restored.storage.auditTrail.verify();
  assert.deepEqual([check.ok, check.checked], [true, users.length]);
});

test("closing lets waiting transactions finish, refuses new ones and leaves no WAL", async (t) => {
  const { storage, folder } = await make.opened(t);
  const waiting = Array.from({ length: 20 }, (_, n) =>
    storage.keys.write((tx) => tx.users.insert(make.user(`usr_${n}`))),
  );
  const closing = storage.close();
  await assert.rejects(
    storage.keys.write((tx) => tx.users.insert(make.user("usr_late"))),
    (thrown: unknown) => thrown instanceof Fault && thrown.code === "shutting_down",
  );
  await Promise.all(waiting);
  await closing;
  await storage.close();
  assert.ok(!(await readdir(folder)).includes("latchkey.db-wal"));
  const again = await make.opened(t, { dataFolder: folder });
  assert.equal((await again.storage.keys.read.users.all()).length, 20);
});

test("the step to several budgets keeps the one there was, and finds out how old secrets are", async (t) => {
  const folder = await make.tempFolder(t);
  const before = await make.opened(t, { dataFolder: folder, migrations: MIGRATIONS.slice(0, 2) });
  await before.storage.close();
  const file = connect({ file: path.join(folder, "latchkey.db"), readOnly: false });
  await writeRowsOfStep2(file);
  await file.destroy();
  const { storage } = await make.opened(t, { dataFolder: folder });
  const { read } = storage.keys;
  const limits = (id: string) => read.clientKeys.get(id).then((key) => key?.limits);
  assert.deepEqual(await limits("ck_free"), UNLIMITED);
  assert.deepEqual(await limits("ck_rate"), { ...UNLIMITED, requestsPerMinute: 5 });
  const budgets = [{ period: "DAY", costMicros: 7, tokens: null }];
  assert.deepEqual(await limits("ck_budget"), { ...UNLIMITED, budgets });
  const secretAt = (id: string) => read.providerKeys.get(id).then((key) => key?.secretAt);
  assert.deepEqual([await secretAt("pk_first"), await secretAt("pk_rotated")], [10, 30]);
  const user = await read.users.get("usr_1");
  assert.deepEqual([user?.banReason, user?.limits, user?.version], ["spam", UNLIMITED, 1]);
});

/** Rows as the step before wrote them. */
async function writeRowsOfStep2(file: ReturnType<typeof connect>): Promise<void> {
  await file.raw(`INSERT INTO users VALUES
    ('usr_1', 'a', NULL, NULL, 'USER', 0, 'BANNED', 0, NULL, 1, 1, NULL)`);
  await file.raw(`INSERT INTO providers VALUES
    ('prv_1', 's', 'S', 'https://x', 'OPENAI', 'BEARER', '', 0, NULL, 1, '[]', 1, 1)`);
  const clientKeys = [
    ["ck_free", "NULL"],
    [
      "ck_rate",
      `'{"requestsPerMinute":5,"tokensPerMinute":null,"concurrency":null,"budget":null}'`,
    ],
    [
      "ck_budget",
      `'{"requestsPerMinute":null,"tokensPerMinute":null,"concurrency":null,"budget":{"period":"DAY","costMicros":7,"tokens":null}}'`,
    ],
  ];
  for (const [id, limits] of clientKeys) {
    await file.raw(`INSERT INTO client_keys VALUES ('${id}', 'usr_1', 'STANDARD', 'SK', '${id}', 1,
      NULL, NULL, NULL, NULL, NULL, '', '', '', 1, NULL, NULL, NULL, NULL, ${limits},
      1, 1, NULL, NULL, 0, 1)`);
  }
  for (const id of ["pk_first", "pk_rotated"]) {
    await file.raw(`INSERT INTO provider_keys VALUES ('${id}', 'usr_1', 'prv_1', NULL, '[]', '${id}',
      '', 'PRIMARY', 1, 'PRIVATE', 0, 1, 1, x'', x'', '${id}', '', NULL, NULL, NULL, 'UNKNOWN', 0,
      NULL, NULL, NULL, NULL, 0, 0, 10, 40, 3)`);
  }
  const events = [
    [20, "provider_key.rotate", "pk_rotated", "OK", ""],
    [30, "provider_key.rotate", "pk_rotated", "OK", ""],
    [35, "provider_key.rotate", "pk_rotated", "DENIED", ""],
    [36, "provider_key.update", "pk_first", "OK", ""],
    [37, "user.ban", "usr_1", "OK", "spam"],
  ];
  for (const [seq, action, target, outcome, note] of events) {
    await file.raw(`INSERT INTO audit_events VALUES (${seq}, ${seq}, NULL, '', 'ADMIN', 'SESSION', '',
      '${action}', '${target}', NULL, '[]', '${outcome}', '${note}', 'h', NULL)`);
  }
}

test("each table of the newest schema is one that something here reads or writes", async (t) => {
  const folder = await make.tempFolder(t);
  await (await make.opened(t, { dataFolder: folder })).storage.close();
  const file = connect({ file: path.join(folder, "latchkey.db"), readOnly: true });
  const tables: { name: string }[] = await file.raw(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
  );
  await file.destroy();
  const code = fileURLToPath(new URL("../../server/storage/", import.meta.url));
  const files = (await readdir(code)).filter((name) => /(?<!test)\.js$/.test(name));
  const texts = await Promise.all(files.map((name) => readFile(path.join(code, name), "utf8")));
  const text = texts.join("\n");
  const unused = tables.filter(({ name }) => !new RegExp(`\\b${name}\\b`).test(text));
  assert.deepEqual(unused, []);
  assert.ok(tables.length > 10, "it is the schema that was looked at");
});

test("a lock-out from before places were told apart holds for every place", async (t) => {
  const folder = await make.tempFolder(t);
  const before = await make.opened(t, {
    dataFolder: folder,
    migrations: MIGRATIONS.filter(({ version }) => version < 14),
  });
  await before.storage.close();
  const raw = connect({ file: path.join(folder, "latchkey.db"), readOnly: false });
  await raw.raw(`INSERT INTO users (id, username, role, trust_level, state, failed_logins, locked_until,
    created_at, updated_at) VALUES
    ('usr_1', 'a', 'USER', 0, 'ACTIVE', 5, 777, 1, 1), ('usr_2', 'b', 'USER', 0, 'ACTIVE', 2, NULL, 2, 2),
    ('usr_3', 'c', 'USER', 0, 'ACTIVE', 0, NULL, 3, 3)`);
  await raw.destroy();
  const { storage } = await make.opened(t, { dataFolder: folder });
  const elsewhere = (failedLogins: number, lockedUntil: number | null) => [
    { place: "elsewhere", signedInAt: null, failedLogins, lockedUntil },
  ];
  const places = (await storage.keys.read.users.all()).map((user) => user.places);
  assert.deepEqual(places, [elsewhere(5, 777), elsewhere(2, null), []]);
});

test("a copy that is given up ends in the midst of its work and leaves nothing", async (t) => {
  const { storage } = await make.opened(t);
  await storage.keys.write(async (tx) => {
    for (let n = 0; n < 4; n++) await tx.settings.put(`large ${n}`, "x".repeat(20_000_000));
  });
  const folder = await make.tempFolder(t);
  const target = path.join(folder, "latchkey.db");
  const stopping = new AbortController();
  const copying = storage.backup(target, stopping.signal);
  const refused = assert.rejects(copying, { code: "shutting_down" });
  const written = async () => (await readdir(folder)).length;
  while ((await written()) === 0) await new Promise((resolve) => setImmediate(resolve));
  stopping.abort(new Fault("shutting_down", "stopping"));
  await refused;
  assert.equal(await written(), 0);
  await storage.backup(target);
});
