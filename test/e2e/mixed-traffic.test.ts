import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { startServerProcess } from "../../scripts/lib/server-process.js";
import { loggedSums, wantedSums } from "../support/mixed-audit.js";
import { startMixedProvider } from "../support/mixed-provider.js";
import { prepareMixed, sendMixed } from "../support/mixed-traffic.js";

/** More for a thorough run; `npm run bench -- traffic` makes a hundred thousand. */
const CALLS = Number(process.env["LATCHKEY_CALLS"] ?? 1_200);
const CALLERS = 16;

test(`${CALLS} mixed calls in all dialects: the ledger equals the provider's own count to the token`, async (t) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "latchkey-mixed-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const provider = await startMixedProvider();
  t.after(() => provider.close());
  let server = await startServerProcess({ dataFolder: folder, args: ["--log-level", "error"] });
  const clientKey = await prepareMixed(server.api, provider.origin);
  const seen = await sendMixed({ server, clientKey, first: 0, count: CALLS, callers: CALLERS });
  assert.deepEqual(seen.wrong, []);
  // A start waits until the database has all that the run before left in the journal.
  await server.stop();
  server = await startServerProcess({ dataFolder: folder, args: ["--log-level", "error"] });
  t.after(() => server.stop());
  const { rows, rollup } = await loggedSums(server.api);
  assert.deepEqual(rows, wantedSums(provider.bill, [seen]));
  assert.deepEqual(rollup.found, rollup.wanted);
});
