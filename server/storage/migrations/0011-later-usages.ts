import type { Migration } from "../migrate.js";

/** Responses of which nobody has told yet what all of them used, from one process to the next. */
export const laterUsages: Migration = {
  version: 11,
  name: "later-usages",
  statements: ({ text, rowNumber, tableEnd }) => [
    `CREATE TABLE later_usages (
      number ${rowNumber},
      usage ${text} NOT NULL
    )${tableEnd}`,
  ],
};
