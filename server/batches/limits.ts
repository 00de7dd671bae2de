import { DAY_MS, MINUTE_MS } from "../core/durations.js";

// The figures of what the server does to learn what batches use, and responses that go on after their call.

/** Between two looks at a batch or a response, at least; it is an eighth of its age. */
export const LOOK_PAUSE_MIN_MS = MINUTE_MS;
/** Between two looks at a batch, at most. */
export const LOOK_PAUSE_MAX_MS = 30 * MINUTE_MS;
/** Between two looks at a response, at most: OpenAI may keep one of the background for ten minutes alone. */
export const RESPONSE_PAUSE_MAX_MS = 5 * MINUTE_MS;
/** Looks at batches and responses under way at a time, one for each user. */
export const LOOKS_MAX = 4;
/** For the head of each reply to a look. */
export const LOOK_HEAD_TIMEOUT_MS = 30_000;
/** For one look, the batch's results included. */
export const LOOK_TIMEOUT_MS = 30 * MINUTE_MS;
/** What is longer of one result, or of a batch without its results, is not read. */
export const RESULT_BYTES_MAX = 16 * 1024 * 1024;
/** Looks in a row that find a batch or its results gone or broken, after which what is known counts. */
export const MISSES_MAX = 5;
/** A batch that has not ended, or could not be looked at, this long after it was made counts as what was set aside for it. */
export const BATCH_AGE_MAX_MS = 10 * DAY_MS;
/** So does a response this long after its call. */
export const RESPONSE_AGE_MAX_MS = 3 * DAY_MS;
/** A batch that was asked for and is in no list this long after that was not made. */
export const SEEK_MAX_MS = 10 * MINUTE_MS;
/** A call that asks for a batch has ended by then; until then its reply is waited for. */
export const ASKED_MAX_MS = 60 * MINUTE_MS;
/** The provider's clock may be behind ours by so much. */
export const MADE_BEFORE_MAX_MS = 2 * MINUTE_MS;
/** A provider takes no longer to make a batch, by its clock. */
export const MADE_AFTER_MAX_MS = 15 * MINUTE_MS;
/** Pages of a list of batches that are looked through. */
export const PAGES_MAX = 20;
/** An uploaded file is read before its batch is asked for, to know what it may use: so much of it at most, */
export const FILE_BYTES_MAX = 256 * 1024 * 1024;
/** and for so long. */
export const FILE_TIMEOUT_MS = 2 * MINUTE_MS;
/** Provider keys of which it is asked where it is not known which of them holds it. */
export const FILE_KEYS_MAX = 4;
/** Models that are told apart in one batch; those beyond count together and are unpriced. */
export const BATCH_MODELS_MAX = 32;
/** How long the request to delete a batch waits for what that used to be known. */
export const REMOVAL_WAIT_MAX_MS = 30_000;
