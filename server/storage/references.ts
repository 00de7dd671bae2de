import type { Field } from "./filter.js";
import { SQLITE } from "./sql-dialect.js";

/** A column with a user's id, found by the id or the username, sorted by the username. */
export function userField(column: string): Field {
  return {
    sql: column,
    kind: "reference",
    nullable: true,
    exactly: `${column} IN (SELECT id FROM users WHERE id = ? OR lower(username) = lower(?))`,
    like: `${column} IN (SELECT id FROM users WHERE ${SQLITE.like("username")})`,
    sortSql: `(SELECT username FROM users WHERE users.id = ${column})`,
  };
}

/** A column with a provider's id, found by the id or the slug, sorted by the slug. */
export function providerField(column: string): Field {
  return {
    sql: column,
    kind: "reference",
    nullable: true,
    exactly: `${column} IN (SELECT id FROM providers WHERE id = ? OR slug = ?)`,
    like: `${column} IN (SELECT id FROM providers WHERE ${SQLITE.like("slug")})`,
    sortSql: `(SELECT slug FROM providers WHERE providers.id = ${column})`,
  };
}
