import assert from "node:assert/strict";
import { test } from "node:test";
import {
  maySoonServe,
  type Standing,
  STANDINGS,
  standingOf,
  type StandingFacts,
} from "./eligibility.js";

const SOUND: StandingFacts = {
  enabled: true,
  ownerBanned: false,
  providerEnabled: true,
  expired: false,
  unreadable: false,
  health: "HEALTHY",
  blocked: false,
  quotaSpent: false,
  probing: false,
};

test("each reason alone keeps a key from serving, and of several the first is told", () => {
  const reasons: readonly (readonly [Partial<StandingFacts>, Standing])[] = [
    [{ enabled: false }, "DISABLED"],
    [{ ownerBanned: true }, "OWNER_BANNED"],
    [{ providerEnabled: false }, "PROVIDER_DISABLED"],
    [{ expired: true }, "EXPIRED"],
    [{ unreadable: true }, "UNREADABLE"],
    [{ health: "INVALID" }, "INVALID"],
    [{ quotaSpent: true }, "EXHAUSTED"],
    [{ blocked: true }, "COOLDOWN"],
    [{ probing: true }, "PROBING"],
  ];
  let all = SOUND;
  for (const [reason, standing] of reasons.toReversed()) {
    assert.equal(standingOf({ ...SOUND, ...reason }), standing);
    all = { ...all, ...reason };
    assert.equal(standingOf(all), standing);
  }
  assert.equal(standingOf(SOUND), "ELIGIBLE");
  for (const health of ["COOLDOWN", "EXHAUSTED"] as const) {
    assert.equal(standingOf({ ...SOUND, health, blocked: true }), health);
  }
  for (const health of ["UNKNOWN", "HEALTHY", "DEGRADED", "COOLDOWN", "EXHAUSTED"] as const) {
    assert.equal(standingOf({ ...SOUND, health }), "ELIGIBLE", `${health} whose end has passed`);
  }
});

test("what passes by itself is worth waiting for, and nothing else", () => {
  assert.deepEqual(STANDINGS.filter(maySoonServe), [
    "ELIGIBLE",
    "EXHAUSTED",
    "COOLDOWN",
    "PROBING",
  ]);
});
