import assert from "node:assert/strict";
import test from "node:test";
import {
  OverviewSchema,
  WatchOverviewRequest_Section as Section,
  WatchOverviewRequest_SectionSchema as SectionSchema,
} from "../../../proto/gen/latchkey/v1/usage_pb.js";
import { onlySections } from "./overview-sections.js";

const WHOLE = Object.fromEntries(OverviewSchema.fields.map(({ localName }) => [localName, 1]));

test("a watcher gets the sections that it asks for, all without asking, and what stands in none always", () => {
  assert.equal(onlySections(WHOLE, []), WHOLE);
  assert.deepEqual(Object.keys(onlySections(WHOLE, [Section.SPEND, Section.POOL])).toSorted(), [
    "intervalMs",
    "nextCooldown",
    "own",
    "pool",
    "spend",
    "vaultLocked",
    "windowSeconds",
  ]);
});

test("all sections together are the whole overview", () => {
  const all = SectionSchema.values
    .map(({ number }) => number as Section)
    .filter((each) => each !== Section.UNSPECIFIED);
  assert.deepEqual(onlySections(WHOLE, all), WHOLE);
});
