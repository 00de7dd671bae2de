import assert from "node:assert/strict";
import test from "node:test";
import { World } from "../../test/support/pool-world.js";
import { aProviderKey } from "../../test/support/records.js";

const KEYS = 1_000;

/** Bytes outside of V8's heap, where what is counted of a key's calls is held. */
function held(): number {
  return process.memoryUsage().arrayBuffers;
}

test("a key that was not used has no memory for what calls show of it", () => {
  const keys = Array.from({ length: KEYS }, (_, i) =>
    aProviderKey(`pk_${i}`, { fingerprint: `fingerprint-${i}`, visibility: "PUBLIC" }),
  );
  const before = held();
  const world = new World(keys);
  const loaded = held();
  assert.ok(loaded - before < KEYS, `${loaded - before} bytes for ${KEYS} keys`);
  world.call();
  // That of one key, and of no more.
  const used = held() - loaded;
  assert.ok(used > 0 && used < KEYS, `${used} bytes for one key`);
});
