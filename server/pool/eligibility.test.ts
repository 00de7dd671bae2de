import assert from "node:assert/strict";
import { test } from "node:test";
import { aProviderKey } from "../../test/support/records.js";
import { NEW_KEY_HEALTH, type Health, type ProviderKey } from "../core/provider-key.js";
import {
  maySoonServe,
  type Standing,
  STANDINGS,
  standingOf,
  standingOfKey,
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

test("a stored key is kept out by times that lie ahead, and by none that have passed", () => {
  const around = { nowMs: 1000, ownerBanned: false, providerEnabled: true };
  const standing = (part: Partial<ProviderKey>, other: Partial<typeof around> = {}): Standing =>
    standingOfKey(aProviderKey("pk_1", part), { ...around, ...other });
  const blocked = (state: Health, cooldownUntil: number | null): Partial<ProviderKey> => ({
    health: { ...NEW_KEY_HEALTH, state, cooldownUntil },
  });
  assert.equal(standing({}), "ELIGIBLE");
  assert.equal(standing({ enabled: false }), "DISABLED");
  assert.equal(standing({}, { ownerBanned: true }), "OWNER_BANNED");
  assert.equal(standing({}, { providerEnabled: false }), "PROVIDER_DISABLED");
  assert.equal(standing({ expiresAt: 1001 }), "ELIGIBLE");
  assert.equal(standing({ expiresAt: 1000 }), "EXPIRED");
  assert.equal(standing(blocked("INVALID", null)), "INVALID");
  assert.equal(standing(blocked("COOLDOWN", 1001)), "COOLDOWN");
  assert.equal(standing(blocked("EXHAUSTED", 1001)), "EXHAUSTED");
  for (const state of ["COOLDOWN", "EXHAUSTED"] as const) {
    assert.equal(standing(blocked(state, 1000)), "ELIGIBLE");
    assert.equal(standing(blocked(state, null)), "ELIGIBLE");
  }
  assert.equal(standing(blocked("HEALTHY", 2000)), "ELIGIBLE");
});

test("what passes by itself is worth waiting for, and nothing else", () => {
  assert.deepEqual(STANDINGS.filter(maySoonServe), [
    "ELIGIBLE",
    "EXHAUSTED",
    "COOLDOWN",
    "PROBING",
  ]);
});
