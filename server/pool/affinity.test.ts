import assert from "node:assert/strict";
import { test } from "node:test";
import { AFFINITIES_MAX, AFFINITY_TTL_MS, AffinityMap } from "./affinity.js";

const MIA = { ownerId: "usr_mia", clientKey: { id: "ck_mia" } };
const MAX = { ownerId: "usr_max", clientKey: { id: "ck_max" } };

function session(scope: string, name: string, caller = MIA): Parameters<AffinityMap["set"]>[0] {
  return { scope, name, caller };
}

test("a session keeps its key for so long after each use, and no longer", () => {
  const map = new AffinityMap();
  map.set(session("scope", "s"), "pk_1", 0);
  assert.equal(map.get("scope", "s", AFFINITY_TTL_MS - 1), "pk_1");
  map.set(session("scope", "s"), "pk_1", 1000);
  assert.equal(map.get("scope", "s", AFFINITY_TTL_MS + 999), "pk_1");
  assert.equal(map.get("scope", "s", AFFINITY_TTL_MS + 1000), undefined);
  assert.equal(map.size, 0);
});

test("a session that had to change its key stays with the new one", () => {
  const map = new AffinityMap();
  map.set(session("scope", "s"), "pk_1", 0);
  map.set(session("scope", "s"), "pk_2", 1);
  assert.equal(map.get("scope", "s", 2), "pk_2");
});

test("sessions of different scopes, and long names that differ at their ends, are different sessions", () => {
  const map = new AffinityMap();
  const long = "x".repeat(1000);
  const names = [
    ["a", "s"],
    ["b", "s"],
    ["a", `${long}1`],
    ["a", `${long}2`],
  ] as const;
  for (const [at, [scope, name]] of names.entries())
    map.set(session(scope, name), `pk_${String(at)}`, 0);
  for (const [at, [scope, name]] of names.entries()) {
    assert.equal(map.get(scope, name, 1), `pk_${String(at)}`);
  }
});

test("however many sessions there are, those used last are kept and no more than so many", () => {
  const map = new AffinityMap();
  map.set(session("scope", "used"), "pk_1", 0);
  map.set(session("scope", "left"), "pk_1", 0);
  for (let at = 0; at < AFFINITIES_MAX; at++) {
    map.set(session("scope", String(at)), "pk_2", 0);
    if (at === 0) map.set(session("scope", "used"), "pk_1", 0);
  }
  assert.equal(map.size, AFFINITIES_MAX);
  assert.equal(map.get("scope", "left", 1), undefined);
  assert.equal(map.get("scope", "used", 1), "pk_1");
});

test("sessions that one user makes up by the thousand push out none of another's", () => {
  const map = new AffinityMap();
  map.set(session("pool", "quiet"), "pk_1", 0);
  for (let at = 0; at < 2 * AFFINITIES_MAX; at++) {
    map.set(session("pool", String(at), MAX), "pk_2", 0);
  }
  assert.equal(map.size, AFFINITIES_MAX);
  assert.equal(map.get("pool", "quiet", 1), "pk_1");
});
