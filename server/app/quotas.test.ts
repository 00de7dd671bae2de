import assert from "node:assert/strict";
import test from "node:test";
import { DAY_MS } from "../core/durations.js";
import { World } from "../../test/support/pool-world.js";
import { settle } from "../../test/support/fake-clock.js";
import { aProviderKey, silentLogger } from "../../test/support/records.js";
import type { SpentQuery, SpentRow } from "../storage/spent.js";
import { startQuotas } from "./quotas.js";

const QUOTA = { period: "MONTH", requests: 5, tokens: null, costMicros: null } as const;

test("in a period that the clock is set into what a key used before counts, and what it uses from then on", async () => {
  const world = new World([aProviderKey("pk_1", { quota: QUOTA })]);
  const asked: string[] = [];
  const used = new Map([
    [Date.UTC(2030, 0), 1],
    [Date.UTC(2030, 4), 3],
  ]);
  const spent = ({ fromMs }: SpentQuery): Promise<readonly SpentRow[]> => {
    asked.push(new Date(fromMs).toISOString().slice(0, 10));
    const calls = used.get(fromMs) ?? 0;
    return Promise.resolve([{ id: "pk_1", calls, tokens: 0, costMicros: 0 }]);
  };
  const caughtUp = () => Promise.resolve();
  const { clock } = world;
  await startQuotas(world.pool, {
    ledger: { spent },
    accounting: { caughtUp },
    clock,
    logger: silentLogger,
  });
  assert.deepEqual(asked, ["2030-01-01", "2029-12-31", "2030-01-01"]);
  for (let i = 0; i < 4; i++) world.call();
  world.fails("no_public_token");

  clock.jumpWall(121 * DAY_MS);
  clock.advance(3_600_000);
  world.call();
  await settle();
  assert.deepEqual(asked.slice(3).toSorted(), ["2030-04-29", "2030-05-01", "2030-05-02"]);
  world.call();
  world.fails("no_public_token");

  clock.jumpWall(-121 * DAY_MS);
  clock.advance(3_600_000);
  world.fails("no_public_token");
  await settle();
  assert.equal(asked.length, 6, "what is known is not asked for again");
  clock.jumpWall(31 * DAY_MS);
  clock.advance(3_600_000);
  world.call();
});
