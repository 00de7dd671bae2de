import type { AuditEvent } from "../core/audit.js";
import { Fault } from "../core/fault.js";
import { AUDIT_GENESIS, auditHash, type AuditMac, auditReader, readAuditHead } from "./audit.js";
import type { Db } from "./db.js";
import type { Writer } from "./writer.js";

/** Events that are read at a time while the chain is checked. */
const VERIFY_CHUNK = 1_000;
/** Events that get their missing MAC in one transaction. */
const MAC_CHUNK = 200;

/** Tells whether a MAC belongs to a hash; undefined while the vault is locked. */
export type AuditMacCheck = (hash: string, mac: string) => boolean | undefined;

/** What a check of the audit chain found. */
export interface AuditVerification {
  readonly ok: boolean;
  /** Events that were looked at. */
  readonly checked: number;
  /** The first event at which something is wrong; null when all is well. */
  readonly brokenAt: number | null;
  /** What is wrong there, in words; empty when all is well. */
  readonly reason: string;
  /** Events without a MAC: written while the vault was locked. */
  readonly withoutMac: number;
  /** False when the vault was locked, so that only hashes were checked. */
  readonly macsChecked: boolean;
}

/** Checks the audit chain and completes it. */
export class AuditTrail {
  readonly #writer: Writer;
  readonly #reader: Db;
  readonly #auditMac: AuditMac;
  readonly #checkMac: AuditMacCheck;

  constructor(options: {
    writer: Writer;
    reader: Db;
    auditMac: AuditMac;
    /** By default a MAC is right when `auditMac` makes the same one; an audit key with versions needs its own check. */
    checkMac?: AuditMacCheck | undefined;
  }) {
    this.#writer = options.writer;
    this.#reader = options.reader;
    this.#auditMac = options.auditMac;
    this.#checkMac = options.checkMac ?? ((hash, mac) => sameMac(options.auditMac(hash), mac));
  }

  /**
   * Checks the events `fromSeq` to `toSeq`, both included; by default all of them, and then also that the
   * chain ends where it should. What arrives during the check is not looked at.
   */
  async verify(range: { fromSeq?: number; toSeq?: number } = {}): Promise<AuditVerification> {
    const head = await readAuditHead(this.#reader);
    const fromSeq = Math.max(range.fromSeq ?? 1, 1);
    const toSeq = Math.min(range.toSeq ?? head.last, head.last);
    const walk = new ChainWalk(this.#checkMac, await this.#hashBefore(fromSeq), fromSeq);
    for (;;) {
      const events = await auditReader(this.#reader).after(walk.lastSeq, VERIFY_CHUNK);
      const wanted = events.filter((event) => event.seq <= toSeq);
      for (const event of wanted) if (!walk.step(event)) return walk.result();
      if (wanted.length < events.length || events.length < VERIFY_CHUNK) break;
    }
    walk.endsAt(toSeq, toSeq === head.last ? head : undefined);
    return walk.result();
  }

  /**
   * Gives events that were written while the vault was locked their MAC; returns how many. First checks
   * that they still follow from the events before them: a MAC on a forged event would vouch for it.
   * Throws Fault `failed_precondition` when the chain is broken, `vault_locked` while there is no key.
   */
  async completeMacs(): Promise<number> {
    let completed = 0;
    for (;;) {
      const done = await this.#writer.run((db) => this.#completeSome(db));
      completed += done;
      if (done < MAC_CHUNK) return completed;
    }
  }

  async #completeSome(db: Db): Promise<number> {
    const rows = await db.rows<{ seq: number; hash: string }>(
      "SELECT seq, hash FROM audit_events WHERE mac IS NULL ORDER BY seq LIMIT ?",
      [MAC_CHUNK],
    );
    const first = rows.at(0);
    const last = rows.at(-1);
    if (first === undefined || last === undefined) return 0;
    const found = await this.verify({ fromSeq: first.seq - 1, toSeq: last.seq });
    if (!found.ok) {
      throw new Fault(
        "failed_precondition",
        `The audit chain is broken at event ${found.brokenAt ?? first.seq}; compare with a backup before you go on.`,
      );
    }
    for (const row of rows) {
      const mac = this.#auditMac(row.hash);
      if (mac === null) throw new Fault("vault_locked", "The vault is locked; unlock it first.");
      await db.rows("UPDATE audit_events SET mac = ? WHERE seq = ? AND mac IS NULL", [
        mac,
        row.seq,
      ]);
    }
    return rows.length;
  }

  async #hashBefore(seq: number): Promise<string> {
    if (seq <= 1) return AUDIT_GENESIS;
    const [before] = await auditReader(this.#reader).after(seq - 2, 1);
    return before !== undefined && before.seq === seq - 1 ? before.hash : "";
  }
}

/** Follows the chain from event to event. */
class ChainWalk {
  readonly #checkMac: AuditMacCheck;
  #hash: string;
  #checked = 0;
  #withoutMac = 0;
  #macsChecked = true;
  #brokenAt: number | null = null;
  #reason = "";
  lastSeq: number;

  constructor(checkMac: AuditMacCheck, hashBefore: string, fromSeq: number) {
    this.#checkMac = checkMac;
    this.#hash = hashBefore;
    this.lastSeq = fromSeq - 1;
  }

  step(event: AuditEvent): boolean {
    const expected = this.lastSeq + 1;
    if (event.seq !== expected) return this.#broken(expected, "the event is missing");
    this.#checked += 1;
    const hash = auditHash(this.#hash, event);
    if (hash !== event.hash) {
      return this.#broken(event.seq, "the event does not fit its hash or the event before it");
    }
    if (event.mac === null) {
      this.#withoutMac += 1;
    } else {
      const right = this.#checkMac(event.hash, event.mac);
      if (right === undefined) this.#macsChecked = false;
      if (right === false) return this.#broken(event.seq, "the event has a wrong MAC");
    }
    this.#hash = hash;
    this.lastSeq = event.seq;
    return true;
  }

  /** `head` is where the whole chain should end, when its end was looked at. */
  endsAt(seq: number, head: { seq: number; hash: string } | undefined): void {
    if (this.lastSeq < seq) {
      this.#broken(this.lastSeq + 1, "the event is missing");
    } else if (head !== undefined && head.seq > seq) {
      this.#broken(seq + 1, "the event is missing");
    } else if (head !== undefined && (head.seq < seq || head.hash !== this.#hash)) {
      this.#broken(seq, "the chain does not end where it should");
    }
  }

  result(): AuditVerification {
    return {
      ok: this.#brokenAt === null,
      checked: this.#checked,
      brokenAt: this.#brokenAt,
      reason: this.#reason,
      withoutMac: this.#withoutMac,
      macsChecked: this.#macsChecked,
    };
  }

  #broken(seq: number, reason: string): false {
    this.#brokenAt = seq;
    this.#reason = reason;
    return false;
  }
}

function sameMac(expected: string | null, mac: string): boolean | undefined {
  return expected === null ? undefined : expected === mac;
}
