import assert from "node:assert/strict";
import test from "node:test";
import { keys, World } from "../../test/support/pool-world.js";
import { aProviderKey, aRoute } from "../../test/support/records.js";

const X = aRoute("x");
const Y = aRoute("y");

test("a session that asks for models of different keys in turns stays on one key for each", () => {
  const world = new World([
    ...["pk_x1", "pk_x2", "pk_x3"].map((id) => aProviderKey(id, { modelAllowlist: ["x"] })),
    ...["pk_y1", "pk_y2", "pk_y3"].map((id) => aProviderKey(id, { modelAllowlist: ["y"] })),
  ]);
  const used = new Set<string>();
  for (let i = 0; i < 20; i++) {
    for (const route of [X, Y]) {
      used.add(world.call("OK", { route, affinity: "s" }));
      world.call("OK", { route });
    }
  }
  assert.equal(used.size, 2);
});

test("a session that asks for several models that its key serves stays on that key", () => {
  const world = new World(keys(5));
  const used = new Set<string>();
  for (let i = 0; i < 20; i++) {
    used.add(world.call("OK", { route: i % 2 === 0 ? X : Y, affinity: "s" }));
    world.call();
  }
  assert.equal(used.size, 1);
});
