import type { Change, ChangeKind } from "../core/change.js";
import type { Logger } from "../core/logger.js";

/** Changes that arrive while a joiner still loads its snapshot; more than this means something is stuck. */
const JOIN_BACKLOG_MAX = 200_000;

/** A change of one of the kinds `K`. */
export type ChangeOf<K extends ChangeKind> = Extract<Change, { kind: K }>;

interface Subscriber {
  readonly kinds: ReadonlySet<ChangeKind>;
  readonly deliver: (change: Change) => void;
}

/**
 * Announces committed changes inside the process, in commit order, each with the whole new object. The
 * storage publishes after the commit; pool, directory, catalogue, secret cache and watching streams
 * listen. Delivery is synchronous, so once a mutation has returned, everybody has heard of it.
 */
export class ChangeFeed {
  readonly #log: Logger;
  readonly #subscribers = new Set<Subscriber>();
  #lastSeq = 0;

  constructor(options: { log: Logger }) {
    this.#log = options.log;
  }

  /** The number of the last change that was published; 0 before the first. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** Delivers changes of one or more commits. A listener that throws is logged and does not stop the others. */
  publish(changes: readonly Change[]): void {
    for (const change of changes) {
      this.#lastSeq = Math.max(this.#lastSeq, change.seq);
      for (const subscriber of this.#subscribers) {
        if (!subscriber.kinds.has(change.kind)) continue;
        try {
          subscriber.deliver(change);
        } catch (cause) {
          this.#log.error(
            { err: cause, kind: change.kind, id: change.id, seq: change.seq },
            "a listener failed on a change",
          );
        }
      }
    }
  }

  /** Hears of every change of these kinds from now on; the returned function ends it. */
  subscribe<K extends ChangeKind>(
    kinds: readonly K[],
    listener: (change: ChangeOf<K>) => void,
  ): () => void {
    const wanted: ReadonlySet<ChangeKind> = new Set(kinds);
    const isWanted = (change: Change): change is ChangeOf<K> => wanted.has(change.kind);
    const subscriber: Subscriber = {
      kinds: wanted,
      deliver: (change) => {
        if (isWanted(change)) listener(change);
      },
    };
    this.#subscribers.add(subscriber);
    return () => {
      this.#subscribers.delete(subscriber);
    };
  }

  /**
   * Loads a snapshot and then hears of every change, without a gap between the two: what is committed
   * while `load` runs is held back and delivered after it. Such a change may already be in the snapshot;
   * applying it again is harmless, because it carries the whole object.
   */
  async join<K extends ChangeKind>(
    kinds: readonly K[],
    load: () => Promise<void>,
    listener: (change: ChangeOf<K>) => void,
  ): Promise<() => void> {
    let held: ChangeOf<K>[] | undefined = [];
    let overflown = false;
    const leave = this.subscribe(kinds, (change) => {
      if (held === undefined) listener(change);
      else if (held.length < JOIN_BACKLOG_MAX) held.push(change);
      else overflown = true;
    });
    try {
      await load();
      if (overflown) throw new Error("too many changes while a snapshot was loaded");
      for (const change of held) listener(change);
      held = undefined;
      return leave;
    } catch (cause) {
      leave();
      throw cause;
    }
  }
}
