import type { SealedMove, SealedSecret } from "../core/sealed.js";
import type { Db } from "./db.js";
import { bytes } from "./json.js";
import { SQLITE } from "./sql-dialect.js";

/** Where a table keeps its sealed secrets. */
export interface SealedColumns {
  readonly table: string;
  readonly version: string;
  readonly ciphertext: string;
  readonly rowMac: string;
}

/** A secret as it comes from the database. */
export interface SealedRow {
  readonly id: string;
  readonly vault_key_version: number;
  readonly ciphertext: Buffer;
  readonly row_mac: Buffer;
}

/** All rows that have a secret, by id, `size` at a time, with the other columns that are named. */
export async function* sealedChunks<Row extends SealedRow>(
  db: Db,
  from: SealedColumns & { readonly others: readonly (keyof Row & string)[] },
  size: number,
): AsyncGenerator<readonly Row[], void, undefined> {
  const { table, version, ciphertext, rowMac, others } = from;
  const query = `SELECT id, ${version} AS vault_key_version, ${ciphertext} AS ciphertext,
      ${rowMac} AS row_mac, ${others.join(", ")}
    FROM ${table} WHERE id > ? AND ${ciphertext} IS NOT NULL ORDER BY id LIMIT ?`;
  let after = "";
  for (;;) {
    const rows = await db.rows<Row>(query, [after, size]);
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last.id;
    yield rows;
  }
}

const MOVE_COLUMNS = [
  "moved_id",
  "from_version",
  "from_ciphertext",
  "from_mac",
  "to_version",
  "to_ciphertext",
  "to_mac",
];
const MOVE_BYTES: ReadonlySet<string> = new Set(
  MOVE_COLUMNS.filter((name) => /text|mac/.test(name)),
);

/** Moves many secrets in one statement, where the row still holds the one that is replaced; answers the changed rows. */
export async function moveSealed<Row>(
  db: Db,
  { table, version, ciphertext, rowMac }: SealedColumns,
  moves: readonly SealedMove[],
): Promise<readonly Row[]> {
  if (moves.length === 0) return [];
  return db.rows<Row>(
    `UPDATE ${table} SET ${version} = to_version, ${ciphertext} = to_ciphertext, ${rowMac} = to_mac
     FROM (${SQLITE.eachRow(MOVE_COLUMNS, MOVE_BYTES)}) AS moves
     WHERE id = moved_id AND ${version} = from_version AND ${ciphertext} = from_ciphertext
       AND ${rowMac} = from_mac
     RETURNING *`,
    [JSON.stringify(moves.map(({ id, from, to }) => [id, ...values(from), ...values(to)]))],
  );
}

export function toSealedSecret(row: Omit<SealedRow, "id">): SealedSecret {
  // The driver gives each value a piece of memory of its own, which takes several times what is in it; a copy of a short
  // one shares a piece with others.
  return {
    vaultKeyVersion: row.vault_key_version,
    ciphertext: Buffer.from(row.ciphertext),
    rowMac: Buffer.from(row.row_mac),
  };
}

function values({
  vaultKeyVersion,
  ciphertext,
  rowMac,
}: SealedSecret): readonly (string | number)[] {
  return [vaultKeyVersion, bytes(ciphertext).toString("hex"), bytes(rowMac).toString("hex")];
}
