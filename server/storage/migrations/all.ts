import type { Migration } from "../migrate.js";
import { start } from "./0001-start.js";
import { ledger } from "./0002-ledger.js";
import { people } from "./0003-people.js";
import { totals } from "./0004-totals.js";
import { fallbacks } from "./0005-fallbacks.js";
import { addresses } from "./0006-addresses.js";
import { pairs } from "./0007-pairs.js";
import { homes } from "./0008-homes.js";
import { deletedSpend } from "./0009-deleted-spend.js";
import { deletedUse } from "./0010-deleted-use.js";
import { laterUsages } from "./0011-later-usages.js";
import { homeHolders } from "./0012-home-holders.js";
import { batches } from "./0013-batches.js";
import { signInPlaces } from "./0014-sign-in-places.js";
import { noLaterUsages } from "./0015-no-later-usages.js";

/** Every step of the schema, oldest first. A released step is never edited; a change is a new step. */
export const MIGRATIONS: readonly Migration[] = [
  start,
  ledger,
  people,
  totals,
  fallbacks,
  addresses,
  pairs,
  homes,
  deletedSpend,
  deletedUse,
  laterUsages,
  homeHolders,
  batches,
  signInPlaces,
  noLaterUsages,
];
