import { cleanExpiry } from "./validate.js";

/** A field after a patch: cleaned where the patch has it, else as it was. Throws what `clean` throws. */
export function patchedField<T, G = T>(given: G | undefined, before: T, clean: (given: G) => T): T {
  return given === undefined ? before : clean(given);
}

/** The same of an expiry. An unchanged moment stays, even when it has passed: a form sends it back with the rest. */
export function patchedExpiry(
  given: number | null | undefined,
  before: number | null,
  nowMs: number,
): number | null {
  return patchedField(given, before, (atMs) =>
    atMs === before ? atMs : cleanExpiry("expires_at", atMs, nowMs),
  );
}
