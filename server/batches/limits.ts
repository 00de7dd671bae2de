/** The figures of what the server does to learn what batches use. */
export const BATCH_LIMITS = {
  /** Between two looks at a batch, at least; it is an eighth of the batch's age. */
  lookPauseMinMs: 60_000,
  /** Between two looks at a batch, at most. */
  lookPauseMaxMs: 30 * 60_000,
  /** Looks under way at a time, one for each user. */
  looksMax: 4,
  /** For the head of each reply to a look. */
  headTimeoutMs: 30_000,
  /** For one look, its results included. */
  lookTimeoutMs: 30 * 60_000,
  /** What is longer of a result, or of a batch without its results, is not read. */
  resultBytesMax: 16 * 1024 * 1024,
  /** Looks in a row that find a batch or its results gone or broken, after which what is known counts. */
  missesMax: 5,
  /** A batch that could not be looked at until then counts as what was set aside for it. */
  giveUpMs: 10 * 24 * 60 * 60_000,
  /** Models that are told apart in one batch; those beyond count together and are unpriced. */
  modelsMax: 32,
  /** How long the request to delete a batch waits for what that used to be known. */
  removalWaitMs: 30_000,
} as const;
