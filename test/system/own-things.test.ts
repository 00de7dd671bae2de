import assert from "node:assert/strict";
import { test } from "node:test";
import { ProviderKey_Visibility } from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import type { Overview } from "../../proto/gen/latchkey/v1/usage_pb.js";
import type { Api } from "../../tui/api/services.js";
import { CHAT_REPLY, replyJson } from "../support/upstream-stub.js";
import {
  addClientKey,
  addProvider,
  chat,
  dataFolder,
  serve,
  signedIn,
  upstream,
} from "./fixture.js";

test("a user's overview, pool and explanations tell of own calls and keys alone, an admin's of all", async (t) => {
  const stub = await upstream(t);
  stub.script = replyJson(200, CHAT_REPLY);
  const server = await serve(t, dataFolder(t));
  const { api, proxyUrl } = server;
  const { providerId, providerKeyId } = await addProvider(api, stub);
  await api.providerKeys.setProviderKeyVisibility({
    id: providerKeyId,
    visibility: ProviderKey_Visibility.PUBLIC,
    anonymous: true,
  });
  const mia = await signedIn(t, api, "mia");
  const ownerId = (await mia.sessions.whoAmI({})).user?.id ?? "";
  const admins = await addClientKey(api);
  const pooled = await api.clientKeys.createSuperClientKey({ ownerId, name: "pooled" });

  const first = await overviewOf(mia);
  assert.equal(first.own, true);
  assert.equal((await chat(proxyUrl, admins)).status, 200);
  assert.equal((await chat(proxyUrl, pooled.secret)).status, 200);
  const mine = await overviewOf(mia);
  assert.equal(mine.gauges?.calls, 1n);
  assert.deepEqual(
    mine.topUsers?.rows.map(({ label }) => label),
    ["mia"],
  );
  assert.deepEqual(
    mine.topClientKeys?.rows.map(({ label }) => label),
    ["pooled"],
  );
  assert.equal(mine.pool?.publicPool?.total, 0);
  const all = await overviewOf(api);
  assert.deepEqual([all.own, all.gauges?.calls, all.pool?.publicPool?.total], [false, 2n, 1]);

  const sum = (counts: readonly { readonly total: number }[]) =>
    counts.reduce((total, each) => total + each.total, 0);
  const totals = async (who: Api) => {
    const { health } = await who.pool.getPool({});
    return sum((health?.tiers ?? []).flatMap(({ counts }) => counts ?? []));
  };
  assert.deepEqual([await totals(mia), await totals(api)], [0, 1]);
  const keys = await api.providerKeys.listProviderKeys({});
  await api.providerKeys.disableProviderKey({ id: keys.providerKeys[0]?.id ?? "" });
  const { health, providers } = await api.pool.getPool({});
  for (const counts of [health?.publicPool, providers[0]?.counts]) {
    assert.deepEqual([counts?.total, counts?.eligible, counts?.disabled], [1, 0, 1]);
  }
  await api.providerKeys.enableProviderKey({ id: keys.providerKeys[0]?.id ?? "" });

  const explain = (who: Api) =>
    who.pool.explainAllocation({
      model: "stub-chat",
      clientKeyId: pooled.clientKey?.id ?? "",
    });
  const [told, known] = [await explain(mia), await explain(api)];
  assert.equal(known.candidates[0]?.providerKeyId, providerKeyId);
  assert.equal(known.chosenProviderKeyId, providerKeyId);
  assert.equal(told.candidates.length, 1);
  assert.equal(told.chosenProviderKeyId, "");
  const { providerKeyId: id, name, ownerUsername, rank } = told.candidates[0]!;
  assert.deepEqual([id, name, ownerUsername, rank], ["", "", "", 1]);
  assert.equal(told.routes[0]?.providerId, providerId);
});

/** The first overview that a new watcher gets. */
async function overviewOf(api: Api): Promise<Overview> {
  const watching = api.usage.watchOverview({})[Symbol.asyncIterator]();
  const { value } = await watching.next();
  await watching.return?.();
  if (value?.overview === undefined) throw new Error("no overview came");
  return value.overview;
}
