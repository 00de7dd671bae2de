import type { Migration } from "../migrate.js";

/** Whose account holds what callers name by a provider's id. */
export const homes: Migration = {
  version: 8,
  name: "homes",
  statements: ({ text, rowNumber, tableEnd }) => [
    `CREATE TABLE homes (
      number ${rowNumber},
      scope ${text} NOT NULL,
      thing_id ${text} NOT NULL,
      provider_key_id ${text} NOT NULL REFERENCES provider_keys (id) ON DELETE CASCADE,
      UNIQUE (scope, thing_id)
    )${tableEnd}`,
    "CREATE INDEX homes_provider_key ON homes (provider_key_id)",
  ],
};
