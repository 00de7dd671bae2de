import { DAY_MS, HOUR_MS } from "./durations.js";

/** No provider's wish to wait is followed for longer, unless a quota is used up. */
export const RETRY_AFTER_MAX_MS = HOUR_MS;
/** A provider that says a quota is empty may name its monthly reset; longer is not believed. */
export const QUOTA_RESET_MAX_MS = 31 * DAY_MS;
