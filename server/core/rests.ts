import { DAY_MS, HOUR_MS } from "./durations.js";

/** The longest that a key rests because its provider asked for it, unless its quota is used up. */
export const RETRY_AFTER_MAX_MS = HOUR_MS;
/** The longest that a key rests because its quota is used up: a provider may name its monthly reset. */
export const QUOTA_RESET_MAX_MS = 31 * DAY_MS;
