import type { Migration } from "../migrate.js";

/** The user from whose call a home is known: users share the room for homes. */
export const homeHolders: Migration = {
  version: 12,
  name: "home-holders",
  statements: ({ text }) => [
    // Empty in rows of before this step, but where the scope tells the user.
    `ALTER TABLE homes ADD COLUMN owner_id ${text} NOT NULL DEFAULT ''`,
    `ALTER TABLE homes ADD COLUMN client_key_id ${text} NOT NULL DEFAULT ''`,
    "UPDATE homes SET owner_id = scope WHERE scope <> '*'",
  ],
};
