import type { Migration } from "../migrate.js";

/** Models have fallbacks of their own. */
export const fallbacks: Migration = {
  version: 5,
  name: "fallbacks",
  statements: ({ text }) => [
    `ALTER TABLE models ADD COLUMN fallbacks ${text} NOT NULL DEFAULT '[]'`,
  ],
};
