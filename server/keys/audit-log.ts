import type { Actor, AuditEvent } from "../core/audit.js";
import type { Page, PageQuery } from "../core/page.js";
import type { Operations } from "./operations.js";
import { scoped } from "./owners.js";
import { mayAll } from "./policy.js";

const EVENTS_AT_ONCE_MAX = 1_000;

/** Reading what was done. There is no way to change or remove an event. */
export class AuditLog {
  readonly #operations: Operations;

  constructor(options: { operations: Operations }) {
    this.#operations = options.operations;
  }

  /** One page; callers who may not see everyone's events get their own. */
  async list(actor: Actor, query: PageQuery): Promise<Page<AuditEvent>> {
    return this.#operations.read(actor, "audit.list", (reader) =>
      reader.audit.list(scoped(actor, "audit.list", query)),
    );
  }

  /**
   * Events after a number, in order, for watching: at most 1000 are looked at. `lastSeq` is where to go on
   * from, also past events that this caller may not see.
   */
  async after(
    actor: Actor,
    afterSeq: number,
    limit: number,
  ): Promise<{ readonly events: readonly AuditEvent[]; readonly lastSeq: number }> {
    return this.#operations.read(actor, "audit.watch", async (reader) => {
      const all = await reader.audit.after(afterSeq, Math.min(limit, EVENTS_AT_ONCE_MAX));
      const events = mayAll(actor, "audit.watch")
        ? all
        : all.filter((event) => event.actor.userId === actor.userId);
      return { events, lastSeq: all.at(-1)?.seq ?? afterSeq };
    });
  }

  /** Audits something that changes no row, such as a lock, a backup or a test that was run. */
  async record(
    actor: Actor,
    action: Parameters<Operations["write"]>[1],
    event: {
      readonly targetId?: string;
      readonly targetName?: string;
      readonly note?: string;
      readonly outcome?: AuditEvent["outcome"];
    } = {},
  ): Promise<void> {
    await this.#operations.write(actor, action, async () => ({
      value: undefined,
      targetId: event.targetId ?? null,
      targetName: event.targetName ?? null,
      changedFields: [],
      note: event.note ?? "",
      outcome: event.outcome ?? "OK",
    }));
  }
}
