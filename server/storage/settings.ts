import type { ChangeDraft } from "../core/change.js";
import type { Clock } from "../core/clock.js";
import type { Db } from "./db.js";

interface SettingRow {
  id: string;
  value: string;
  updated_at: number;
}

/** Reads settings; values are JSON text. */
export function settingReader(db: Db) {
  return {
    async get(id: string): Promise<string | undefined> {
      const [row] = await db.rows<SettingRow>("SELECT * FROM settings WHERE id = ?", [id]);
      return row?.value;
    },
    async all(): Promise<ReadonlyMap<string, string>> {
      const rows = await db.rows<SettingRow>("SELECT * FROM settings ORDER BY id");
      return new Map(rows.map((row) => [row.id, row.value]));
    },
  };
}

/** Reads and writes settings inside a transaction. */
export function settingTable(db: Db, clock: Clock, noted: ChangeDraft[]) {
  return {
    ...settingReader(db),
    async put(id: string, value: string): Promise<void> {
      const row: SettingRow = { id, value, updated_at: clock.now() };
      await db.query((knex) => knex("settings").insert(row).onConflict("id").merge());
      noted.push({ kind: "setting", id, value: { id, value } });
    },
  };
}
