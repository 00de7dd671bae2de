import assert from "node:assert/strict";
import test from "node:test";
import { REWRITES_MAX } from "../catalog/rewrites.js";
import { Fault } from "../core/fault.js";
import { ModelRewrites, type RewriteKind } from "./rewrites.js";
import { lastEvent, refused, startWorld } from "./testing/world.js";

const SERVED = new Set(["gpt-5", "gpt-5-mini", "claude-opus-5"]);

/** A world whose catalogue serves a few models, and the aliases that are set. */
async function rewriteWorld() {
  const world = await startWorld();
  const aliases = new Set<string>();
  const rewrites = new ModelRewrites({
    operations: world.operations,
    lookUp: (name) => ({
      served: SERVED.has(name.toLowerCase()) || aliases.has(name),
      nearest: name === "gpt5" ? ["gpt-5"] : [],
    }),
  });
  const set = async (kind: RewriteKind, name: string, ...targets: readonly string[]) => {
    await rewrites.set(world.root, { kind, name, targets });
    if (kind === "ALIAS") aliases.add(name);
  };
  const faultOf = async (kind: RewriteKind, name: string, ...targets: readonly string[]) => {
    const before = await rewrites.list(world.root);
    const fault = await set(kind, name, ...targets).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert(fault instanceof Fault, `${name} → ${targets.join()} was taken`);
    assert.equal(fault.code, "invalid_argument");
    assert.deepEqual(await rewrites.list(world.root), before);
    return fault.publicMessage;
  };
  return { ...world, rewrites, set, faultOf };
}

test("an alias is set, replaced in any case, listed by kind and removed; each once, and audited", async () => {
  const world = await rewriteWorld();
  const { rewrites, root, set, changes } = world;
  await set("FALLBACK", "gpt-*", "claude-opus-5");
  await set("ALIAS", "smart", "claude-opus-5", "gpt-5");
  await set("ALIAS", "fast", "gpt-5-mini");
  await set("ALIAS", "Smart", "gpt-5", "GPT-5");
  assert.deepEqual(await rewrites.list(root), [
    { kind: "ALIAS", name: "Smart", targets: ["gpt-5"] },
    { kind: "ALIAS", name: "fast", targets: ["gpt-5-mini"] },
    { kind: "FALLBACK", name: "gpt-*", targets: ["claude-opus-5"] },
  ]);
  assert.equal((await rewrites.list(root, "FALLBACK")).length, 1);
  const event = lastEvent(world);
  assert.deepEqual(
    [event.action, event.targetName, event.changedFields, event.note],
    ["rewrite.set", "Smart", ["targets"], "stands for gpt-5"],
  );

  const announced = changes.length;
  await set("ALIAS", "fast", "gpt-5-mini");
  assert.equal(changes.length, announced, "the same again changes nothing");
  assert.equal(await rewrites.delete(root, "ALIAS", "FAST"), true);
  assert.equal(changes.at(-1)?.id, "catalog.aliases");
  assert.equal(await rewrites.delete(root, "ALIAS", "fast"), false);
  assert.equal(changes.length, announced + 1);
  assert.deepEqual(
    (await rewrites.list(root, "ALIAS")).map(({ name }) => name),
    ["Smart"],
  );
});

test("aliases that lead in a circle or too far are refused with the way", async () => {
  const { set, faultOf } = await rewriteWorld();
  await set("ALIAS", "a", "gpt-5");
  await set("ALIAS", "b", "a");
  assert.match(await faultOf("ALIAS", "a", "gpt-5", "b"), /"b" → "a" → "b"/);
  assert.match(await faultOf("ALIAS", "a", "A"), /is "a" itself/);
  assert.match(await faultOf("FALLBACK", "gpt-5", "gpt-5"), /itself/);
  for (const [name, target] of ["cb", "dc", "ed"]) await set("ALIAS", name!, target!);
  assert.match(await faultOf("ALIAS", "f", "e"), /5 deep/);
  assert.match(await faultOf("ALIAS", "a", "b"), /"b" → "a" → "b"/);
});

test("what nothing serves is refused by name with what looks like it, unless it stood there before", async () => {
  const { rewrites, root, set, faultOf } = await rewriteWorld();
  const message = await faultOf("ALIAS", "smart", "gpt-5", "gpt5");
  assert.match(message, /targets\[1\].*no provider serves "gpt5".*Did you mean "gpt-5"\?/);
  await set("FALLBACK", "unheard-of", "gpt-5", "gpt-5-mini");
  SERVED.delete("gpt-5-mini");
  try {
    await set("FALLBACK", "unheard-of", "gpt-5-mini", "gpt-5");
    const [chain] = await rewrites.list(root);
    assert(chain !== undefined);
    assert.deepEqual(rewrites.unserved(chain), ["unheard-of", "gpt-5-mini"]);
    assert.deepEqual(rewrites.unserved({ ...chain, name: "unheard-*" }), ["gpt-5-mini"]);
    assert.deepEqual(rewrites.unserved({ ...chain, kind: "ALIAS" }), ["gpt-5-mini"]);
  } finally {
    SERVED.add("gpt-5-mini");
  }
});

test("names and targets keep to their limits", async () => {
  const { set, faultOf, store } = await rewriteWorld();
  assert.match(await faultOf("ALIAS", "gpt-*", "gpt-5"), /must not hold \*/);
  assert.match(await faultOf("ALIAS", " ", "gpt-5"), /name is required/);
  assert.match(await faultOf("ALIAS", "x".repeat(201), "gpt-5"), /200/);
  assert.match(await faultOf("ALIAS", "x"), /1 to 10/);
  assert.match(await faultOf("ALIAS", "x", ...Array<string>(11).fill("gpt-5")), /1 to 10/);
  assert.match(await faultOf("FALLBACK", "x", "gpt-5*"), /without \*/);
  const full = Object.fromEntries(
    Array.from({ length: REWRITES_MAX }, (_, i) => [`n-${i}`, ["gpt-5"]]),
  );
  store.tables.settings.set("catalog.fallbacks", JSON.stringify(full));
  assert.match(await faultOf("FALLBACK", "one-more", "gpt-5"), /500 is the most/);
  await set("FALLBACK", "n-1", "gpt-5-mini");
});

test("everybody reads them, an admin alone changes them", async () => {
  const { rewrites, alice, operator, set } = await rewriteWorld();
  await set("ALIAS", "fast", "gpt-5-mini");
  for (const actor of [alice, operator]) {
    assert.equal((await rewrites.list(actor)).length, 1);
    const fast = { kind: "ALIAS", name: "fast", targets: ["gpt-5"] } as const;
    await refused("permission_denied", () => rewrites.set(actor, fast));
    await refused("permission_denied", () => rewrites.delete(actor, "ALIAS", "fast"));
  }
});
