import type { Migration } from "../migrate.js";

/** Where users sign in: each address that is known of a user is locked out by itself, and all others together. */
export const signInPlaces: Migration = {
  version: 14,
  name: "sign-in-places",
  statements: ({ text }) => [
    `ALTER TABLE users ADD COLUMN places ${text} NOT NULL DEFAULT '[]'`,
    // No address is known yet, so what went wrong so far counts for all of them.
    `UPDATE users SET places = '[{"place":"elsewhere","signedInAt":null,"failedLogins":' || failed_logins ||
      ',"lockedUntil":' || COALESCE(CAST(locked_until AS ${text}), 'null') || '}]' WHERE failed_logins > 0`,
  ],
};
