import type { UsageGroup } from "../core/usage.js";
import type { CallRefs } from "./call-rows.js";
import type { Db } from "./db.js";
import { COARSE_LEVELS, type Level, LEVELS } from "./rollup-levels.js";
import { addUp, type CombinationSum, COUNTERS, insertRollups, SUMS, sumUp } from "./rollup-rows.js";

/** What totals are kept of: calls that share one name, all calls, or those that share provider and model. */
export type TotalDimension = UsageGroup | "PROVIDER_MODEL";

interface DimensionPlace {
  /** What stands for it in the tables. */
  readonly number: number;
  /** The column of a combination. */
  readonly column: string;
  readonly refOf: (refs: CallRefs) => number;
}

/**
 * A pair of names is one number: the provider's times this and the model's. There are fewer names than this, and a
 * pair still fits a JavaScript number.
 */
const PAIR = 2 ** 26;

/** Where in a pair a name's number is. */
export const PAIR_PARTS: Readonly<Partial<Record<UsageGroup, string>>> = {
  PROVIDER: `ref / ${PAIR}`,
  MODEL: `ref % ${PAIR}`,
};

export const DIMENSIONS: Readonly<Record<TotalDimension, DimensionPlace>> = {
  NONE: { number: 0, column: "0", refOf: () => 0 },
  MODEL: { number: 1, column: "model_ref", refOf: (refs) => refs.model },
  PROVIDER: { number: 2, column: "provider_ref", refOf: (refs) => refs.provider },
  PROVIDER_KEY: { number: 3, column: "provider_key_ref", refOf: (refs) => refs.providerKey },
  CLIENT_KEY: { number: 4, column: "client_key_ref", refOf: (refs) => refs.clientKey },
  OWNER: { number: 5, column: "owner_ref", refOf: (refs) => refs.owner },
  PROVIDER_MODEL: {
    number: 6,
    column: `provider_ref * ${PAIR} + model_ref`,
    refOf: (refs) => refs.provider * PAIR + refs.model,
  },
};

const ALL = Object.values(DIMENSIONS);
const KEY = ["dimension", "bucket_ms", "ref"] as const;
const COLUMNS = [...KEY, ...COUNTERS].join(", ");
const ADD_UP = addUp(KEY);

/** Adds whole minutes, from `fromMs` on and before `untilMs`, to the totals. Each minute only once. */
export async function foldTotals(db: Db, fromMs: number, untilMs: number): Promise<void> {
  const range = [fromMs, untilMs];
  for (const { number, column } of ALL) {
    await db.rows(
      `INSERT INTO totals_minute (${COLUMNS})
       SELECT ${number}, bucket_ms, ${column} AS ref, ${SUMS}
       FROM rollups_minute JOIN usage_keys ON usage_keys.id = key_id
       WHERE bucket_ms >= ? AND bucket_ms < ? GROUP BY bucket_ms, ref ${ADD_UP}`,
      range,
    );
  }
  for (const { totals, bucketMs } of COARSE_LEVELS) {
    await db.rows(
      `INSERT INTO ${totals} (${COLUMNS})
       SELECT dimension, bucket_ms / ${bucketMs} * ${bucketMs} AS bucket, ref, ${SUMS}
       FROM totals_minute WHERE dimension IN (${ALL.map(({ number }) => number).join(", ")})
         AND bucket_ms >= ? AND bucket_ms < ? GROUP BY dimension, bucket, ref ${ADD_UP}`,
      range,
    );
  }
}

/** Adds calls of minutes that have been folded already, to the totals of all levels or of some. */
export async function addToTotals(
  db: Db,
  late: readonly CombinationSum[],
  levels: readonly Level[] = LEVELS,
): Promise<void> {
  for (const { totals, bucketMs } of levels) {
    const rows = ALL.flatMap(({ number, refOf }) =>
      sumUp(late, bucketMs, ({ refs }) => refOf(refs)).map((each) => [
        number,
        each.bucketMs,
        each.id,
        ...each.counters,
      ]),
    );
    await insertRollups(db, totals, KEY, rows);
  }
}

/**
 * Removes a client key's part of some buckets, by combination and of the totals: what all calls, those of
 * its models and so on add up to is less by it.
 */
export async function subtractClientKey(
  db: Db,
  { totals, rollups }: Level,
  clientKey: number,
  bucketsMs: readonly number[],
): Promise<void> {
  const buckets = bucketsMs.join(", ");
  const own = `bucket_ms IN (${buckets}) AND key_id IN (SELECT id FROM usage_keys WHERE client_key_ref = ?)`;
  const less = COUNTERS.map((name) => `-sum(${name})`).join(", ");
  for (const { number, column } of ALL) {
    if (number === DIMENSIONS.CLIENT_KEY.number) continue;
    await db.rows(
      `INSERT INTO ${totals} (${COLUMNS})
       SELECT ${number}, bucket_ms, ${column} AS ref, ${less}
       FROM ${rollups} JOIN usage_keys ON usage_keys.id = key_id
       WHERE ${own} GROUP BY bucket_ms, ref ${ADD_UP}`,
      [clientKey],
    );
  }
  await db.rows(`DELETE FROM ${rollups} WHERE ${own}`, [clientKey]);
  await db.rows(
    `DELETE FROM ${totals} WHERE dimension = ${DIMENSIONS.CLIENT_KEY.number} AND ref = ? AND bucket_ms IN (${buckets})`,
    [clientKey],
  );
}
