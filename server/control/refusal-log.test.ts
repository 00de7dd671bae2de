import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.js";
import type { Logger } from "../core/logger.js";
import { RefusalLog } from "./refusal-log.js";

test("a flood of refusals is told by its number", () => {
  const clock = new FakeClock();
  const lines: object[] = [];
  const note = (fields: object): void => void lines.push(fields);
  const logger: Logger = { debug: note, info: note, warn: note, error: note };
  const log = new RefusalLog(clock, logger);
  const actor = { userId: null, name: "", role: "USER", via: "ANONYMOUS", ip: "1.1.1.1" } as const;
  const fields = { ip: "1.1.1.1", rpc: "a/B", reason: "no credential" };
  for (let i = 0; i < 1_000; i++) log.denied(actor, "a/B", "no credential");
  assert.equal(lines.length, 20);
  clock.advance(1_000);
  log.denied(actor, "a/B", "no credential");
  assert.deepEqual(lines.at(-1), { ...fields, untold: 980 });
  clock.advance(1_000);
  log.denied(actor, "a/B", "no credential");
  assert.deepEqual(lines.at(-1), fields);
});
