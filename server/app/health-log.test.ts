import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.js";
import { HEALTH_LINES_MAX, HEALTH_LOG_INTERVAL_MS, HealthLog } from "./health-log.js";

function logOf() {
  const clock = new FakeClock();
  const lines: Readonly<Record<string, unknown>>[] = [];
  const silent = () => undefined;
  const logger = {
    debug: silent,
    info: (fields: Readonly<Record<string, unknown>>) => lines.push(fields),
    warn: silent,
    error: silent,
  };
  return { clock, lines, log: new HealthLog(clock, logger) };
}

test("a change of a key's health is in the log at once, and those right after it in one line", () => {
  const { clock, lines, log } = logOf();
  log.changed("pk", "HEALTHY", "COOLDOWN");
  assert.deepEqual(lines, [{ providerKeyId: "pk", from: "HEALTHY", to: "COOLDOWN" }]);
  for (let n = 0; n < 500; n++) {
    log.changed("pk", "COOLDOWN", "DEGRADED");
    log.changed("pk", "DEGRADED", "COOLDOWN");
  }
  assert.equal(lines.length, 1);
  clock.advance(HEALTH_LOG_INTERVAL_MS);
  const more = { providerKeyId: "pk", from: "COOLDOWN", to: "COOLDOWN", more: 999 };
  assert.deepEqual(lines[1], more);
  clock.advance(HEALTH_LOG_INTERVAL_MS);
  log.changed("pk", "COOLDOWN", "HEALTHY");
  assert.deepEqual(lines.slice(2), [{ providerKeyId: "pk", from: "COOLDOWN", to: "HEALTHY" }]);
  log.stop();
  assert.equal(lines.length, 3);
});

test("however many keys flap, the log has a bounded number of lines, and no change is left out of the sums", () => {
  const { clock, lines, log } = logOf();
  let changes = 0;
  for (let second = 0; second < 60; second++) {
    for (let key = 0; key < 1000; key++) {
      log.changed(`pk_${String(key)}`, "HEALTHY", "COOLDOWN");
      changes++;
    }
    clock.advance(1000);
  }
  log.stop();
  const told = lines.map(({ more, changes: sum }) => Number(sum ?? Number(more ?? 0) + 1));
  assert.equal(
    told.reduce((all, each) => all + each, 0),
    changes,
  );
  assert.ok(lines.length <= 8 * (HEALTH_LINES_MAX + 1), `${String(lines.length)} lines`);
});
