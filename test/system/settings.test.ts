import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { getOption, hasOption, type DescField, type MessageInitShape } from "@bufbuild/protobuf";
import { field as rulesOf } from "../../proto/gen/buf/validate/validate_pb.js";
import {
  SettingsSchema,
  UpdateSettingsRequestSchema,
} from "../../proto/gen/latchkey/v1/system_pb.js";
import { startHousekeeping } from "../../server/app/housekeeping.js";
import { DAY_MS } from "../../server/core/durations.js";
import { SETTING_NAMES, SETTINGS, type SettingName } from "../../server/keys/settings-table.js";
import { ApiError } from "../../tui/api/api-error.js";
import { SETTING_HELP } from "../../tui/cli/setting-help.js";
import { FakeLogger } from "../gateway/fixture.js";
import { FakeClock, settle } from "../support/fake-clock.js";
import { addClientKey, addProvider, chat, dataFolder, signedIn, upstream } from "./fixture.js";
import { serveInside } from "./inside.js";

const HERE = "test/system/settings.test.ts";

/** Where it is shown that a setting does what it says. A setting without a test does not compile. */
const SHOWN: Readonly<Record<SettingName, readonly [file: string, test: string]>> = {
  registrationEnabled: [
    "server/keys/users.test.ts",
    "nobody registers unless the settings allow it, and then only as USER",
  ],
  publicPoolEnabled: [HERE, "a closed pool serves super keys no longer, from the next call on"],
  sessionMinutes: [
    "server/keys/sessions.test.ts",
    "a session ends by itself after the time in the settings",
  ],
  lockoutFailures: [HERE, "a lock-out comes after as many failures, and lasts as long, as is set"],
  lockoutMinutes: [HERE, "a lock-out comes after as many failures, and lasts as long, as is set"],
  rotationDueDays: [
    "server/keys/notices.test.ts",
    "a provider key's notices follow from its dates",
  ],
  expiryNoticeDays: ["server/keys/notices.test.ts", "a client key's notices follow from its dates"],
  healthCheckSeconds: [
    "server/app/health-loop.test.ts",
    "an interval that is changed holds at once, and none switches the loop off",
  ],
  callRetentionDays: [HERE, "calls and roll-ups are kept as long as the settings say now"],
  minuteRollupDays: [HERE, "calls and roll-ups are kept as long as the settings say now"],
  hourRollupDays: [HERE, "calls and roll-ups are kept as long as the settings say now"],
  dayRollupDays: [HERE, "calls and roll-ups are kept as long as the settings say now"],
  storageFailurePolicy: [
    "test/metering/accounting.test.ts",
    "a changed policy holds from the next call on",
  ],
  durability: ["test/metering/accounting.test.ts", "a changed policy holds from the next call on"],
  abortedCallPolicy: [
    "test/system/limits.test.ts",
    "what a call costs whose caller leaves is as the settings say, from the next call on",
  ],
  queueTimeoutMs: [HERE, "a call waits for admission as long as the settings say now"],
  defaultClientKeyLimits: [
    "test/system/limits.test.ts",
    "limits of the server bind everybody, and new keys get the defaults",
  ],
  serverLimits: [
    "test/system/limits.test.ts",
    "limits of the server bind everybody, and new keys get the defaults",
  ],
};

test("what shows that a setting takes effect is there", () => {
  for (const [name, [file, title]] of Object.entries(SHOWN)) {
    assert.ok(readFileSync(file, "utf8").includes(`test("${title}"`), `${name}: ${file}: ${title}`);
  }
});

test("the API and the command line tell of each setting the range and the default that hold", () => {
  for (const name of SETTING_NAMES) {
    const field = fieldOf(name);
    const range = rangeOf(field);
    const help = SETTING_HELP[field.name] ?? "";
    const { fallback, check } = SETTINGS[name];
    if (range !== undefined) {
      const [least, most] = range;
      const refusal = new RegExp(`from ${String(least)} to ${String(most)}$`);
      assert.equal(check(field.name, least), least);
      assert.equal(check(field.name, most), most);
      assert.throws(() => check(field.name, least - 1), { message: refusal });
      assert.throws(() => check(field.name, most + 1), { message: refusal });
      assert.ok(help.includes(` to ${String(most)}`), help);
    }
    const said = typeof fallback === "object" ? "none" : wordOf(fallback);
    assert.ok(help.toLowerCase().endsWith(`${said} unless set`), `${name}: ${help}`);
  }
});

test("each setting has its default at first, takes both ends of its range, and refuses what is beyond them", async (t) => {
  const { api } = await serveInside(t, dataFolder(t));
  const { settings } = await api.system.getSettings({});
  const updated = async (patch: MessageInitShape<typeof UpdateSettingsRequestSchema>) =>
    (await api.system.updateSettings(patch)).settings as unknown as Record<string, unknown>;
  for (const name of SETTING_NAMES) {
    const field = fieldOf(name);
    const range = rangeOf(field);
    if (range === undefined) continue;
    const valueOf = (amount: number) => (name === "queueTimeoutMs" ? BigInt(amount) : amount);
    assert.equal(settings?.[name], valueOf(Number(SETTINGS[name].fallback)), name);
    for (const [at, beyond] of [
      [range[0], range[0] - 1],
      [range[1], range[1] + 1],
    ] as const) {
      assert.equal((await updated({ [name]: valueOf(at) }))[name], valueOf(at), name);
      await assert.rejects(updated({ [name]: valueOf(beyond) }), (error: unknown) => {
        assert.ok(error instanceof ApiError && error.code === "INVALID_ARGUMENT");
        const words = `${field.name}: must be from ${String(range[0])} to ${String(range[1])}`;
        assert.equal(error.message, words);
        return true;
      });
    }
  }
});

test("a closed pool serves super keys no longer, from the next call on", async (t) => {
  const stub = await upstream(t);
  const { api, proxyUrl } = await serveInside(t, dataFolder(t));
  const { providerKeyId } = await addProvider(api, stub);
  await api.providerKeys.setProviderKeyVisibility({ id: providerKeyId, visibility: 2 });
  const mia = await signedIn(t, api, "mia");
  const users = (await api.users.listUsers({})).users;
  const ownerId = users.find(({ username }) => username === "mia")?.id ?? "";
  const { secret } = await api.clientKeys.createSuperClientKey({ name: "super", ownerId });
  assert.equal((await chat(proxyUrl, secret)).status, 200);
  await api.system.updateSettings({ publicPoolEnabled: false });
  assert.notEqual((await chat(proxyUrl, secret)).status, 200);
  await api.system.updateSettings({ publicPoolEnabled: true });
  assert.equal((await chat(proxyUrl, secret)).status, 200);
  await mia.sessions.logout({});
});

test("a lock-out comes after as many failures, and lasts as long, as is set", async (t) => {
  const { api } = await serveInside(t, dataFolder(t));
  await api.system.updateSettings({ lockoutFailures: 3, lockoutMinutes: 1000 });
  await api.users.createUser({ username: "tom", password: "tom's password" });
  const tom = async () =>
    (await api.users.listUsers({})).users.find(({ username }) => username === "tom");
  for (let n = 0; n < 3; n++) {
    assert.equal((await tom())?.lockEndTime, undefined);
    await assert.rejects(api.sessions.login({ username: "tom", password: "a guess" }));
  }
  const { system } = api;
  const end = Number((await tom())?.lockEndTime?.seconds);
  const now = Number((await system.getStatus({})).serverTime?.seconds);
  assert.ok(end - now > 990 * 60 && end - now <= 1000 * 60, String(end - now));
});

test("a call waits for admission as long as the settings say now", async (t) => {
  const stub = await upstream(t);
  const { api, proxyUrl } = await serveInside(t, dataFolder(t), "--calls-max=1");
  await addProvider(api, stub);
  const key = await addClientKey(api);
  const answers: (() => void)[] = [];
  const answered = stub.script;
  stub.script = (request, res) => void answers.push(() => void answered(request, res));
  const first = chat(proxyUrl, key);
  await stub.requests(1);
  await api.system.updateSettings({ queueTimeoutMs: 0n });
  const refused = await chat(proxyUrl, key);
  assert.equal(refused.status, 503);
  await api.system.updateSettings({ queueTimeoutMs: 60_000n });
  const waiting = chat(proxyUrl, key);
  answers[0]?.();
  assert.equal((await first).status, 200);
  await stub.requests(2);
  answers[1]?.();
  assert.equal((await waiting).status, 200);
});

test("calls and roll-ups are kept as long as the settings say now", async () => {
  const clock = new FakeClock();
  const values = { callRetentionDays: 0, minuteRollupDays: 2, hourRollupDays: 3, dayRollupDays: 4 };
  const asked: unknown[] = [];
  const age = (ms: number): number => (clock.now() - ms) / DAY_MS;
  const none = async (): Promise<number> => 0;
  const ledger = {
    pruneCalls: async (beforeMs: number) => (asked.push(age(beforeMs)), 0),
    pruneRollups: async (before: Readonly<Record<string, number>>) => (
      asked.push(...Object.values(before).map(age)),
      0
    ),
    sweep: none,
    newestCallAt: async () => clock.now(),
  };
  const storage = { ledger, batches: { prune: none }, pruneChanges: none };
  const lifecycle = { started: () => undefined };
  const foundation = { storage, clock, logger: new FakeLogger(), lifecycle };
  await startHousekeeping(
    foundation as unknown as Parameters<typeof startHousekeeping>[0],
    { settings: { values } } as unknown as Parameters<typeof startHousekeeping>[1],
  );
  clock.advance(60_000);
  await settle();
  assert.deepEqual(asked.splice(0), [36_500, 2, 3, 4], "calls are kept for good");
  Object.assign(values, { callRetentionDays: 1, minuteRollupDays: 5, dayRollupDays: 7 });
  clock.advance(3_600_000);
  await settle();
  assert.deepEqual(asked, [1, 5, 3, 7]);
});

function fieldOf(name: SettingName): DescField {
  const field = UpdateSettingsRequestSchema.field[name];
  assert.equal(field.name, SettingsSchema.field[name].name);
  return field;
}

/** The least and the greatest amount that the API takes; undefined for what is no number. */
function rangeOf(field: DescField): readonly [number, number] | undefined {
  if (!hasOption(field, rulesOf)) return undefined;
  const { type } = getOption(field, rulesOf);
  if (type.case !== "int32" && type.case !== "int64") return undefined;
  const { greaterThan, lessThan } = type.value;
  return [Number(greaterThan.value), Number(lessThan.value)];
}

function wordOf(fallback: boolean | number | string): string {
  if (typeof fallback === "boolean") return fallback ? "yes" : "no";
  return String(fallback).toLowerCase();
}
