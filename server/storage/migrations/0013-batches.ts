import type { Migration } from "../migrate.js";

/** Batches that were made, until what they used is on record, and for a while after. */
export const batches: Migration = {
  version: 13,
  name: "batches",
  statements: ({ text, integer, rowNumber, tableEnd }) => [
    `CREATE TABLE batches (
      number ${rowNumber},
      scope ${text} NOT NULL,
      batch_id ${text} NOT NULL,
      owner_id ${text} NOT NULL,
      provider_key_id ${text} NOT NULL,
      made_at ${integer} NOT NULL,
      look_at ${integer},
      misses ${integer} NOT NULL DEFAULT 0,
      facts ${text} NOT NULL,
      records ${text},
      UNIQUE (scope, batch_id)
    )${tableEnd}`,
    "CREATE INDEX batches_look_at ON batches (look_at)",
  ],
};
