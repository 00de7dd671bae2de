import type { Session } from "../core/user.js";
import type { Db } from "./db.js";

interface SessionRow {
  id: string;
  user_id: string;
  token_hash: string;
  created_at: number;
  expires_at: number;
  ip: string;
}

/** Finds sessions, expired ones too: whoever asks knows the time. */
export function sessionReader(db: Db) {
  return {
    async byTokenHash(tokenHash: string): Promise<Session | undefined> {
      const [row] = await db.rows<SessionRow>("SELECT * FROM sessions WHERE token_hash = ?", [
        tokenHash,
      ]);
      return row === undefined ? undefined : toSession(row);
    },
    /** All sessions of a user, newest first. */
    async ofUser(userId: string): Promise<readonly Session[]> {
      const rows = await db.rows<SessionRow>(
        "SELECT * FROM sessions WHERE user_id = ? ORDER BY created_at DESC, id DESC",
        [userId],
      );
      return rows.map(toSession);
    },
  };
}

/** Reads and writes sessions inside a transaction. Deleting what is not there is no error: signing out twice is fine. */
export function sessionTable(db: Db) {
  return {
    ...sessionReader(db),
    async insert(session: Session): Promise<void> {
      await db.query((knex) =>
        knex("sessions").insert({
          id: session.id,
          user_id: session.userId,
          token_hash: session.tokenHash,
          created_at: session.createdAt,
          expires_at: session.expiresAt,
          ip: session.ip,
        } satisfies SessionRow),
      );
    },
    async delete(id: string): Promise<void> {
      await db.query((knex) => knex("sessions").where({ id }).delete());
    },
    async deleteOfUser(userId: string): Promise<void> {
      await db.query((knex) => knex("sessions").where({ user_id: userId }).delete());
    },
    async deleteExpired(nowMs: number): Promise<void> {
      await db.query((knex) => knex("sessions").where("expires_at", "<=", nowMs).delete());
    },
  };
}

function toSession(row: SessionRow): Session {
  return {
    id: row.id,
    userId: row.user_id,
    tokenHash: row.token_hash,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    ip: row.ip,
  };
}
