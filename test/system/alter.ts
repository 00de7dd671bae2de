import path from "node:path";
import knexModule from "knex";

/** Changes the database of a stopped server behind Latchkey's back. */
export async function alter(folder: string, sql: string): Promise<void> {
  const knex = knexModule.knex({
    client: "sqlite3",
    connection: { filename: path.join(folder, "latchkey.db") },
    useNullAsDefault: true,
  });
  await knex.raw(sql);
  await knex.destroy();
}
