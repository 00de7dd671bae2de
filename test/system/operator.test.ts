import assert from "node:assert/strict";
import { chmodSync, statSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { Period, StreamInfo_Kind } from "../../proto/gen/latchkey/v1/common_pb.js";
import { Rewrite_Kind } from "../../proto/gen/latchkey/v1/providers_pb.js";
import {
  Change_Operation,
  Listener_Kind,
  LogLine_Level,
  ResourceKind,
  Settings_Durability,
  type WatchChangesResponse,
  VaultStatus_State,
  Warning_Severity,
} from "../../proto/gen/latchkey/v1/system_pb.js";
import { ApiError } from "../../tui/api/api-error.js";
import type { Api } from "../../tui/api/services.js";
import { addProvider, all, dataFolder, signedIn, until, upstream } from "./fixture.js";
import { serveInside } from "./inside.js";

test("settings change by their mask, hold over a restart, and say where the options are from", async (t) => {
  const folder = dataFolder(t);
  let server = await serveInside(t, folder, "--body-mib-max=8");
  const { settings, config } = await server.api.system.getSettings({});
  assert.equal(settings?.registrationEnabled, false);
  const option = (name: string) => config.find((line) => line.name === name);
  assert.deepEqual([option("body-mib-max")?.value, option("body-mib-max")?.source], ["8", "flag"]);
  assert.equal(option("log-level")?.source, "default");
  const changed = await server.api.system.updateSettings({
    sessionMinutes: 60,
    durability: Settings_Durability.STRICT,
    healthCheckSeconds: 5,
    registrationEnabled: true,
    updateMask: { paths: ["session_minutes", "durability", "health_check_seconds"] },
  });
  assert.equal(changed.settings?.sessionMinutes, 60);
  assert.equal(changed.settings.durability, Settings_Durability.STRICT);
  assert.equal(changed.settings.healthCheckSeconds, 60);
  assert.equal(changed.settings.registrationEnabled, false, "not in the mask");
  const calls = { budgets: [{ period: Period.DAY, requests: 5n }] };
  await assert.rejects(
    server.api.system.updateSettings({ serverLimits: calls }),
    (error: unknown) => {
      return error instanceof ApiError && error.code === "INVALID_ARGUMENT";
    },
  );
  const serverLimits = { concurrency: 9, budgets: [{ period: Period.DAY, tokens: 5n }] };
  await server.api.system.updateSettings({ serverLimits });
  await server.stop();
  server = await serveInside(t, folder);
  const again = await server.api.system.getSettings({});
  assert.equal(again.settings?.sessionMinutes, 60);
  assert.equal(again.settings.serverLimits?.concurrency, 9);
  assert.equal(again.settings.serverLimits.budgets[0]?.tokens, 5n);
  await server.api.system.updateSettings({ updateMask: { paths: ["server_limits"] } });
  const emptied = await server.api.system.getSettings({});
  assert.deepEqual(emptied.settings?.serverLimits?.budgets, []);
});

test("the log can be followed from its newest lines on, and holds no secret", async (t) => {
  const server = await serveInside(t, dataFolder(t), "--log-level=debug");
  const ended = await all(server.api.system.tailLog({ backfill: 500, noFollow: true }));
  assert.equal(ended[0]?.stream?.kind, StreamInfo_Kind.JOINED);
  const lines = ended.flatMap((message) => message.lines);
  assert.ok(lines.some((line) => line.message === "vault initialised"));
  assert.ok(lines.every((line) => line.level >= LogLine_Level.INFO));
  const following = server.api.system.tailLog({ contains: "VAULT LOCKED" });
  const iterator = following[Symbol.asyncIterator]();
  assert.equal((await iterator.next()).value?.stream?.kind, StreamInfo_Kind.JOINED);
  await server.api.system.lock({});
  const { value } = await iterator.next();
  assert.equal(value?.lines[0]?.message, "vault locked");
  await iterator.return?.();
});

test("changes come in order, to each what it may list, and deletions only of what it saw", async (t) => {
  const stub = await upstream(t);
  const server = await serveInside(t, dataFolder(t));
  const { api } = server;
  const mia = await signedIn(t, api, "mia");
  const tom = await signedIn(t, api, "tom");
  const [everything, mias, toms] = [collect(api), collect(mia), collect(tom)];
  await Promise.all([everything, mias, toms].map((each) => each.joined));
  const { providerId } = await addProvider(api, stub);
  const { clientKey } = await mia.clientKeys.createClientKey({ name: "mine" });
  const id = clientKey!.id;
  await mia.clientKeys.disableClientKey({ id });
  await mia.clientKeys.deleteClientKey({ id });
  await api.system.updateSettings({ sessionMinutes: 30 });
  const kinds = (seen: Collected) => new Set(seen.changes.map(({ kind }) => kind));
  await until(async () => kinds(everything).has(ResourceKind.SETTINGS));
  await until(async () =>
    mias.changes.some(({ operation }) => operation === Change_Operation.DELETED),
  );
  const of = (seen: Collected) => seen.changes.filter((change) => change.id === id);
  for (const seen of [everything, mias]) {
    assert.deepEqual(
      of(seen).map(({ operation }) => operation),
      [Change_Operation.SET, Change_Operation.SET, Change_Operation.DELETED],
    );
  }
  assert.deepEqual(of(toms), [], "another owner's key");
  assert.ok(kinds(everything).has(ResourceKind.PROVIDER_KEY));
  assert.ok(!kinds(mias).has(ResourceKind.PROVIDER_KEY), "the admin's provider key");
  assert.ok(!kinds(mias).has(ResourceKind.SETTINGS));
  assert.ok(everything.changes.some((change) => change.id === `${providerId}/stub-chat`));
  const seqs = everything.changes.map(({ seq }) => seq);
  assert.deepEqual(
    seqs,
    seqs.toSorted((one, other) => Number(one - other)),
  );
  const later = collect(api, seqs[0]);
  await until(async () => later.changes.length === everything.changes.length - 1);
});

test("who follows aliases and fallback chains hears all of a kind at each change, and after a break the missed ones", async (t) => {
  const stub = await upstream(t);
  const server = await serveInside(t, dataFolder(t));
  const { api } = server;
  await addProvider(api, stub);
  const mia = await signedIn(t, api, "mia");
  const rewritesOf = ({ changes }: Collected) =>
    changes.flatMap(({ kind, resource }) => {
      if (resource.case !== "rewrites") return [];
      assert.equal(kind, ResourceKind.REWRITES);
      const { value } = resource;
      return [[value.kind, ...value.rewrites.map(({ name, targets }) => [name, ...targets])]];
    });
  const { ALIAS, FALLBACK } = Rewrite_Kind;
  const set = (kind: Rewrite_Kind, name: string) =>
    api.providers.setRewrite({ kind, name, targets: ["stub-chat"] });
  const live = collect(mia);
  await live.joined;
  await set(ALIAS, "fast");
  await until(async () => rewritesOf(live).length === 1);
  await set(FALLBACK, "slow*");
  await set(ALIAS, "best");
  await api.providers.deleteRewrite({ kind: ALIAS, name: "fast" });
  const missed = [
    [FALLBACK, ["slow*", "stub-chat"]],
    [ALIAS, ["best", "stub-chat"], ["fast", "stub-chat"]],
    [ALIAS, ["best", "stub-chat"]],
  ];
  await until(async () => rewritesOf(live).length === 4);
  assert.deepEqual(rewritesOf(live), [[ALIAS, ["fast", "stub-chat"]], ...missed]);
  const resumed = collect(mia, live.changes.at(0)?.seq);
  await until(async () => rewritesOf(resumed).length === 3);
  assert.deepEqual(rewritesOf(resumed), missed);
});

test("the status tells an operator everything and a user only what everybody may know", async (t) => {
  const server = await serveInside(t, dataFolder(t));
  const status = await server.api.system.getStatus({});
  assert.deepEqual(
    status.listeners.map(({ kind }) => kind),
    [Listener_Kind.PROXY, Listener_Kind.CONTROL, Listener_Kind.CONTROL_SOCKET],
  );
  assert.equal(status.nodes.length, 1);
  assert.ok(status.dataFolder !== "" && status.process !== undefined);
  assert.ok(status.warnings.some(({ code }) => code === "no_backup"));
  assert.equal(status.vault?.rootKeyVersion, 1);
  const seen = await (await signedIn(t, server.api, "mia")).system.getStatus({});
  assert.equal(seen.dataFolder, "");
  assert.deepEqual([seen.listeners, seen.nodes, seen.warnings], [[], [], []]);
  assert.deepEqual([seen.process, seen.database, seen.journal], [undefined, undefined, undefined]);
  assert.deepEqual(
    [seen.vault?.state, seen.vault?.rootKeyVersion, seen.vault?.vaultKeys],
    [VaultStatus_State.UNLOCKED, 0, []],
  );
  assert.ok(seen.version);
});

test("a data folder that others may enter is used and told, with what to do, until that is done", async (t) => {
  const folder = dataFolder(t);
  const started = await serveInside(t, path.join(folder, "made"));
  assert.equal(statSync(path.join(folder, "made")).mode & 0o777, 0o700);
  assert.equal(await folderWarning(started.api), undefined);
  await started.stop();
  for (const [mode, severity, may] of [
    [0o755, Warning_Severity.WARNING, /look into/],
    [0o711, Warning_Severity.WARNING, /look into/],
    [0o770, Warning_Severity.CRITICAL, /put files/],
  ] as const) {
    chmodSync(folder, mode);
    const server = await serveInside(t, folder);
    const { api } = server;
    const told = await folderWarning(api);
    assert.equal(told?.severity, severity);
    assert.match(told.message, may);
    assert.ok(told.message.includes(`(mode 0${mode.toString(8)}): \`chmod 700 ${folder}\``));
    const logged = await all(api.system.tailLog({ backfill: 500, noFollow: true }));
    const lines = logged.flatMap((message) => message.lines);
    assert.ok(lines.some(({ message }) => message === "the data folder is open to others"));
    chmodSync(folder, 0o700);
    assert.equal(await folderWarning(api), undefined);
    await server.stop();
  }
});

async function folderWarning(api: Api) {
  const { warnings } = await api.system.getStatus({});
  return warnings.find(({ code }) => code === "data_folder_open");
}

interface Collected {
  readonly joined: Promise<void>;
  readonly changes: WatchChangesResponse["changes"];
}

/** Watches changes until the server ends. */
function collect(api: Api, afterSeq = 0n): Collected {
  const changes: WatchChangesResponse["changes"] = [];
  const { promise, resolve } = withResolver();
  const watch = async (): Promise<void> => {
    for await (const message of api.system.watchChanges({ afterSeq })) {
      changes.push(...message.changes);
      resolve();
    }
  };
  watch().catch(() => undefined);
  return { joined: promise, changes };
}

function withResolver(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
