import type { Migration } from "../migrate.js";

/** What deleted client keys have spent, for the budgets of their owners and of the server. */
export const deletedSpend: Migration = {
  version: 9,
  name: "deleted-spend",
  statements: ({ integer, text, clusteredTableEnd }) => [
    `CREATE TABLE deleted_spend (
      owner_id ${text} NOT NULL,
      day_ms ${integer} NOT NULL,
      tokens ${integer} NOT NULL,
      cost_micros ${integer} NOT NULL,
      PRIMARY KEY (owner_id, day_ms)
    )${clusteredTableEnd}`,
  ],
};
