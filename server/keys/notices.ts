import { clientKeyState, type ClientKey } from "../core/client-key.js";
import { DAY_MS } from "../core/durations.js";
import type { ProviderKey } from "../core/provider-key.js";

/** Something an owner should look at; it never stops a key from working. */
export type KeyNotice = "ROTATION_DUE" | "EXPIRES_SOON" | "UNUSED" | "NEW_ADDRESS";

export const UNUSED_DAYS = 90;

/** The settings on which notices depend, in days. */
export interface NoticeDays {
  readonly rotationDueDays: number;
  readonly expiryNoticeDays: number;
}

/** What the owner of a client key should look at, as of `nowMs`; keys that do not work have nothing due. */
export function clientKeyNotices(
  key: ClientKey,
  days: NoticeDays,
  nowMs: number,
): readonly KeyNotice[] {
  if (clientKeyState(key, nowMs) !== "ACTIVE") return [];
  return [
    ...since(key.rotatedAt ?? key.createdAt, days.rotationDueDays, nowMs, "ROTATION_DUE"),
    ...before(key.expiresAt, days.expiryNoticeDays, nowMs),
    ...since(key.lastUsedAt ?? key.createdAt, UNUSED_DAYS, nowMs, "UNUSED"),
    ...(key.newAddressAt !== null && nowMs - key.newAddressAt < DAY_MS
      ? (["NEW_ADDRESS"] as const)
      : []),
  ];
}

/** What the owner of a provider key should look at. */
export function providerKeyNotices(
  key: ProviderKey,
  days: NoticeDays,
  nowMs: number,
): readonly KeyNotice[] {
  if (!key.enabled || (key.expiresAt !== null && key.expiresAt <= nowMs)) return [];
  return [
    ...since(key.secretAt, days.rotationDueDays, nowMs, "ROTATION_DUE"),
    ...before(key.expiresAt, days.expiryNoticeDays, nowMs),
    ...since(key.health.lastUsedAt ?? key.createdAt, UNUSED_DAYS, nowMs, "UNUSED"),
  ];
}

function since(
  thenMs: number,
  days: number,
  nowMs: number,
  notice: KeyNotice,
): readonly KeyNotice[] {
  return nowMs - thenMs >= days * DAY_MS ? [notice] : [];
}

function before(expiresAt: number | null, days: number, nowMs: number): readonly KeyNotice[] {
  return expiresAt !== null && expiresAt - nowMs <= days * DAY_MS ? ["EXPIRES_SOON"] : [];
}
