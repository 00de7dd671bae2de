import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { StreamInfo_Kind } from "../../proto/gen/latchkey/v1/common_pb.js";
import {
  Change_Operation,
  ResourceKind,
  WatchChangesRequestSchema,
} from "../../proto/gen/latchkey/v1/system_pb.js";
import { changeResources } from "../../server/app/change-resources.js";
import { Names } from "../../server/app/names.js";
import { ChangeHistory } from "../../server/control/change-history.js";
import { watchChanges } from "../../server/control/system-changes.js";
import type { Actor } from "../../server/core/audit.js";
import { MUTATIONS, prepare } from "../../server/keys/testing/mutations.js";
import { startWorld } from "../../server/keys/testing/world.js";
import { DEFAULT_ALLOCATION } from "../../server/pool/allocation.js";

type KindName = keyof typeof ResourceKind;

const USER: readonly KindName[] = ["USER"];
const PROVIDER: readonly KindName[] = ["PROVIDER"];
const MODEL: readonly KindName[] = ["MODEL"];
const PROVIDER_KEY: readonly KindName[] = ["PROVIDER_KEY"];
const CLIENT_KEY: readonly KindName[] = ["CLIENT_KEY"];

/** What an admin's watcher is told of each verb that changes something. */
const TOLD: Readonly<Record<string, readonly KindName[]>> = {
  "session.register": USER,
  "session.login": USER,
  "session.logout": [],
  "session.change_password": USER,
  "session.confirm_password": USER,
  "user.create": USER,
  "user.update": USER,
  "user.ban": USER,
  "user.unban": USER,
  "user.disable": USER,
  "user.enable": USER,
  "user.reset_password": USER,
  "user.delete": ["CLIENT_KEY", "PROVIDER_KEY", "USER"],
  "provider.create": PROVIDER,
  "provider.update": ["PROVIDER", "PROVIDER_KEY"],
  "provider.delete": PROVIDER,
  "model.upsert": MODEL,
  "model.delete": MODEL,
  "provider_key.create": PROVIDER_KEY,
  "provider_key.import": PROVIDER_KEY,
  "provider_key.update": PROVIDER_KEY,
  "provider_key.rotate": PROVIDER_KEY,
  "provider_key.enable": PROVIDER_KEY,
  "provider_key.disable": PROVIDER_KEY,
  "provider_key.set_visibility": PROVIDER_KEY,
  "provider_key.delete": PROVIDER_KEY,
  // Showing a secret changes nothing.
  "provider_key.reveal": [],
  "client_key.create": CLIENT_KEY,
  "client_key.create_super": CLIENT_KEY,
  "client_key.import": CLIENT_KEY,
  "client_key.update": CLIENT_KEY,
  "client_key.enable": CLIENT_KEY,
  "client_key.disable": CLIENT_KEY,
  "client_key.revoke": CLIENT_KEY,
  "client_key.rotate": CLIENT_KEY,
  "client_key.delete": CLIENT_KEY,
  "client_key.reveal": [],
  "client_key.get_byor": CLIENT_KEY,
  "client_key.refresh_byor": CLIENT_KEY,
  "rewrite.set": ["REWRITES"],
  "rewrite.delete": ["REWRITES"],
  "system.update_settings": ["SETTINGS"],
  "pool.set_allocation": ["ALLOCATION"],
};

/** Everything that can be changed, with a history of it for watchers. */
async function watched() {
  const world = await prepare(await startWorld());
  const history = new ChangeHistory({ feed: world.feed, lastSeq: world.feed.lastSeq });
  history.start();
  const names = new Names();
  const resourceOf = changeResources({
    ...world,
    names: {
      usernameOf: (id) => names.usernameOf(id),
      providerSlugOf: (id) => names.providerSlugOf(id),
      providerKeyNameOf: (id) => names.providerKeyNameOf(id),
      clientKeyNameOf: () => "",
    },
    facts: { eligibilityOf: () => "ELIGIBLE", figuresOf: () => ({}) },
    budgets: { budgetUse: () => [] },
    noticeDays: () => world.settings.values,
    allocation: () => DEFAULT_ALLOCATION,
    rewritesOf: () => ({ aliases: [], fallbacks: [] }),
  });
  const deps = { ...world, history, reader: world.store.read, nodeId: "node-1", resourceOf };
  /** Watches from a number on, or from now on. */
  const watch = (actor: Actor, afterSeq = 0) => {
    const left = new AbortController();
    const request = create(WatchChangesRequestSchema, { afterSeq: BigInt(afterSeq) });
    const messages = watchChanges(deps, actor, request, left.signal);
    const rest = async () => {
      left.abort();
      const seen = [];
      for await (const each of messages) seen.push(each);
      return seen;
    };
    return { messages, rest };
  };
  return { ...world, history, watch };
}

type Watched = Awaited<ReturnType<typeof watched>>;
type Seen = Awaited<ReturnType<ReturnType<Watched["watch"]>["rest"]>>;

const KIND_NAMES = new Map<number, string>(
  Object.entries(ResourceKind).map(([name, kind]) => [kind, name]),
);

/** The kinds of all that a watcher was told of. */
function kindsOf(seen: Seen): ReadonlySet<string | undefined> {
  const changes = seen.flatMap((message) => message.changes ?? []);
  return new Set(changes.map(({ kind = ResourceKind.UNSPECIFIED }) => KIND_NAMES.get(kind)));
}

test("every verb that changes something says below what a watcher is told of it", () => {
  assert.deepEqual(Object.keys(TOLD).toSorted(), Object.keys(MUTATIONS).toSorted());
  const kinds = new Set<string>(["UNSPECIFIED", ...Object.values(TOLD).flat()]);
  assert.deepEqual(kinds, new Set(Object.keys(ResourceKind)), "every kind of the API");
});

for (const [verb, mutate] of Object.entries(MUTATIONS)) {
  const kinds = TOLD[verb] ?? [];
  test(`${verb} tells an admin's watcher of ${kinds.join(" and ") || "nothing"}`, async () => {
    const world = await watched();
    const { messages, rest } = world.watch(world.root);
    assert.equal((await messages.next()).value?.stream?.kind, StreamInfo_Kind.JOINED);
    await mutate(world);
    assert.deepEqual(kindsOf(await rest()), new Set(kinds));
  });
}

test("who comes back is told what was changed meanwhile, and to list again where a deletion cannot be told", async () => {
  const world = await watched();
  const { alice, root, ids, clientKeys, models, history, watch } = world;
  const begin = history.lastSeq;
  await clientKeys.disable(alice, ids.clientKey);
  const streamKinds = async (actor: Actor, afterSeq: number) =>
    (await watch(actor, afterSeq).rest()).map(({ stream }) => stream?.kind);
  const { JOINED, DATA, RESYNC } = StreamInfo_Kind;
  for (const actor of [alice, root]) {
    assert.deepEqual(await streamKinds(actor, begin), [JOINED, DATA]);
  }

  const before = history.lastSeq;
  await clientKeys.delete(alice, ids.clientKey);
  // Whose the key was cannot be read any more; an admin sees everybody's.
  assert.deepEqual(await streamKinds(alice, before), [JOINED, RESYNC]);
  const [, told] = await watch(root, before).rest();
  assert.deepEqual(
    told?.changes?.map(({ id, operation }) => [id, operation]),
    [[ids.clientKey, Change_Operation.DELETED]],
  );

  const [model] = await models.upsert(root, ids.empty, [{ modelId: "m" }]);
  const made = history.lastSeq;
  await models.delete(root, ids.empty, [model?.modelId ?? ""]);
  // A model is known by its provider and its name there, which went with it.
  for (const actor of [alice, root]) {
    assert.deepEqual(await streamKinds(actor, made), [JOINED, RESYNC]);
    assert.deepEqual(await streamKinds(actor, history.lastSeq), [JOINED]);
  }
});
