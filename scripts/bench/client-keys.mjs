#!/usr/bin/env node
// `npm run bench -- client-keys`: what a start and an authentication cost with few and with a million client keys.
//   node scripts/bench/client-keys.mjs [--keys 10,10000,1000000] [--json FILE]
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { textOption } from "./options.mjs";
import { cpuMicros, residentMiB } from "./process-figures.mjs";

const { startServerProcess } = await import("../../dist/scripts/lib/server-process.js");
const { connect } = await import("../../dist/server/storage/db.js");
const { DATA_FILE } = await import("../../dist/server/storage/data-folder.js");

/** Keys that are made through the control port and presented; the others are only there. */
const PRESENTED_MAX = 500;
const OWNERS = 1_000;
const COST_SCRIPT = fileURLToPath(new URL("client-key-cost.mjs", import.meta.url));
const sizes = textOption("keys", "10,10000,1000000").split(",").map(Number);

const results = [];
for (const keys of sizes) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "latchkey-client-keys-"));
  try {
    results.push(await measure(keys, path.join(folder, "data")));
    report(results.at(-1));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
const json = textOption("json", undefined);
if (json !== undefined) writeFileSync(json, JSON.stringify(results, null, 2));

async function measure(keys, dataFolder) {
  const secrets = await makePresented(dataFolder, Math.min(keys, PRESENTED_MAX));
  await addOthers(path.join(dataFolder, DATA_FILE), keys - secrets.length);
  // The second start is measured: the first one may still have statistics to gather.
  await (await startServer(dataFolder)).stop();
  const began = performance.now();
  const server = await startServer(dataFolder);
  const { pid } = server.process;
  const start = {
    seconds: (performance.now() - began) / 1000,
    cpuSeconds: cpuMicros(pid) / 1e6,
    rssMiB: residentMiB(pid),
  };
  await server.stop();
  const cost = spawnSync(process.execPath, ["--expose-gc", COST_SCRIPT, dataFolder], {
    input: JSON.stringify(secrets),
    encoding: "utf8",
    stdio: ["pipe", "pipe", "inherit"],
  });
  if (cost.status !== 0) throw new Error("authentication could not be measured");
  return { keys, start, ...JSON.parse(cost.stdout) };
}

function startServer(dataFolder) {
  return startServerProcess({ dataFolder, args: ["--log-level", "error"] });
}

/** Client keys whose secrets are known. */
async function makePresented(dataFolder, count) {
  const server = await startServer(dataFolder);
  const secrets = [];
  for (let i = 0; i < count; i++) {
    const { secret } = await server.api.clientKeys.createClientKey({ name: `presented ${i}` });
    secrets.push(secret);
  }
  await server.stop();
  return secrets;
}

/** Keys as a large installation has them: owners, some limits, allow-lists and expiries. */
async function addOthers(file, count) {
  const knex = connect({ file, readOnly: false });
  const series = (n) =>
    `WITH RECURSIVE series (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM series WHERE i < ${n})`;
  await knex.raw(`${series(OWNERS)}
    INSERT INTO users
      (id, username, role, trust_level, state, failed_logins, created_at, updated_at)
    SELECT printf('usr_01k9bench%017d', i), 'bench-' || i, 'USER', 0, 'ACTIVE', 0, 1, 1 FROM series`);
  if (count > 0) {
    await knex.raw(`${series(count)}
      INSERT INTO client_keys
        (id, owner_id, kind, format, mac, pepper_version, prefix, name, description, enabled, expires_at,
         model_allowlist, ip_allowlist, limits, created_at, updated_at, last_used_at, usage_count, version)
      SELECT printf('ck_01k9bench%017d', i), printf('usr_01k9bench%017d', i % ${OWNERS} + 1), 'STANDARD', 'SK',
        lower(hex(randomblob(32))), 1, printf('sk-lk_%04x', i % 65536), 'service ' || i,
        CASE WHEN i % 4 = 0 THEN 'made for the nightly import of team ' || i % 100 ELSE '' END, 1,
        CASE WHEN i % 10 = 0 THEN 4000000000000 + i END,
        CASE WHEN i % 20 = 0 THEN '["gpt-4o*","claude-*"]' END,
        CASE WHEN i % 50 = 0 THEN '["10.0.0.0/8"]' END,
        CASE WHEN i % 10 = 0 THEN
          '{"requestsPerMinute":600,"tokensPerMinute":null,"concurrency":null,"budgets":[]}' END,
        1700000000000 + i, 1700000000000 + i, CASE WHEN i % 3 = 0 THEN 1750000000000 + i END, i % 1000, 1
      FROM series`);
  }
  await knex.destroy();
}

function report({ keys, start, cachedMicros, firstMicros, unknownMicros, bytesPerKey }) {
  console.log(
    `${String(keys).padStart(9)} keys: start ${start.seconds.toFixed(1)} s (${start.cpuSeconds.toFixed(1)} s of CPU), RSS ${start.rssMiB.toFixed(0)} MiB, ` +
      `directory ${bytesPerKey.toFixed(0)} bytes a key; authentication ${cachedMicros.toFixed(2)} µs, at first sight ${firstMicros.toFixed(1)} µs, unknown key ${unknownMicros.toFixed(1)} µs`,
  );
}
