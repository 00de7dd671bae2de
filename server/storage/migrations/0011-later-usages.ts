import type { Migration } from "../migrate.js";

/** Responses whose use is not fully known yet, kept from one process to the next. Since then they are among the batches. */
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
