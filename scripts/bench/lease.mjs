#!/usr/bin/env node
// CPU time of the three decisions of each call (resolve, admit, lease and release) for pools of different sizes.
//   node scripts/bench/lease.mjs [--built dist]
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));
const at = process.argv.indexOf("--built");
const built = path.resolve(root, at < 0 ? "dist" : process.argv[at + 1]);
const load = (file) => import(pathToFileURL(path.join(built, file)).href);

const { Catalog } = await load("server/catalog/catalog.js");
const { presetModels } = await load("server/catalog/preset-models.js");
const { presetProviders } = await load("server/catalog/presets.js");
const { Limiter } = await load("server/limits/limiter.js");
const { Pool } = await load("server/pool/pool.js");
const { DEFAULT_ALLOCATION, STRATEGIES } = await load("server/pool/strategy.js");
const { systemClock } = await load("server/core/clock.js");
const { systemRandom } = await load("server/core/random.js");
const { UNLIMITED } = await load("server/core/limits.js");
const { NEW_KEY_HEALTH } = await load("server/core/provider-key.js");

const WARM_UP = 50_000;
const ROUNDS = 300_000;
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const RESULT = {
  outcome: "OK",
  httpStatus: 200,
  latencyMs: 500,
  tokens: 100,
  costMicros: 10,
  retryAfterMs: null,
  detail: "",
};
const NONE = new Set();

/** Microseconds of CPU for each call of `work`. */
function cost(work) {
  for (let i = 0; i < WARM_UP; i++) work(i);
  const before = process.cpuUsage();
  for (let i = 0; i < ROUNDS; i++) work(i);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / ROUNDS;
}

function keys(count) {
  return Array.from({ length: count }, (_, i) => ({
    id: `pk_${String(i).padStart(6, "0")}`,
    ownerId: `usr_${i % 100}`,
    providerId: "prv_openai",
    service: null,
    modelAllowlist: [],
    name: `key ${i}`,
    description: "",
    tier: "PRIMARY",
    weight: 1 + (i % 5),
    visibility: "PUBLIC",
    anonymous: false,
    enabled: true,
    sealed: { vaultKeyVersion: 1, ciphertext: new Uint8Array(), rowMac: new Uint8Array() },
    fingerprint: String(i),
    preview: "",
    quota: null,
    quotaGroup: null,
    expiresAt: null,
    health: NEW_KEY_HEALTH,
    createdAt: 0,
    updatedAt: 0,
    version: 1,
  }));
}

function principal(id, limits) {
  return {
    ownerId: "usr_1",
    clientKey: { id, ownerId: "usr_1", kind: "SUPER", modelAllowlist: [], limits },
  };
}

const catalog = new Catalog({ clock: systemClock, logger: silent });
catalog.load({
  providers: presetProviders(0),
  models: presetModels(),
  users: [],
  settings: new Map(),
});
const caller = principal("ck_1", UNLIMITED);
const route = catalog.resolve("gpt-4o", caller);
const rows = [];
rows.push(["resolve, known name", "", cost(() => catalog.resolve("gpt-4o", caller))]);

const limiter = new Limiter({ clock: systemClock });
const estimate = { inputTokens: 10, maxOutputTokens: 10, costMicros: 1 };
const limited = {
  requestsPerMinute: 1e9,
  tokensPerMinute: 1e12,
  concurrency: 1e6,
  budgets: [{ period: "DAY", costMicros: 1e15, tokens: null, requests: null }],
};
for (const [name, limits] of [
  ["no limits", UNLIMITED],
  ["all limits", limited],
]) {
  const callers = Array.from({ length: 1000 }, (_, i) => principal(`ck_${name}_${i}`, limits));
  const used = { tokens: 15, costMicros: 1 };
  rows.push([
    "admit and settle",
    name,
    cost((i) => limiter.admit(callers[i % 1000], estimate).settle(used)),
  ]);
}

for (const strategy of STRATEGIES) {
  for (const count of [10, 10_000]) {
    const pool = new Pool({
      clock: systemClock,
      random: systemRandom,
      logger: silent,
      inService: () => true,
      onHealthChange() {},
    });
    pool.load({ keys: keys(count), users: [], providers: [] }, new Map());
    pool.setAllocation({ ...DEFAULT_ALLOCATION, strategy });
    const request = { principal: caller, route, tried: NONE, affinity: "", home: "" };
    const lease = () => pool.lease(request).release(RESULT);
    rows.push(["lease and release", `${strategy.toLowerCase()}, ${count} keys`, cost(lease)]);
  }
}
for (const [what, how, micros] of rows) {
  console.log(`${what.padEnd(22)}${how.padEnd(30)}${micros.toFixed(2).padStart(7)} µs`);
}
