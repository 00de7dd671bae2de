import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Period } from "../../proto/gen/latchkey/v1/common_pb.js";
import {
  DiagnosisItem_Outcome,
  DiagnosisItem_Question,
  ImportedProviderKey_Outcome,
  ImportProviderKeysRequest_Format,
  ProviderKey_Eligibility,
  ProviderKey_Health,
  ProviderKey_Tier,
  ProviderKey_Visibility,
  TestResult_Failure,
} from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import type { CallRecord } from "../../server/core/call.js";
import type { Api } from "../../tui/api/services.js";
import { aCall } from "./calls.js";
import { startControl } from "./harness.js";
import { collect, refusal } from "./refusal.js";

const OPENAI = "prv_openai";
const SECRET = "sk-abcdef0123456789secretxyz";

/** Makes a key, and answers its id. */
async function idOfMain({ providerKeys }: Api): Promise<string> {
  const draft = { providerId: OPENAI, secret: SECRET, name: "main" };
  const { providerKey } = await providerKeys.createProviderKey(draft);
  return providerKey?.id ?? "";
}

test("a provider key lives through all its RPCs and its secret stays inside", async (t) => {
  const control = await startControl(t);
  const alice = await control.as(control.alice);
  const { providerKey: made } = await alice.providerKeys.createProviderKey({
    providerId: OPENAI,
    secret: `  ${SECRET}\n`,
    name: "阿里云通义万相",
    limits: { budgets: [{ period: Period.MONTH, tokens: 5_000n, costMicros: 7n }] },
    expireTime: timestampFromMs(control.clock.now() + 60_000),
  });
  assert(made !== undefined);
  assert.equal(made.preview, "sk-abc...xyz");
  assert.equal(made.ownerUsername, "alice");
  assert.equal(made.providerSlug, "openai");
  assert.equal(made.tier, ProviderKey_Tier.PRIMARY);
  assert.equal(made.visibility, ProviderKey_Visibility.PRIVATE);
  assert.equal(made.health, ProviderKey_Health.UNKNOWN);
  assert.equal(made.eligibility, ProviderKey_Eligibility.ELIGIBLE);
  assert.equal(made.weight, 100);
  assert.equal(made.limits?.budgets[0]?.tokens, 5_000n);
  assert.equal(made.successRatio, undefined);
  const { id } = made;

  const { providerKey: read } = await alice.providerKeys.getProviderKey({ id });
  assert.deepEqual(read, made);
  await alice.providerKeys.setProviderKeyVisibility({
    id,
    visibility: ProviderKey_Visibility.PUBLIC,
    anonymous: true,
  });
  const { providerKey: off } = await alice.providerKeys.disableProviderKey({ id });
  assert.equal(off?.enabled, false);
  assert.equal(off?.eligibility, ProviderKey_Eligibility.DISABLED);
  await alice.providerKeys.enableProviderKey({ id });
  await alice.providerKeys.rotateProviderKey({ id, secret: "sk-another-0123456789" });
  const revealed = await alice.providerKeys.revealProviderKey({ id, password: "alice 1234" });
  assert.equal(revealed.secret, "sk-another-0123456789");
  await alice.providerKeys.deleteProviderKey({ id });
  await refusal("NOT_FOUND", alice.providerKeys.getProviderKey({ id }));
});

test("an update sets what the mask names, empties what is left out, and touches nothing else", async (t) => {
  const control = await startControl(t);
  const alice = await control.as(control.alice);
  const { providerKey } = await alice.providerKeys.createProviderKey({
    providerId: OPENAI,
    secret: SECRET,
    name: "main",
    description: "first",
    modelAllowlist: ["gpt-4o"],
    quotaGroup: "team",
    expireTime: timestampFromMs(control.clock.now() + 60_000),
  });
  const id = providerKey?.id ?? "";
  const update = async (request: Parameters<typeof alice.providerKeys.updateProviderKey>[0]) =>
    (await alice.providerKeys.updateProviderKey({ ...request, id })).providerKey;

  const unmasked = await update({ description: "second", modelAllowlist: [] });
  assert.equal(unmasked?.description, "second");
  assert.deepEqual(unmasked?.modelAllowlist, ["gpt-4o"], "an empty list is not present");

  const masked = await update({
    updateMask: { paths: ["model_allowlist", "expire_time", "health", "version"] },
    description: "not named",
  });
  assert.deepEqual(masked?.modelAllowlist, []);
  assert.equal(masked?.expireTime, undefined);
  assert.equal(masked?.description, "second");
  assert.equal(masked?.quotaGroup, "team");

  const all = await update({ updateMask: { paths: ["*"] }, name: "renamed", weight: 7 });
  assert.equal(all?.name, "renamed");
  assert.equal(all?.weight, 7);
  assert.equal(all?.description, "");
  assert.equal(all?.quotaGroup, "");

  const unknown = await refusal("INVALID_ARGUMENT", update({ updateMask: { paths: ["naem"] } }));
  assert.deepEqual(Object.keys(unknown.details.fields), ["update_mask"]);
  const part = await refusal(
    "INVALID_ARGUMENT",
    update({ updateMask: { paths: ["limits.concurrency"] } }),
  );
  assert.match(part.message, /replaced as a whole/);
  const stale = await refusal("ABORTED", update({ description: "x", expectedVersion: 1n }));
  assert.equal(stale.details.reason, "conflict");
});

test("a refusal names every field at fault as the API calls it", async (t) => {
  const control = await startControl(t);
  const alice = await control.as(control.alice);
  const draft = { providerId: OPENAI, secret: SECRET, name: "main" };
  const rules = await refusal(
    "INVALID_ARGUMENT",
    alice.providerKeys.createProviderKey({ providerId: "nonsense", secret: "", name: "" }),
  );
  assert.equal(rules.details.reason, "invalid_argument");
  assert.deepEqual(Object.keys(rules.details.fields).toSorted(), ["name", "provider_id", "secret"]);
  const past = await refusal(
    "INVALID_ARGUMENT",
    alice.providerKeys.createProviderKey({ ...draft, expireTime: timestampFromMs(1) }),
  );
  assert.deepEqual(past.details.fields, {
    expire_time: "Expiration date cannot be in the past",
  });
  assert.match(past.message, /^expire_time: /);
  const budgets = [{ period: Period.DAY }, { period: Period.WEEK }];
  const two = await refusal(
    "INVALID_ARGUMENT",
    alice.providerKeys.createProviderKey({ ...draft, limits: { budgets } }),
  );
  assert.deepEqual(Object.keys(two.details.fields), ["limits.budgets"]);
  const perMinute = await refusal(
    "INVALID_ARGUMENT",
    alice.providerKeys.createProviderKey({ ...draft, limits: { requestsPerMinute: 3 } }),
  );
  assert.deepEqual(Object.keys(perMinute.details.fields), ["limits.requests_per_minute"]);

  await alice.providerKeys.createProviderKey(draft);
  const taken = await refusal(
    "ALREADY_EXISTS",
    alice.providerKeys.createProviderKey({ ...draft, secret: "sk-quite-another-one" }),
  );
  assert.deepEqual(Object.keys(taken.details.fields), ["name"]);
  const again = await refusal(
    "ALREADY_EXISTS",
    alice.providerKeys.createProviderKey({ ...draft, name: "other" }),
  );
  assert.deepEqual(Object.keys(again.details.fields), ["secret"]);
});

test("another owner's key answers in the words of one that does not exist", async (t) => {
  const control = await startControl(t);
  const [alice, bob] = [await control.as(control.alice), await control.as(control.bob)];
  const { providerKey } = await alice.providerKeys.createProviderKey({
    providerId: OPENAI,
    secret: SECRET,
    name: "hers",
  });
  const id = providerKey?.id ?? "";
  const others = await refusal("NOT_FOUND", bob.providerKeys.getProviderKey({ id }));
  const missing = await refusal("NOT_FOUND", bob.providerKeys.getProviderKey({ id: "pk_none" }));
  assert.equal(others.message.replace(id, "pk_none"), missing.message);
  assert.deepEqual(others.details, missing.details);
  const { providerKeys, totalEstimate } = await bob.providerKeys.listProviderKeys({});
  assert.deepEqual(providerKeys, []);
  assert.equal(totalEstimate, 0n);
});

test("a repeated create answers the same key and stores nothing twice", async (t) => {
  const control = await startControl(t);
  const [alice, bob] = [await control.as(control.alice), await control.as(control.bob)];
  const request = { providerId: OPENAI, secret: SECRET, name: "main", requestId: randomUUID() };
  const [first, second] = await Promise.all([
    alice.providerKeys.createProviderKey(request),
    alice.providerKeys.createProviderKey(request),
  ]);
  assert.equal(first.providerKey?.id, second.providerKey?.id);
  const { providerKeys } = await alice.providerKeys.listProviderKeys({});
  assert.equal(providerKeys.length, 1);
  // The same UUID of another user is another request.
  const other = await bob.providerKeys.createProviderKey({
    ...request,
    secret: "sk-bobs-own-key-1",
  });
  assert.notEqual(other.providerKey?.id, first.providerKey?.id);
  control.clock.advance(24 * 3_600_000 + 1);
  const later = await control.as(control.alice);
  await refusal("ALREADY_EXISTS", later.providerKeys.createProviderKey(request));
});

test("lists are filtered, sorted and walked in both directions", async (t) => {
  const control = await startControl(t);
  const alice = await control.as(control.alice);
  const admin = await control.as(control.root);
  for (const [i, tier] of ["PRIMARY", "BACKUP", "OVERFLOW"].entries()) {
    await alice.providerKeys.createProviderKey({
      providerId: OPENAI,
      secret: `${SECRET}${i}`,
      name: `key ${i}`,
      tier: ProviderKey_Tier[tier as keyof typeof ProviderKey_Tier],
    });
    control.clock.advance(1000);
  }
  const names = async (filter: string, orderBy = "name"): Promise<string[]> => {
    const { providerKeys } = await admin.providerKeys.listProviderKeys({ filter, orderBy });
    return providerKeys.map((key) => key.name);
  };
  assert.deepEqual(await names("tier=backup,overflow"), ["key 1", "key 2"]);
  assert.deepEqual(await names("owner=alice provider=openai tier!=primary"), ["key 1", "key 2"]);
  assert.deepEqual(await names("owner=bob"), []);
  assert.deepEqual(await names('"key 1"'), ["key 1"]);
  assert.deepEqual(await names("expire_time=", "name desc"), ["key 2", "key 1", "key 0"]);

  const pages = { pageSize: 2, orderBy: "name" };
  const first = await admin.providerKeys.listProviderKeys(pages);
  assert.equal(first.previousPageToken, "");
  const pageToken = first.nextPageToken;
  const last = await admin.providerKeys.listProviderKeys({ ...pages, pageToken });
  assert.deepEqual(
    last.providerKeys.map((key) => key.name),
    ["key 2"],
  );
  assert.equal(last.nextPageToken, "");
  const back = await admin.providerKeys.listProviderKeys({
    ...pages,
    pageToken: last.previousPageToken,
  });
  assert.deepEqual(back.providerKeys, first.providerKeys);
  const other = { pageSize: 2, orderBy: "tier", pageToken };
  await refusal("INVALID_ARGUMENT", admin.providerKeys.listProviderKeys(other));
  await refusal("INVALID_ARGUMENT", admin.providerKeys.listProviderKeys({ filter: "nmae=x" }));
  await refusal("INVALID_ARGUMENT", admin.providerKeys.listProviderKeys({ filter: "tier=best" }));
  await refusal("INVALID_ARGUMENT", admin.providerKeys.listProviderKeys({ pageSize: -1 }));
});

test("a connection test streams its steps and a result, and keeps no candidate", async (t) => {
  const control = await startControl(t);
  const alice = await control.as(control.alice);
  const candidate = { providerId: OPENAI, secret: SECRET };
  const events = await collect(
    alice.providerKeys.testProviderKey({ target: { case: "candidate", value: candidate } }),
  );
  assert.deepEqual(
    events.map(({ event }) => event.case),
    ["step", "step", "result"],
  );
  const result = events.at(-1)?.event;
  assert(result?.case === "result");
  assert.equal(result.value.ok, true);
  assert.equal(result.value.requestsRemaining, 59n);
  assert.equal(result.value.tokensRemaining, undefined);
  assert.equal(control.probes.subjects[0]?.secret.reveal(), SECRET);
  assert.notEqual(control.probes.subjects[0]?.model, "", "the cheapest chat model is tried");
  assert.deepEqual((await alice.providerKeys.listProviderKeys({})).providerKeys, []);
});

test("many stored keys are tested and each answers once", async (t) => {
  const control = await startControl(t);
  const alice = await control.as(control.alice);
  for (const i of [1, 2, 3]) {
    const draft = { providerId: OPENAI, secret: `${SECRET}${i}`, name: `key ${i}` };
    await alice.providerKeys.createProviderKey(draft);
  }
  control.probes.fails = true;
  const results = await collect(
    alice.providerKeys.testProviderKeys({ filter: "name!=key", concurrency: 2 }),
  );
  assert.deepEqual(
    results.map(({ done, total }) => [done, total]),
    [
      [1, 3],
      [2, 3],
      [3, 3],
    ],
  );
  assert.deepEqual(new Set(results.map(({ name }) => name)), new Set(["key 1", "key 2", "key 3"]));
  for (const { result } of results) {
    assert.equal(result?.failure, TestResult_Failure.UNAUTHORIZED);
  }
});

test("a test of a key in a locked vault says so as its result", async (t) => {
  const control = await startControl(t);
  const alice = await control.as(control.alice);
  const { providerKey } = await alice.providerKeys.createProviderKey({
    providerId: OPENAI,
    secret: SECRET,
    name: "main",
  });
  control.vault.lock();
  const target = { case: "id", value: providerKey?.id ?? "" } as const;
  const [message] = await collect(alice.providerKeys.testProviderKey({ target }));
  assert(message?.event.case === "result");
  assert.equal(message.event.value.failure, TestResult_Failure.SECRET);
  assert.deepEqual(control.probes.subjects, []);
});

test("an import reports on each entry, and a repeat of it stores nothing", async (t) => {
  const control = await startControl(t);
  const alice = await control.as(control.alice);
  const content = Buffer.from(
    `OPENAI_API_KEY=${SECRET}\nNOBODY_KNOWS_KEY=sk-other-0123456789abc\n`,
  );
  const request = {
    content,
    format: ImportProviderKeysRequest_Format.ENV,
    requestId: randomUUID(),
  };
  const dry = await alice.providerKeys.importProviderKeys({ content, dryRun: true });
  assert.equal(dry.created, 1);
  const first = await alice.providerKeys.importProviderKeys(request);
  assert.deepEqual(
    first.keys.map(({ outcome }) => outcome),
    [ImportedProviderKey_Outcome.CREATED, ImportedProviderKey_Outcome.UNKNOWN_PROVIDER],
  );
  assert.equal(first.keys[0]?.providerSlug, "openai");
  assert.deepEqual(await alice.providerKeys.importProviderKeys(request), first);
  const notText = { content: Uint8Array.from([0xff, 0xfe]) };
  await refusal("INVALID_ARGUMENT", alice.providerKeys.importProviderKeys(notText));
});

test("a diagnosis asks every question and says what is wrong first", async (t) => {
  const control = await startControl(t);
  const alice = await control.as(control.alice);
  const { providerKey } = await alice.providerKeys.createProviderKey({
    providerId: OPENAI,
    secret: SECRET,
    name: "main",
    modelAllowlist: ["gpt-*"],
  });
  const id = providerKey?.id ?? "";
  const well = await alice.providerKeys.diagnoseProviderKey({ id, model: "gpt-4o" });
  assert.equal(well.items.length, Object.keys(DiagnosisItem_Question).length - 1);
  assert.equal(well.verdict, "Nothing is wrong with this key.");
  assert.equal(well.tierReached, ProviderKey_Tier.PRIMARY);
  await alice.providerKeys.disableProviderKey({ id });
  const ill = await alice.providerKeys.diagnoseProviderKey({ id, model: "claude-3" });
  const failed = ill.items.filter(({ outcome }) => outcome === DiagnosisItem_Outcome.FAILED);
  assert.deepEqual(
    failed.map(({ question }) => question),
    [DiagnosisItem_Question.ENABLED, DiagnosisItem_Question.MODEL],
  );
  assert.equal(ill.verdict, "The key is disabled. Enable it.");
  assert.equal(ill.tierReached, ProviderKey_Tier.UNSPECIFIED);
});

test("a diagnosis finds attempts that a key of another provider made good", async (t) => {
  const control = await startControl(t);
  const alice = await control.as(control.alice);
  const id = await idOfMain(alice);
  const attempt = { durationMs: 10, httpStatus: null, detail: "" };
  const attempts: CallRecord["attempts"] = [
    { ...attempt, providerKeyId: id, providerId: OPENAI, startedMs: 0, outcome: "UNREACHABLE" },
    { ...attempt, providerKeyId: "pk_2", providerId: "prv_groq", startedMs: 10, outcome: "OK" },
  ];
  const served = { providerId: "prv_groq", providerKeyId: "pk_2", attempts };
  await control.ledger.appendCalls([aCall("call_1", served)], { file: 0, offset: 0 });
  const { items, recentErrors } = await alice.providerKeys.diagnoseProviderKey({ id });
  assert.equal(recentErrors.length, 1);
  const errors = items.find(({ question }) => question === DiagnosisItem_Question.RECENT_ERRORS);
  assert.match(errors?.message ?? "", /^1 of the last 1 attempts failed/);
});

test("a health check is stored and listed with the key", async (t) => {
  const control = await startControl(t);
  const alice = await control.as(control.alice);
  const id = await idOfMain(alice);
  const { check } = await alice.providerKeys.checkProviderKeyHealth({ id });
  assert.equal(check?.health, ProviderKey_Health.HEALTHY);
  const { checks } = await alice.providerKeys.getProviderKeyHealth({ id });
  assert.deepEqual(checks, [check]);
});
