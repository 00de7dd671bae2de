import assert from "node:assert/strict";
import type { Principal } from "../../server/core/client-key.js";
import type { Fault, FaultCode } from "../../server/core/fault.js";
import { type Limits, UNLIMITED } from "../../server/core/limits.js";
import type { Dialect } from "../../server/core/provider.js";
import { Limiter, type LimiterOptions, type Ticket } from "../../server/limits/limiter.js";
import { FakeClock } from "./fake-clock.js";
import { aClientKey } from "./records.js";

/** When the clocks of these worlds begin. */
export const NOON = Date.UTC(2030, 4, 15, 12);

export const DAY_MS = 86_400_000;

/** A limiter with a clock of its own. */
export function world(options: Partial<LimiterOptions> = {}): {
  clock: FakeClock;
  limiter: Limiter;
} {
  const clock = new FakeClock(NOON);
  return { clock, limiter: new Limiter({ clock, ...options }) };
}

/** Who calls with a client key of these limits. */
export function who(limits: Partial<Limits>, id = "ck_1", ownerId = "usr_1"): Principal {
  return { ownerId, clientKey: aClientKey(id, { ownerId, limits: { ...UNLIMITED, ...limits } }) };
}

/** What a call may use at most. */
export const CALL = { inputTokens: 40, maxOutputTokens: 60, costMicros: 1_000 };

/** Header lines by name. */
export function pairs(headers: string): Map<string, string> {
  assert.match(headers, /^(?:[a-z-]+: \S+\r\n)*$/);
  return new Map(
    Array.from(headers.matchAll(/(.+): (.+)\r\n/g), ([, name = "", value = ""]) => [name, value]),
  );
}

/** A call, and how it was admitted or why not. */
export function admits(
  limiter: Limiter,
  principal: Principal,
  estimate = CALL,
): Ticket | FaultCode {
  try {
    return limiter.admit(principal, estimate, "OPENAI");
  } catch (thrown) {
    return (thrown as Fault).code;
  }
}

/** What a key has used of its one budget. */
export function used(
  limiter: Limiter,
  { clientKey }: Principal,
): { tokens: number; costMicros: number } {
  const { id, limits } = clientKey;
  const [use] = limiter.budgetUse({ kind: "client key", id }, limits.budgets);
  return { tokens: use?.tokens ?? NaN, costMicros: use?.costMicros ?? NaN };
}

/** How many of so many calls are let in. */
export function admitted(limiter: Limiter, principal: Principal, times: number): number {
  let count = 0;
  for (let i = 0; i < times; i++) if (typeof admits(limiter, principal) === "object") count++;
  return count;
}

/** The refusal of a call that is expected to be refused. */
export function refusal(
  limiter: Limiter,
  principal: Principal,
  estimate = CALL,
  dialect: Dialect = "OPENAI",
): Fault {
  try {
    limiter.admit(principal, estimate, dialect);
  } catch (thrown) {
    return thrown as Fault;
  }
  throw new Error("was admitted");
}

/** As much, used later. */
export const LATER = { ...CALL, isLater: true } as const;
