import type { Actor, AuditOutcome } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import { MINUTE_MS } from "../core/durations.js";
import type { Logger } from "../core/logger.js";
import { authorize, type Action } from "./policy.js";
import type { KeysReader, KeysStore, KeysTx } from "./ports.js";
import { Denial } from "./refusals.js";

/** Denied attempts that are written per actor and minute; more are counted in one closing event. */
const DENIALS_PER_MINUTE_MAX = 30;
/** Actors whose denials are counted at once; beyond, the oldest count is forgotten. */
const DENIAL_ACTORS_MAX = 1000;

/** What a mutation did, for its audit event. */
export interface Done<T> {
  readonly value: T;
  readonly targetId: string | null;
  readonly targetName: string | null;
  /** Names only. */
  readonly changedFields: readonly string[];
  readonly note?: string;
  /** OK unless said otherwise: a failure that must be kept, such as a wrong password, is a mutation too. */
  readonly outcome?: AuditOutcome;
  /** The user who signed in, for an event that began without one. */
  readonly actor?: Actor;
}

interface DenialCount {
  sinceMs: number;
  count: number;
}

/**
 * The frame around every use case: the permission table first, then the work, and for mutations one
 * transaction that holds the rows, the audit event and the announced changes. A denied attempt is
 * audited in a transaction of its own, because the attempt's own one is rolled back.
 */
export class Operations {
  readonly #store: KeysStore;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #denials = new Map<string, DenialCount>();
  /** A use case may run inside another one's frame; its denial is written once. */
  readonly #recorded = new WeakSet<Denial>();

  constructor(options: { store: KeysStore; clock: Clock; log: Logger }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Runs a read that the actor may do. */
  async read<T>(
    actor: Actor,
    action: Action,
    work: (reader: KeysReader) => Promise<T>,
  ): Promise<T> {
    return this.#guarded(actor, action, () => work(this.#store.read));
  }

  /** Runs something that is neither: it may take long, and does its own reads and writes. */
  async run<T>(actor: Actor, action: Action, work: () => Promise<T>): Promise<T> {
    return this.#guarded(actor, action, work);
  }

  /** Runs a mutation that the actor may do, with its audit event, in one transaction. */
  async write<T>(
    actor: Actor,
    action: Action,
    work: (tx: KeysTx, nowMs: number) => Promise<Done<T>>,
  ): Promise<T> {
    return this.#guarded(actor, action, () =>
      this.#store.write(async (tx) => {
        const done = await work(tx, this.#clock.now());
        await tx.audit.append({
          actor: done.actor ?? actor,
          action,
          targetId: done.targetId,
          targetName: done.targetName,
          changedFields: done.changedFields,
          outcome: done.outcome ?? "OK",
          note: done.note ?? "",
        });
        return done.value;
      }),
    );
  }

  async #guarded<T>(actor: Actor, action: Action, work: () => Promise<T>): Promise<T> {
    try {
      authorize(actor, action);
      return await work();
    } catch (thrown) {
      if (thrown instanceof Denial) await this.#recordDenial(actor, action, thrown);
      throw thrown;
    }
  }

  async #recordDenial(actor: Actor, action: Action, denial: Denial): Promise<void> {
    if (this.#recorded.has(denial)) return;
    this.#recorded.add(denial);
    // All unknown callers share one count, so that changing addresses cannot flood the audit log.
    const count = this.#countDenial(actor.userId ?? "anonymous");
    if (count > DENIALS_PER_MINUTE_MAX) return;
    const last = count === DENIALS_PER_MINUTE_MAX;
    try {
      await this.#store.write(async (tx) => {
        await tx.audit.append({
          actor,
          action,
          targetId: denial.target?.id ?? null,
          targetName: denial.target?.name ?? null,
          changedFields: [],
          outcome: "DENIED",
          note: last
            ? `${denial.reason}; further ones of this minute are not listed`
            : denial.reason,
        });
      });
    } catch (cause) {
      // The attempt is denied whether or not it could be audited.
      this.#log.error({ err: cause, action }, "a denied attempt could not be audited");
    }
  }

  #countDenial(who: string): number {
    const nowMs = this.#clock.monotonic();
    let entry = this.#denials.get(who);
    if (entry === undefined || nowMs - entry.sinceMs >= MINUTE_MS) {
      entry = { sinceMs: nowMs, count: 0 };
      this.#denials.delete(who);
      this.#denials.set(who, entry);
      const oldest = this.#denials.keys().next();
      if (this.#denials.size > DENIAL_ACTORS_MAX && !oldest.done)
        this.#denials.delete(oldest.value);
    }
    entry.count += 1;
    return entry.count;
  }
}
