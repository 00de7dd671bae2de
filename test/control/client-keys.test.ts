import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { test } from "node:test";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  ClientKey_Format,
  ClientKey_Kind,
  ClientKey_State,
  ImportedClientKey_Outcome,
} from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import { Notice, Period } from "../../proto/gen/latchkey/v1/common_pb.js";
import { aCall } from "./calls.js";
import { startControl } from "./harness.js";
import { refusal } from "./refusal.js";

const DAY_MS = 86_400_000;

test("a client key is shown once, works at once, and ends when it is revoked", async (t) => {
  const control = await startControl(t);
  const alice = await control.as(control.alice);
  const { clientKey, secret } = await alice.clientKeys.createClientKey({
    name: "ci",
    format: ClientKey_Format.UUID,
    limits: { requestsPerMinute: 60, budgets: [{ period: Period.DAY, costMicros: 5_000_000n }] },
    ipAllowlist: ["127.0.0.1"],
  });
  const id = clientKey?.id ?? "";
  assert.match(secret, /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  assert.equal(clientKey?.format, ClientKey_Format.UUID);
  assert.equal(clientKey?.kind, ClientKey_Kind.STANDARD);
  assert.equal(clientKey?.state, ClientKey_State.ACTIVE);
  assert.equal(clientKey?.recoverable, false);
  assert.deepEqual(clientKey?.ipAllowlist, ["127.0.0.1/32"]);
  assert.equal(clientKey?.limits?.budgets[0]?.costMicros, 5_000_000n);

  const byKey = control.api(secret);
  const { clientKeys } = await byKey.clientKeys.listClientKeys({});
  assert.deepEqual(
    clientKeys.map((key) => key.id),
    [id],
  );
  const notKept = await refusal(
    "FAILED_PRECONDITION",
    alice.clientKeys.revealClientKey({ id, password: "alice 1234" }),
  );
  assert.match(notKept.message, /shown once/);
  const revoked = await alice.clientKeys.revokeClientKey({ id });
  assert.equal(revoked.clientKey?.state, ClientKey_State.REVOKED);
  assert.equal(revoked.effectiveOnAllNodes, true);
  const dead = await refusal("UNAUTHENTICATED", byKey.clientKeys.listClientKeys({}));
  assert.equal(dead.details.reason, "revoked_api_key");
  await refusal("FAILED_PRECONDITION", alice.clientKeys.enableClientKey({ id }));
});

test("a repeated create is refused with the id, for the secret is not kept", async (t) => {
  const control = await startControl(t);
  const alice = await control.as(control.alice);
  const request = { name: "ci", requestId: randomUUID() };
  const { clientKey } = await alice.clientKeys.createClientKey(request);
  const repeated = await refusal("ALREADY_EXISTS", alice.clientKeys.createClientKey(request));
  assert.deepEqual(repeated.details.metadata, { id: clientKey?.id });
  const rotation = { id: clientKey?.id ?? "", requestId: request.requestId };
  await alice.clientKeys.rotateClientKey(rotation);
  await refusal("ALREADY_EXISTS", alice.clientKeys.rotateClientKey(rotation));
  assert.equal((await alice.clientKeys.listClientKeys({})).clientKeys.length, 1);
});

test("a failed create is forgotten, so that it can be tried again with the same request id", async (t) => {
  const control = await startControl(t);
  const alice = await control.as(control.alice);
  const requestId = randomUUID();
  const past = timestampFromMs(1);
  await refusal(
    "INVALID_ARGUMENT",
    alice.clientKeys.createClientKey({ name: "ci", expireTime: past, requestId }),
  );
  await alice.clientKeys.createClientKey({ name: "ci", requestId });
});

test("a rotation lets the old secret work on for its grace, and shows when that ends", async (t) => {
  const control = await startControl(t);
  const alice = await control.as(control.alice);
  const { clientKey, secret: old } = await alice.clientKeys.createClientKey({ name: "ci" });
  const id = clientKey?.id ?? "";
  const rotated = await alice.clientKeys.rotateClientKey({ id, graceSeconds: 60n });
  assert.notEqual(rotated.secret, old);
  const graceEnd = rotated.clientKey?.graceEndTime;
  assert(graceEnd !== undefined);
  assert.equal(timestampMs(graceEnd), control.clock.now() + 60_000);
  await control.api(old).clientKeys.getClientKey({ id });
  control.clock.advance(60_001);
  await refusal("UNAUTHENTICATED", control.api(old).clientKeys.getClientKey({ id }));
  const { clientKey: later } = await control.api(rotated.secret).clientKeys.getClientKey({ id });
  assert.equal(later?.graceEndTime, undefined);
});

test("what a client key cannot have is refused by name, never dropped", async (t) => {
  const control = await startControl(t);
  const alice = await control.as(control.alice);
  const fieldsOf = async (part: object): Promise<string[]> => {
    const work = alice.clientKeys.createClientKey({ name: "ci", ...part });
    return Object.keys((await refusal("INVALID_ARGUMENT", work)).details.fields);
  };
  const day = { period: Period.DAY, tokens: 5n };
  assert.deepEqual(await fieldsOf({ limits: { budgets: [day, day] } }), ["limits.budgets"]);
  const calls = { ...day, requests: 9n };
  assert.deepEqual(await fieldsOf({ limits: { budgets: [{ ...day, period: 2 }, calls] } }), [
    "limits.budgets[1].requests",
  ]);
  assert.deepEqual(await fieldsOf({ scopes: ["chat", "everything"] }), ["scopes[1]"]);
  assert.deepEqual(await fieldsOf({ format: ClientKey_Format.IMPORTED }), ["format"]);
});

test("scopes keep a key to what it is for, on the control port too", async (t) => {
  const control = await startControl(t);
  const alice = await control.as(control.alice);
  const { clientKey, secret } = await alice.clientKeys.createClientKey({
    name: "ci",
    scopes: ["chat", "embeddings"],
  });
  assert.deepEqual(clientKey?.scopes, ["chat", "embeddings"]);
  const refused = await refusal("PERMISSION_DENIED", control.api(secret).sessions.whoAmI({}));
  assert.equal(refused.details.reason, "scope_not_allowed");
  const { clientKey: changed } = await alice.clientKeys.updateClientKey({
    id: clientKey?.id ?? "",
    updateMask: { paths: ["scopes"] },
    scopes: ["control"],
  });
  assert.deepEqual(changed?.scopes, ["control"]);
  assert.equal((await control.api(secret).sessions.whoAmI({})).clientKeyId, clientKey?.id);
  const { clientKeys } = await alice.clientKeys.listClientKeys({ filter: "scopes=control" });
  assert.equal(clientKeys.length, 1);
});

test("only an admin makes super keys, and their owner cannot loosen them", async (t) => {
  const control = await startControl(t);
  const [admin, alice] = [await control.as(control.root), await control.as(control.alice)];
  const ownerId = control.alice.userId ?? "";
  await refusal(
    "PERMISSION_DENIED",
    alice.clientKeys.createSuperClientKey({ ownerId, name: "pool" }),
  );
  const { clientKey, secret } = await admin.clientKeys.createSuperClientKey({
    ownerId,
    name: "pool",
  });
  assert.match(secret, /^sk-super-/);
  assert.equal(clientKey?.ownerUsername, "alice");
  const id = clientKey?.id ?? "";
  await alice.clientKeys.updateClientKey({ id, name: "mine" });
  await refusal(
    "PERMISSION_DENIED",
    alice.clientKeys.updateClientKey({ id, modelAllowlist: ["*"] }),
  );
});

test("the BYOR key is made once, can be shown again, and dies when it is refreshed", async (t) => {
  const control = await startControl(t);
  const alice = await control.as(control.alice);
  const first = await alice.clientKeys.getByorKey({});
  assert.equal(first.created, true);
  assert.equal(first.clientKey?.recoverable, true);
  const second = await alice.clientKeys.getByorKey({});
  assert.deepEqual([second.created, second.secret], [false, first.secret]);
  const fresh = await alice.clientKeys.refreshByorKey({});
  assert.notEqual(fresh.secret, first.secret);
  await refusal("UNAUTHENTICATED", control.api(first.secret).clientKeys.listClientKeys({}));
});

test("a request with a thousand fields at fault is refused in words, with the first of them by name", async (t) => {
  const control = await startControl(t);
  const alice = await control.as(control.alice);
  const keys = Array.from({ length: 1000 }, (_, i) => ({ name: `key ${i}` }));
  const refused = await refusal("INVALID_ARGUMENT", alice.clientKeys.importClientKeys({ keys }));
  assert.match(refused.message, /^keys\[0\]\.credential: must be given.*; and 997 more$/);
  const fields = Object.keys(refused.details.fields);
  assert.deepEqual([fields.length, fields.at(-1)], [20, "keys[19].credential"]);
});

test("an import takes tokens and hashes, reports on each, and they work", async (t) => {
  const control = await startControl(t);
  const admin = await control.as(control.root);
  const token = "an-old-static-token-0123";
  const hashed = "another-old-token-4567";
  const sha256 = createHash("sha256").update(hashed).digest();
  const { keys, created } = await admin.clientKeys.importClientKeys({
    ownerId: control.alice.userId ?? "",
    keys: [
      { name: "one", credential: { case: "secret", value: token } },
      { name: "two", credential: { case: "sha256", value: sha256 } },
      { name: "again", credential: { case: "secret", value: token } },
    ],
  });
  assert.equal(created, 2);
  assert.equal(keys[2]?.outcome, ImportedClientKey_Outcome.DUPLICATE);
  const { clientKeys } = await control.api(hashed).clientKeys.listClientKeys({ orderBy: "name" });
  assert.deepEqual(
    clientKeys.map((key) => [key.name, key.format]),
    [
      ["one", ClientKey_Format.IMPORTED],
      ["two", ClientKey_Format.IMPORTED],
    ],
  );
});

test("a key is marked when its rotation is due, when it expires soon, and when nobody uses it", async (t) => {
  const control = await startControl(t);
  const alice = await control.as(control.alice);
  const expireTime = timestampFromMs(control.clock.now() + 95 * DAY_MS);
  const { clientKey } = await alice.clientKeys.createClientKey({ name: "ci", expireTime });
  assert.deepEqual(clientKey?.notices, []);
  control.clock.advance(91 * DAY_MS);
  const later = await control.as(control.alice);
  const { clientKey: old } = await later.clientKeys.getClientKey({ id: clientKey?.id ?? "" });
  assert.deepEqual(old?.notices, [Notice.ROTATION_DUE, Notice.EXPIRES_SOON, Notice.UNUSED]);
});

test("statistics count calls by model and day, and name only what the caller may see", async (t) => {
  const control = await startControl(t);
  const [alice, admin] = [await control.as(control.alice), await control.as(control.root)];
  const { clientKey } = await alice.clientKeys.createClientKey({ name: "ci" });
  const id = clientKey?.id ?? "";
  const bobs = await control.providerKeys.create(control.bob, {
    providerId: "prv_openai",
    name: "bobs",
    secret: control.tokens.generate(),
  });
  const part = { clientKeyId: id, startedAt: control.clock.now(), providerKeyId: bobs.id };
  await control.ledger.appendCalls(
    [
      aCall("call_1", { ...part, modelAsked: "gpt-4o" }),
      aCall("call_2", { ...part, modelAsked: "gpt-4o", status: "ERROR", httpStatus: 502 }),
      aCall("call_3", { ...part, modelAsked: "", modelServed: null }),
      aCall("call_4", { ...part, clientKeyId: "ck_other" }),
    ],
    { file: 0, offset: 0 },
  );
  const stats = await alice.clientKeys.getClientKeyStats({ id, days: 7 });
  assert.equal(stats.totals?.calls, 3n);
  assert.equal(stats.totals?.errorCalls, 1n);
  assert.equal(stats.buckets.length, 7);
  assert.deepEqual(
    stats.buckets.map((bucket) => bucket.gap),
    [true, true, true, true, true, true, false],
    "days before the key was made are gaps",
  );
  assert.deepEqual(
    stats.models.map((share) => [share.label, share.totals?.calls]),
    [
      ["gpt-4o", 2n],
      ["unknown", 1n],
    ],
  );
  assert.deepEqual(
    stats.providerKeys.map(({ id: key, label }) => [key, label]),
    [["", ""]],
    "another owner's provider key goes unnamed",
  );
  const seen = await admin.clientKeys.getClientKeyStats({ id });
  assert.equal(seen.providerKeys[0]?.label, "bobs");
  assert.equal(seen.days, 30);
});

test("a summary tells how many keys came and went in its period, to each of their own", async (t) => {
  const control = await startControl(t);
  const [admin, alice] = [await control.as(control.root), await control.as(control.alice)];
  const hourMs = 3_600_000;
  const expireTime = timestampFromMs(control.clock.now() + hourMs);
  await alice.clientKeys.createClientKey({ name: "short", expireTime });
  await alice.clientKeys.createClientKey({ name: "long" });
  await admin.clientKeys.createClientKey({ name: "other" });
  const counts = async (api: typeof alice) => {
    const summary = await api.usage.getSummary({});
    return [summary.createdClientKeys, summary.expiredClientKeys];
  };
  control.clock.advance(1);
  assert.deepEqual(await counts(alice), [2, 0]);
  assert.deepEqual(await counts(admin), [3, 0]);
  control.clock.advance(2 * hourMs);
  assert.deepEqual(await counts(alice), [2, 1]);
  control.clock.advance(24 * hourMs);
  assert.deepEqual(await counts(await control.as(control.alice)), [0, 0]);
});
