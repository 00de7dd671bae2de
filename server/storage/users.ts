import type { ChangeDraft } from "../core/change.js";
import { Fault } from "../core/fault.js";
import { isUnlimited, UNLIMITED, type Limits } from "../core/limits.js";
import type { PageQuery } from "../core/page.js";
import type { SignInPlace, User } from "../core/user.js";
import type { Db } from "./db.js";
import type { Field } from "./filter.js";
import { readList, readObject } from "./json.js";
import { type Listing, listPage } from "./listing.js";
import type { FullPage } from "./paging.js";
import { requireRow } from "./rows.js";
import { SQLITE } from "./sql-dialect.js";

/** Keys of a user, whatever their state. */
interface OwnedKeys {
  readonly providerKeys: number;
  readonly publicProviderKeys: number;
  readonly clientKeys: number;
  readonly superClientKeys: number;
}

interface UserRow {
  id: string;
  username: string;
  email: string | null;
  password_hash: string | null;
  role: User["role"];
  trust_level: number;
  state: User["state"];
  failed_logins: number;
  locked_until: number | null;
  places: string;
  created_at: number;
  updated_at: number;
  last_login_at: number | null;
  limits: string | null;
  note: string;
  ban_reason: string;
  version: number;
}

const LISTING: Listing<UserRow, User> = {
  table: "users",
  fields: {
    id: { sql: "id", kind: "text", choices: true, searched: true },
    username: { sql: "username", kind: "text", searched: true },
    email: { sql: "email", kind: "text", nullable: true, searched: true },
    role: { sql: "role", kind: "text", values: ["ADMIN", "OPERATOR", "USER"] },
    trustLevel: { sql: "trust_level", kind: "integer" },
    state: { sql: "state", kind: "text", values: ["ACTIVE", "BANNED", "DISABLED"] },
    failedLogins: { sql: "failed_logins", kind: "integer" },
    lockEndTime: { sql: "locked_until", kind: "time", nullable: true },
    createTime: { sql: "created_at", kind: "time" },
    updateTime: { sql: "updated_at", kind: "time" },
    lastLoginTime: { sql: "last_login_at", kind: "time", nullable: true },
    providerKeyCount: countOf("provider_keys", ""),
    publicProviderKeyCount: countOf("provider_keys", "AND visibility = 'PUBLIC'"),
    clientKeyCount: countOf("client_keys", ""),
    superClientKeyCount: countOf("client_keys", "AND kind = 'SUPER'"),
  },
  natural: { field: "createTime", descending: true },
  tieBreaker: { column: "id", kind: "string" },
  toItem: toUser,
};

function countOf(table: string, condition: string): Field {
  const sql = `(SELECT count(*) FROM ${table} WHERE owner_id = users.id ${condition})`;
  return { sql, kind: "integer" };
}

/** How many keys of a table each of some users owns, and of how many of these something holds. */
function ownedOf(table: string, condition: string): string {
  return `SELECT owner_id, count(*) AS keys, sum(CASE WHEN ${condition} THEN 1 ELSE 0 END) AS marked
    FROM ${table} WHERE owner_id IN (${SQLITE.eachText}) GROUP BY owner_id`;
}

/** Reads users. Names and addresses are found whatever their case. */
export function userReader(db: Db) {
  const first = async (where: string, value: string): Promise<User | undefined> => {
    const [row] = await db.rows<UserRow>(`SELECT * FROM users WHERE ${where}`, [value]);
    return row === undefined ? undefined : toUser(row);
  };
  return {
    get: (id: string) => first("id = ?", id),
    byUsername: (username: string) => first("lower(username) = lower(?)", username),
    byEmail: (email: string) => first("lower(email) = lower(?)", email),
    list: (query: PageQuery): Promise<FullPage<User>> => listPage(db, LISTING, query),
    async ownedKeys(ids: readonly string[]): Promise<ReadonlyMap<string, OwnedKeys>> {
      const rows = await db.rows<OwnedKeys & { readonly id: string }>(
        `SELECT id, coalesce(p.keys, 0) AS "providerKeys", coalesce(p.marked, 0) AS "publicProviderKeys",
           coalesce(c.keys, 0) AS "clientKeys", coalesce(c.marked, 0) AS "superClientKeys"
         FROM users
         LEFT JOIN (${ownedOf("provider_keys", "visibility = 'PUBLIC'")}) AS p ON p.owner_id = id
         LEFT JOIN (${ownedOf("client_keys", "kind = 'SUPER'")}) AS c ON c.owner_id = id
         WHERE id IN (${SQLITE.eachText})`,
        Array.from({ length: 3 }, () => JSON.stringify(ids)),
      );
      return new Map(rows.map(({ id, ...owned }) => [id, owned]));
    },
    async all(): Promise<readonly User[]> {
      return (await db.rows<UserRow>("SELECT * FROM users ORDER BY created_at, id")).map(toUser);
    },
  };
}

/** Reads and writes users inside a transaction. */
export function userTable(db: Db, noted: ChangeDraft[]) {
  return {
    ...userReader(db),
    async insert(user: User): Promise<void> {
      await db.query((knex) => knex("users").insert(fromUser(user)));
      noted.push({ kind: "user", id: user.id, value: user });
    },
    /** Throws Fault `not_found`. */
    async update(user: User): Promise<void> {
      const { id, ...columns } = fromUser(user);
      requireRow("user", await db.query((knex) => knex("users").where({ id }).update(columns)));
      noted.push({ kind: "user", id, value: user });
    },
    /** Removes the user and their sessions. Throws Fault `failed_precondition` while they own keys. */
    async delete(id: string): Promise<void> {
      const owned = await db.rows(
        `SELECT 1 FROM provider_keys WHERE owner_id = ?
         UNION ALL SELECT 1 FROM client_keys WHERE owner_id = ? LIMIT 1`,
        [id, id],
      );
      if (owned.length > 0) {
        throw new Fault(
          "failed_precondition",
          "The user still owns keys; delete the user's provider keys and client keys first.",
        );
      }
      requireRow("user", await db.query((knex) => knex("users").where({ id }).delete()));
      noted.push({ kind: "user", id, value: null });
    },
  };
}

function toUser(row: UserRow): User {
  return {
    id: row.id,
    username: row.username,
    email: row.email,
    passwordHash: row.password_hash,
    role: row.role,
    trustLevel: row.trust_level,
    state: row.state,
    failedLogins: row.failed_logins,
    lockedUntil: row.locked_until,
    places: readList<SignInPlace>(row.places),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    lastLoginAt: row.last_login_at,
    limits: readObject<Limits>(row.limits) ?? UNLIMITED,
    note: row.note,
    banReason: row.ban_reason,
    version: row.version,
  };
}

function fromUser(user: User): UserRow {
  return {
    id: user.id,
    username: user.username,
    email: user.email,
    password_hash: user.passwordHash,
    role: user.role,
    trust_level: user.trustLevel,
    state: user.state,
    failed_logins: user.failedLogins,
    locked_until: user.lockedUntil,
    places: JSON.stringify(user.places),
    created_at: user.createdAt,
    updated_at: user.updatedAt,
    last_login_at: user.lastLoginAt,
    limits: isUnlimited(user.limits) ? null : JSON.stringify(user.limits),
    note: user.note,
    ban_reason: user.banReason,
    version: user.version,
  };
}
