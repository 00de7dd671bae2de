import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { CallRecord } from "../../server/core/call.js";
import { Fault } from "../../server/core/fault.js";
import type { Condition, PageQuery } from "../../server/core/page.js";
import type { Storage } from "../../server/storage/open.js";
import * as make from "./fixture.js";
import { call, failed } from "./ledger-fixture.js";

const AT = { file: 1, offset: 0 };
const refused = (thrown: unknown) => thrown instanceof Fault && thrown.code === "invalid_argument";

async function withUsers(storage: Storage, names: readonly string[]): Promise<void> {
  await storage.keys.write(async (tx) => {
    for (const [n, username] of names.entries()) {
      await tx.users.insert(
        make.user(`usr_${n}`, { username, createdAt: make.START_MS + n, trustLevel: n % 3 }),
      );
    }
  });
}

/** Follows the tokens from the first page to the last. */
async function walk<T>(
  list: (query: PageQuery) => Promise<{ items: readonly T[]; nextPageToken: string }>,
  query: PageQuery,
  between: () => Promise<unknown> = async () => undefined,
): Promise<T[]> {
  const all: T[] = [];
  let pageToken = "";
  do {
    const page = await list({ ...query, pageToken });
    all.push(...page.items);
    pageToken = page.nextPageToken;
    await between();
  } while (pageToken !== "");
  return all;
}

test("pages put together are the whole list in order, whatever the field and page size", async (t) => {
  const { storage } = await make.opened(t);
  await withUsers(
    storage,
    Array.from({ length: 23 }, (_, n) => `user${(n * 7) % 23}`),
  );
  for (const orderBy of ["", "username", "trustLevel", "last_login_time", "create_time", "email"]) {
    for (const descending of [false, true]) {
      const whole = await storage.keys.read.users.list(
        make.query({ orderBy, descending, pageSize: 1000 }),
      );
      assert.equal(whole.total, 23);
      for (const pageSize of [1, 5, 23]) {
        const users = await walk(
          (query) => storage.keys.read.users.list(query),
          make.query({ orderBy, descending, pageSize }),
        );
        assert.deepEqual(users, whole.items, `${orderBy} ${descending} ${pageSize}`);
      }
    }
  }
});

test("a page knows the way back to the one before", async (t) => {
  const { storage } = await make.opened(t);
  await withUsers(
    storage,
    Array.from({ length: 10 }, (_, n) => `user${n}`),
  );
  const { list } = storage.keys.read.users;
  const first = await list(make.query({ pageSize: 4 }));
  const second = await list(make.query({ pageSize: 4, pageToken: first.nextPageToken }));
  const third = await list(make.query({ pageSize: 4, pageToken: second.nextPageToken }));
  assert.equal(first.previousPageToken, "");
  assert.equal(third.nextPageToken, "");
  const back = await list(make.query({ pageSize: 4, pageToken: third.previousPageToken }));
  assert.deepEqual(back.items, second.items);
  const start = await list(make.query({ pageSize: 4, pageToken: back.previousPageToken }));
  assert.deepEqual(start.items, first.items);
  assert.equal(start.previousPageToken, "");
  const onward = await list(make.query({ pageSize: 4, pageToken: start.nextPageToken }));
  assert.deepEqual(onward.items, second.items);
});

test("rows that arrive or go between pages neither repeat nor hide others", async (t) => {
  const { storage } = await make.opened(t);
  await withUsers(
    storage,
    Array.from({ length: 30 }, (_, n) => `user${n}`),
  );
  let more = 100;
  const seen = await walk(
    (query) => storage.keys.read.users.list(query),
    make.query({ pageSize: 4 }),
    () =>
      storage.keys.write(async (tx) => {
        more += 1;
        await tx.users.insert(make.user(`usr_${more}`, { createdAt: make.START_MS + more }));
        // The user who was listed first goes.
        if (more === 102) await tx.users.delete("usr_29");
      }),
  );
  assert.deepEqual(
    seen.map((user) => user.id),
    Array.from({ length: 30 }, (_, n) => `usr_${29 - n}`),
  );
});

test("a token works with its own arguments only, and made-up tokens are refused", async (t) => {
  const { storage } = await make.opened(t);
  await withUsers(storage, ["a", "b", "c"]);
  const { list } = storage.keys.read.users;
  const page = await list(make.query({ pageSize: 1 }));
  const pageToken = page.nextPageToken;
  await list(make.query({ pageSize: 2, pageToken }));
  const changed: Partial<PageQuery>[] = [
    { text: "a" },
    { orderBy: "username" },
    { descending: true },
    { conditions: [{ field: "role", op: "=", value: "USER" }] },
  ];
  for (const part of changed) {
    await assert.rejects(list(make.query({ ...part, pageToken })), refused);
  }
  await assert.rejects(storage.keys.read.providers.list(make.query({ pageToken })), refused);
  const [hash] = JSON.parse(Buffer.from(pageToken, "base64url").toString()) as [string];
  const forged = [
    "x",
    "!!",
    pageToken.slice(1),
    "a".repeat(5000),
    ...[[hash, "f", "1' OR 1=1 --", "x"], [hash, "f", 1], [hash, "f", {}, "x"], { 0: hash }].map(
      (parts) => Buffer.from(JSON.stringify(parts)).toString("base64url"),
    ),
  ];
  for (const token of forged) {
    await assert.rejects(list(make.query({ pageToken: token })), refused, token);
  }
});

test("page sizes: 0 is the default, too much is cut, negative is refused", async (t) => {
  const { storage } = await make.opened(t);
  await withUsers(
    storage,
    Array.from({ length: 60 }, (_, n) => `user${n}`),
  );
  const { list } = storage.keys.read.users;
  assert.equal((await list(make.query({ pageSize: 0 }))).items.length, 50);
  assert.equal((await list(make.query({ pageSize: 5000 }))).items.length, 60);
  await assert.rejects(list(make.query({ pageSize: -1 })), refused);
});

test("texts are matched as they are: % and _ and \\ mean themselves, quotes do no harm", async (t) => {
  const { storage } = await make.opened(t);
  const names = ["100%", "100x", "a_b", "axb", "back\\slash", "o'neil", '"quoted"', "王小明"];
  await withUsers(storage, names);
  const find = async (text: string) =>
    (await storage.keys.read.users.list(make.query({ text }))).items
      .map((user) => user.username)
      .toSorted();
  assert.deepEqual(await find("100%"), ["100%"]);
  assert.deepEqual(await find("a_b"), ["a_b"]);
  assert.deepEqual(await find("\\"), ["back\\slash"]);
  assert.deepEqual(await find("O'N"), ["o'neil"]);
  assert.deepEqual(await find('"q'), ['"quoted"']);
  assert.deepEqual(await find("小明"), ["王小明"]);
  assert.deepEqual(await find("'; DROP TABLE users; --"), []);
  assert.equal((await storage.keys.read.users.all()).length, names.length);
});

test("a text is contained in any case of any script", async (t) => {
  const { storage } = await make.opened(t);
  const names = ["Ключ [a]*?", "КЛЮЧ-2", "Überblick", "ΣΙΓΜΑ", "straße", "生产环境 Key", "مفتاح"];
  await withUsers(storage, names);
  const found = async (part: Partial<PageQuery>): Promise<readonly string[]> => {
    const page = await storage.keys.read.users.list(
      make.query({ orderBy: "create_time", ...part }),
    );
    return page.items.map(({ username }) => username);
  };
  for (const [text, wanted] of [
    ["ключ", ["Ключ [a]*?", "КЛЮЧ-2"]],
    ["ЮЧ [A]*?", ["Ключ [a]*?"]],
    ["юч*2", []],
    ["über", ["Überblick"]],
    ["σιγμα", ["ΣΙΓΜΑ"]],
    ["STRAß", ["straße"]],
    ["产环境 key", ["生产环境 Key"]],
    ["فتا", ["مفتاح"]],
  ] as const) {
    assert.deepEqual(await found({ text }), wanted, text);
    const conditions = [{ field: "username", op: "~", value: text }] as const;
    assert.deepEqual(await found({ conditions }), wanted, text);
  }
});

test("what cannot be filtered by is refused by name", async (t) => {
  const { storage } = await make.opened(t);
  const { list } = storage.keys.read.users;
  const bad: Condition[] = [
    { field: "password_hash", op: "=", value: "x" },
    { field: "constructor", op: "=", value: "x" },
    { field: "role", op: "=", value: "KING" },
    { field: "role", op: ">", value: "USER" },
    { field: "role", op: "~", value: "king" },
    { field: "createTime", op: "~", value: "2026-01-01" },
    { field: "trustLevel", op: "~", value: "one" },
    { field: "trustLevel", op: "=", value: "1 OR 1=1" },
    { field: "createTime", op: ">", value: "yesterday" },
    { field: "username", op: "=", value: "x".repeat(501) },
  ];
  for (const condition of bad) {
    await assert.rejects(list(make.query({ conditions: [condition] })), refused, condition.value);
  }
  const level: Condition = { field: "trustLevel", op: "=", value: "one" };
  await assert.rejects(list(make.query({ conditions: [level] })), /trust_level must be a whole/);
  await assert.rejects(list(make.query({ orderBy: "password_hash" })), refused);
  const many = Array.from({ length: 21 }, (): Condition => ({ field: "id", op: "!=", value: "x" }));
  await assert.rejects(list(make.query({ conditions: many })), refused);
});

test("a condition that no row can meet is refused by its field and what that may be", async (t) => {
  const { storage } = await make.opened(t);
  await withUsers(storage, ["a"]);
  const keys = storage.keys.read;
  const refuses = async (
    list: (query: PageQuery) => Promise<unknown>,
    condition: Condition,
    why: RegExp,
  ) => assert.rejects(list(make.query({ conditions: [condition] })), why);
  await refuses(keys.users.list, { field: "role", op: "~", value: "x" }, /role must be one of/);
  await refuses(
    keys.providers.list,
    { field: "enabled", op: ">", value: "true" },
    /enabled cannot be compared with >; use = != :/,
  );
  await refuses(
    keys.users.list,
    { field: "create_time", op: "~", value: "2026-01-01" },
    /create_time cannot be compared with :; use = != > >= < <=/,
  );
  const part: Condition = { field: "role", op: "~", value: "use" };
  assert.equal((await keys.users.list(make.query({ conditions: [part] }))).total, 1);
});

test("a row without a value is found by an empty one, alone or among others, in texts, lists and references", async (t) => {
  const { storage } = await make.opened(t);
  await storage.keys.write(async (tx) => {
    await tx.users.insert(make.user("usr_1"));
    await tx.clientKeys.insert(make.clientKey("ck_1", { scopes: ["chat"] }));
    await tx.clientKeys.insert(make.clientKey("ck_2", { scopes: ["audio", "chat"] }));
    await tx.clientKeys.insert(make.clientKey("ck_3", { lastUsedIp: "::1" }));
    await tx.providers.insert(make.provider("prv_1", { createdBy: "usr_1" }));
    await tx.providers.insert(make.provider("prv_2", { slug: "other" }));
  });
  const found = async (
    noun: "clientKeys" | "providers",
    field: string,
    op: "=" | "!=",
    value: string,
  ) => {
    const query = make.query({ conditions: [{ field, op, value }] });
    const { items } = await storage.keys.read[noun].list(query);
    return items.map(({ id }) => id).toSorted();
  };
  for (const [noun, field, value, ids] of [
    ["clientKeys", "scopes", "", ["ck_3"]],
    ["clientKeys", "scopes", "audio,images", ["ck_2"]],
    ["clientKeys", "scopes", "chat", ["ck_1", "ck_2"]],
    ["clientKeys", "last_used_ip", "", ["ck_1", "ck_2"]],
    ["providers", "created_by_id", "", ["prv_2"]],
    ["providers", "created_by_id", ",usr_1", ["prv_1", "prv_2"]],
    ["providers", "created_by_id", "usr_9,", ["prv_2"]],
  ] as const) {
    assert.deepEqual(await found(noun, field, "=", value), ids, `${field}=${value}`);
    const all = noun === "clientKeys" ? ["ck_1", "ck_2", "ck_3"] : ["prv_1", "prv_2"];
    const others = all.filter((id) => !(ids as readonly string[]).includes(id));
    assert.deepEqual(await found(noun, field, "!=", value), others, `${field}!=${value}`);
  }
});

test("records are found by the name of what they belong to", async (t) => {
  const { storage } = await make.opened(t);
  await storage.keys.write(async (tx) => {
    await tx.users.insert(make.user("usr_1", { username: "Alice" }));
    await tx.users.insert(make.user("usr_2", { username: "bob" }));
    await tx.providers.insert(make.provider("prv_1", { slug: "openai" }));
    await tx.providers.insert(make.provider("prv_2", { slug: "custom", createdBy: "usr_2" }));
    await tx.providerKeys.insert(make.providerKey("pk_1"));
    await tx.providerKeys.insert(
      make.providerKey("pk_2", { ownerId: "usr_2", providerId: "prv_2", tier: "BACKUP" }),
    );
    await tx.models.upsert(make.model("mdl_1", "prv_1"));
    await tx.models.upsert(make.model("mdl_2", "prv_2", { categories: ["IMAGE"], prices: [] }));
    await tx.clientKeys.insert(make.clientKey("ck_1", { expiresAt: make.START_MS - 1 }));
    await tx.clientKeys.insert(make.clientKey("ck_2", { ownerId: "usr_2", revokedAt: 1 }));
  });
  const { read } = storage.keys;
  const ids = async (
    list: (query: PageQuery) => Promise<{ items: readonly { id: string }[] }>,
    field: string,
    value: string,
    op: Condition["op"] = "=",
  ) =>
    (await list(make.query({ conditions: [{ field, op, value }] }))).items
      .map((item) => item.id)
      .toSorted();
  assert.deepEqual(await ids(read.providerKeys.list, "owner", "alice"), ["pk_1"]);
  assert.deepEqual(await ids(read.providerKeys.list, "owner", "usr_2,alice"), ["pk_1", "pk_2"]);
  assert.deepEqual(await ids(read.providerKeys.list, "provider", "custom", "!="), ["pk_1"]);
  assert.deepEqual(await ids(read.providerKeys.list, "owner", "O", "~"), ["pk_2"]);
  assert.deepEqual(await ids(read.providerKeys.list, "tier", "backup,overflow"), ["pk_2"]);
  assert.deepEqual(await ids(read.providers.list, "visible_to", "usr_1"), ["prv_1"]);
  assert.deepEqual(await ids(read.providers.list, "visible_to", "usr_2"), ["prv_1", "prv_2"]);
  assert.deepEqual(await ids(read.models.list, "visible_to", "usr_1"), ["mdl_1"]);
  assert.deepEqual(await ids(read.models.list, "categories", "IMAGE"), ["mdl_2"]);
  assert.deepEqual(await ids(read.models.list, "unpriced", "true"), ["mdl_2"]);
  assert.deepEqual(await ids(read.clientKeys.list, "state", "expired"), ["ck_1"]);
  assert.deepEqual(await ids(read.clientKeys.list, "state", "REVOKED"), ["ck_2"]);
  assert.deepEqual(await ids(read.clientKeys.list, "expire_time", ""), ["ck_2"]);
  assert.deepEqual(await ids(read.users.list, "client_key_count", "1", ">="), ["usr_1", "usr_2"]);
  assert.deepEqual(await ids(read.users.list, "provider_key_count", "0"), []);
});

/** One condition on calls, and what it means. */
const CALL_CONDITIONS: [Condition, (one: CallRecord) => boolean][] = [
  [{ field: "client_key_id", op: "=", value: "ck_1" }, (one) => one.clientKeyId === "ck_1"],
  [{ field: "clientKeyId", op: "!=", value: "ck_1" }, (one) => one.clientKeyId !== "ck_1"],
  [{ field: "owner_id", op: "=", value: "usr_2" }, (one) => one.ownerId === "usr_2"],
  [{ field: "provider_key_id", op: "=", value: "pk_1" }, (one) => one.providerKeyId === "pk_1"],
  [{ field: "provider_id", op: "=", value: "prv_1" }, (one) => one.providerId === "prv_1"],
  [{ field: "owner_id", op: "=", value: "nobody" }, () => false],
  [{ field: "model", op: "=", value: "m1" }, (one) => one.modelAsked === "m1"],
  [{ field: "model_asked", op: "~", value: "M" }, () => true],
  [{ field: "status", op: "=", value: "error" }, (one) => one.status === "ERROR"],
  [{ field: "http_status", op: ">=", value: "400" }, (one) => one.httpStatus >= 400],
  [{ field: "http_status", op: "~", value: "400" }, (one) => one.httpStatus === 400],
  [{ field: "error_code", op: "=", value: "" }, (one) => one.errorCode === null],
  [{ field: "streamed", op: "=", value: "true" }, (one) => one.streamed],
  [{ field: "latency_ms", op: "<", value: "50" }, (one) => one.latencyMs < 50],
  [{ field: "time_to_first_byte_ms", op: "!=", value: "" }, (one) => one.ttfbMs !== null],
  [{ field: "tokens", op: ">", value: "10" }, (one) => one.tokens.input + one.tokens.output > 10],
  [{ field: "input_tokens", op: "=", value: "30" }, (one) => one.tokens.input === 30],
  [{ field: "cost_micros", op: "<=", value: "1234" }, (one) => one.costMicros !== null],
  [{ field: "unpriced", op: "=", value: "true" }, (one) => one.costMicros === null],
  [{ field: "ip_address", op: "=", value: "10.0.0.1,10.0.0.2" }, (one) => /\.[12]$/.test(one.ip)],
  [{ field: "attempt_count", op: "=", value: "1" }, (one) => one.attempts.length === 1],
  [{ field: "usage_source", op: "!=", value: "NONE" }, (one) => one.usageSource !== "NONE"],
  [
    { field: "time", op: ">=", value: String(make.START_MS + 150_000) },
    (one) => one.startedAt >= make.START_MS + 150_000,
  ],
  [
    { field: "time", op: "<", value: new Date(make.START_MS + 300_000).toISOString() },
    (one) => one.startedAt < make.START_MS + 300_000,
  ],
];

/** Calls of all kinds, some of which began long before they were recorded. */
function mixedCalls(count: number): CallRecord[] {
  return Array.from({ length: count }, (_, n) =>
    (n % 5 === 0 ? failed : call)(n, {
      startedAt: make.START_MS + n * 1000 - (n % 11 === 0 ? 90_000 : 0),
      clientKeyId: `ck_${n % 3}`,
      ownerId: `usr_${n % 4}`,
      modelAsked: `m${n % 7}`,
      streamed: n % 2 === 0,
      latencyMs: (n * 37) % 100,
      ip: `10.0.0.${n % 6}`,
    }),
  );
}

test("calls are found by every field, alone and together, newest first", async (t) => {
  const { storage } = await make.opened(t);
  const records = mixedCalls(400);
  await storage.ledger.appendCalls(records, AT);
  await fc.assert(
    fc.asyncProperty(
      fc.subarray(CALL_CONDITIONS, { maxLength: 3 }),
      fc.integer({ min: 1, max: 60 }),
      fc.boolean(),
      async (chosen, pageSize, oldestFirst) => {
        const wanted = records.filter((one) => chosen.every(([, holds]) => holds(one)));
        if (!oldestFirst) wanted.reverse();
        const query = make.query({
          conditions: chosen.map(([condition]) => condition),
          orderBy: oldestFirst ? "time" : "",
          pageSize,
        });
        const found = await walk((page) => storage.ledger.listCalls(page), query);
        assert.deepEqual(
          found.map((one) => one.id),
          wanted.map((one) => one.id),
        );
        const { total, totalIsExact } = await storage.ledger.listCalls(query);
        assert.deepEqual([total, totalIsExact], [wanted.length, true]);
      },
    ),
    { numRuns: 40, examples: CALL_CONDITIONS.map((one) => [[one], 50, false]) },
  );
});

test("pages of calls stay the same while calls arrive, in every order", async (t) => {
  const { storage } = await make.opened(t);
  const records = mixedCalls(120);
  await storage.ledger.appendCalls(records, AT);
  for (const orderBy of ["", "latency_ms", "cost_micros", "tokens"]) {
    let next = 0;
    const found = await walk(
      (page) => storage.ledger.listCalls(page),
      make.query({ orderBy, descending: true, pageSize: 17 }),
      async () => {
        // One that is new and one that began before all others.
        const id = `call_${orderBy}_${(next += 1)}`;
        const part = { clientKeyId: "ck_9", latencyMs: next, costMicros: next };
        await storage.ledger.appendCalls(
          [
            call(0, { ...part, id: `${id}_new`, startedAt: make.START_MS + 10 ** 7 }),
            call(0, { ...part, id: `${id}_late`, startedAt: make.START_MS - 10 ** 7 }),
          ],
          AT,
        );
      },
    );
    const old = found.filter((one) => one.clientKeyId !== "ck_9");
    assert.equal(new Set(found.map((one) => one.id)).size, found.length, "none twice");
    assert.equal(old.length, 120, "none left out");
    if (orderBy === "latency_ms") {
      const sorted = old.map((one) => one.latencyMs);
      assert.deepEqual(
        sorted,
        sorted.toSorted((a, b) => b - a),
      );
    }
  }
});

test("calls are found by the present names of their keys and owners", async (t) => {
  const { storage } = await make.opened(t);
  await storage.keys.write(async (tx) => {
    await tx.users.insert(make.user("usr_1", { username: "Alice" }));
    await tx.clientKeys.insert(make.clientKey("ck_1", { name: "shop" }));
    await tx.clientKeys.insert(make.clientKey("ck_2", { name: "shop" }));
    await tx.clientKeys.insert(make.clientKey("ck_3", { name: "blog" }));
  });
  const records = ["ck_1", "ck_2", "ck_3"].map((clientKeyId, n) => call(n, { clientKeyId }));
  await storage.ledger.appendCalls(records, AT);
  const find = async (field: string, value: string) =>
    (
      await storage.ledger.listCalls(make.query({ conditions: [{ field, op: "=", value }] }))
    ).items.map((one) => one.clientKeyId);
  assert.deepEqual(await find("client_key", "blog"), ["ck_3"]);
  assert.deepEqual(await find("client_key", "shop"), ["ck_2", "ck_1"]);
  assert.deepEqual(await find("client_key", "ck_1"), ["ck_1"]);
  assert.deepEqual(await find("owner", "ALICE"), ["ck_3", "ck_2", "ck_1"]);
  assert.deepEqual(await find("client_key", "none"), []);
});

test("a long search answers early with what it has, counts no further, and has a token to go on from", async (t) => {
  let reads = 0;
  const clock = new make.StoppedClock();
  // Time passes with every look at the clock, so that each step of a search uses up its time.
  clock.monotonic = () => (reads += 1) * 1000;
  const { storage } = await make.opened(t, { clock });
  for (let batch = 0; batch < 3; batch++) {
    await storage.ledger.appendCalls(
      Array.from({ length: 1000 }, (_, n) =>
        call(batch * 1000 + n, { ip: batch === 0 && n === 0 ? "9.9.9.9" : "10.0.0.1" }),
      ),
      AT,
    );
  }
  const query = make.query({ conditions: [{ field: "ip_address", op: "=", value: "9.9.9.9" }] });
  const first = await storage.ledger.listCalls(query);
  assert.deepEqual([first.items.length, first.total, first.totalIsExact], [0, 0, false]);
  assert.notEqual(first.nextPageToken, "");
  const found = await walk((page) => storage.ledger.listCalls(page), query);
  assert.deepEqual(
    found.map((one) => one.id),
    ["call_000000"],
  );
});

test("a search of calls needs a text that can fail to match", async (t) => {
  const { storage } = await make.opened(t);
  await storage.ledger.appendCalls([call(1, { modelAsked: "豆包" }), call(2)], AT);
  await assert.rejects(storage.ledger.listCalls(make.query({ text: "ab" })), refused);
  assert.equal((await storage.ledger.listCalls(make.query({ text: "豆包" }))).total, 1);
  assert.equal((await storage.ledger.listCalls(make.query({ text: "%%%" }))).total, 0);
});
