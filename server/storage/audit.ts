import { append } from "../core/append.js";
import { createHash } from "node:crypto";
import type { AuditDraft, AuditEvent } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import type { PageQuery } from "../core/page.js";
import type { Db } from "./db.js";
import { insertRows } from "./insert-rows.js";
import { readList } from "./json.js";
import { type Listing, listPage } from "./listing.js";
import type { FullPage } from "./paging.js";

/** HMAC of a hash under the audit key, as text; null while the vault is locked. */
export type AuditMac = (hash: string) => string | null;

interface AuditRow {
  seq: number;
  at: number;
  actor_user_id: string | null;
  actor_name: string;
  actor_role: AuditEvent["actor"]["role"];
  actor_via: AuditEvent["actor"]["via"];
  ip: string;
  action: string;
  target_id: string | null;
  target_name: string | null;
  changed_fields: string;
  outcome: AuditEvent["outcome"];
  note: string;
  hash: string;
  mac: string | null;
}

const LISTING: Listing<AuditRow, AuditEvent> = {
  table: "audit_events",
  fields: {
    seq: { sql: "seq", kind: "integer" },
    time: { sql: "at", kind: "time" },
    actorId: { sql: "actor_user_id", kind: "text", choices: true, nullable: true, searched: true },
    ownerId: { sql: "actor_user_id", kind: "text", choices: true, nullable: true },
    actorName: { sql: "actor_name", kind: "text", searched: true },
    actorRole: {
      sql: "actor_role",
      kind: "text",
      values: ["ADMIN", "OPERATOR", "USER", "SYSTEM"],
    },
    via: {
      sql: "actor_via",
      kind: "text",
      values: ["SYSTEM", "SOCKET", "SESSION", "JWT", "COOKIE", "CLIENT_KEY", "ANONYMOUS"],
    },
    action: { sql: "action", kind: "text", choices: true, searched: true },
    targetId: { sql: "target_id", kind: "text", choices: true, nullable: true, searched: true },
    targetName: { sql: "target_name", kind: "text", nullable: true, searched: true },
    changedFields: { sql: "changed_fields", kind: "list" },
    outcome: { sql: "outcome", kind: "text", values: ["OK", "DENIED", "FAILED"] },
    note: { sql: "note", kind: "text", searched: true },
    ipAddress: { sql: "ip", kind: "text", choices: true, searched: true },
    reason: { sql: "note", kind: "text" },
    actor: {
      sql: "actor_name",
      kind: "reference",
      exactly: "(actor_user_id = ? OR lower(actor_name) = lower(?))",
      named: (matching) => matching("actor_name"),
    },
    target: {
      sql: "target_name",
      kind: "reference",
      nullable: true,
      exactly: "(target_id = ? OR lower(target_name) = lower(?))",
      named: (matching) => matching("target_name"),
    },
  },
  natural: { field: "seq", descending: true },
  tieBreaker: { column: "seq", kind: "number" },
  toItem: toAuditEvent,
};

/** Reads audit events. */
export function auditReader(db: Db) {
  return {
    list: (query: PageQuery): Promise<FullPage<AuditEvent>> => listPage(db, LISTING, query),
    /** Events with `seq > afterSeq` in order, at most `limit`. */
    async after(afterSeq: number, limit: number): Promise<readonly AuditEvent[]> {
      const rows = await db.rows<AuditRow>(
        "SELECT * FROM audit_events WHERE seq > ? ORDER BY seq LIMIT ?",
        [afterSeq, limit],
      );
      return rows.map(toAuditEvent);
    },
  };
}

/** Appends to the chain inside a transaction. */
export function auditTable(options: {
  db: Db;
  clock: Clock;
  auditMac: AuditMac;
  appended: AuditEvent[];
}) {
  const { db, clock, auditMac, appended } = options;
  const appendAll = async (drafts: readonly AuditDraft[]): Promise<void> => {
    if (drafts.length === 0) return;
    let { seq, hash } = await readAuditHead(db);
    const at = clock.now();
    const events = drafts.map((draft): AuditEvent => {
      seq += 1;
      hash = auditHash(hash, { ...draft, seq, at });
      return { ...draft, seq, at, hash, mac: auditMac(hash) };
    });
    await insertRows(db, "audit_events", events.map(fromAuditEvent));
    await db.rows("UPDATE audit_head SET seq = ?, hash = ?", [seq, hash]);
    append(appended, events);
  };
  return {
    ...auditReader(db),
    async append(draft: AuditDraft): Promise<AuditEvent> {
      await appendAll([draft]);
      const event = appended.at(-1);
      if (event === undefined) throw new Error("an event was lost");
      return event;
    },
    /** Appends many in two statements, in their order. */
    appendAll,
  };
}

/** Where the chain ends: `seq` and `hash` as their own row remembers them, `last` as the events say. */
export interface AuditHead {
  readonly seq: number;
  readonly hash: string;
  readonly last: number;
}

/** Reads the end of the chain, all in one statement and so at one moment. */
export async function readAuditHead(db: Db): Promise<AuditHead> {
  const [head] = await db.rows<AuditHead>(
    `SELECT seq, hash, (SELECT COALESCE(max(seq), 0) FROM audit_events) AS last FROM audit_head`,
  );
  if (head === undefined) throw new Error("the end of the audit chain is missing");
  return head;
}

/** The hash that the first event follows. */
export const AUDIT_GENESIS = "0".repeat(64);

/**
 * SHA-256 over the hash before and the event's canonical form: a JSON array in a fixed order, which no
 * two different events share. The MAC is not part of it, since it may be filled in later.
 */
export function auditHash(before: string, event: Omit<AuditEvent, "hash" | "mac">): string {
  const { actor } = event;
  const canonical = JSON.stringify([
    event.seq,
    event.at,
    actor.userId,
    actor.name,
    actor.role,
    actor.via,
    actor.ip,
    event.action,
    event.targetId,
    event.targetName,
    event.changedFields,
    event.outcome,
    event.note,
  ]);
  return createHash("sha256").update(`${before}\n${canonical}`).digest("hex");
}

function toAuditEvent(row: AuditRow): AuditEvent {
  return {
    seq: row.seq,
    at: row.at,
    actor: {
      userId: row.actor_user_id,
      name: row.actor_name,
      role: row.actor_role,
      via: row.actor_via,
      ip: row.ip,
    },
    action: row.action,
    targetId: row.target_id,
    targetName: row.target_name,
    changedFields: readList(row.changed_fields),
    outcome: row.outcome,
    note: row.note,
    hash: row.hash,
    mac: row.mac,
  };
}

function fromAuditEvent(event: AuditEvent): AuditRow {
  return {
    seq: event.seq,
    at: event.at,
    actor_user_id: event.actor.userId,
    actor_name: event.actor.name,
    actor_role: event.actor.role,
    actor_via: event.actor.via,
    ip: event.actor.ip,
    action: event.action,
    target_id: event.targetId,
    target_name: event.targetName,
    changed_fields: JSON.stringify(event.changedFields),
    outcome: event.outcome,
    note: event.note,
    hash: event.hash,
    mac: event.mac,
  };
}
