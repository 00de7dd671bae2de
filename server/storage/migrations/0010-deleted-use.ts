import type { Migration } from "../migrate.js";

/** What deleted client keys have used of provider keys too, for the quotas of these. */
export const deletedUse: Migration = {
  version: 10,
  name: "deleted-use",
  statements: ({ integer, text, clusteredTableEnd }) => [
    // `provider_key_id` is empty where no key was tried, and in rows of before this step.
    `CREATE TABLE deleted_use (
      owner_id ${text} NOT NULL,
      provider_key_id ${text} NOT NULL,
      day_ms ${integer} NOT NULL,
      calls ${integer} NOT NULL,
      tokens ${integer} NOT NULL,
      cost_micros ${integer} NOT NULL,
      PRIMARY KEY (owner_id, provider_key_id, day_ms)
    )${clusteredTableEnd}`,
    `INSERT INTO deleted_use (owner_id, provider_key_id, day_ms, calls, tokens, cost_micros)
     SELECT owner_id, '', day_ms, 0, tokens, cost_micros FROM deleted_spend`,
    "DROP TABLE deleted_spend",
  ],
};
