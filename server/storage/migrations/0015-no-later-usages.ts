import type { Migration } from "../migrate.js";

/** What step 11 kept is among the batches since step 13, and nothing has read it since. */
export const noLaterUsages: Migration = {
  version: 15,
  name: "no-later-usages",
  statements: () => ["DROP TABLE later_usages"],
};
