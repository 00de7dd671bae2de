import type { Field } from "./filter.js";

/** A column with a user's id, found by the id or the username, sorted by the username. */
export function userField(column: string): Field {
  return {
    sql: column,
    kind: "reference",
    nullable: true,
    exactly: `${column} IN (SELECT id FROM users WHERE id = ? OR lower(username) = lower(?))`,
    named: (matching) => `${column} IN (SELECT id FROM users WHERE ${matching("username")})`,
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
    named: (matching) => `${column} IN (SELECT id FROM providers WHERE ${matching("slug")})`,
    sortSql: `(SELECT slug FROM providers WHERE providers.id = ${column})`,
  };
}
