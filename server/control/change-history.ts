import { CHANGE_KINDS, type Change } from "../core/change.js";
import type { ChangeFeed } from "../keys/change-feed.js";

/** Changes kept for watchers that are behind, or come back after a break. */
const CHANGES_KEPT = 4096;

/** The newest committed changes, in memory. */
export class ChangeHistory {
  readonly #feed: ChangeFeed;
  readonly #listeners = new Set<() => void>();
  #changes: Change[] = [];
  /** Changes up to this number are not kept, or were made before this process. */
  #forgotten: number;
  #leave: (() => void) | undefined;

  /** `lastSeq` is the number of the newest change in the database at the start. */
  constructor(options: { feed: ChangeFeed; lastSeq: number }) {
    this.#feed = options.feed;
    this.#forgotten = options.lastSeq;
  }

  start(): void {
    this.#leave = this.#feed.subscribe(CHANGE_KINDS, (change) => this.#add(change));
  }

  stop(): void {
    this.#leave?.();
    for (const listener of this.#listeners) listener();
  }

  /** The number of the newest change. */
  get lastSeq(): number {
    return this.#changes.at(-1)?.seq ?? this.#forgotten;
  }

  /** Calls `listener` at each change; the returned function ends that. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** At most `max` changes after a number, in order; undefined when some of them are not kept any more. */
  after(seq: number, max: number): readonly Change[] | undefined {
    if (seq < this.#forgotten) return undefined;
    const at = this.#changes.findIndex((change) => change.seq > seq);
    return at < 0 ? [] : this.#changes.slice(at, at + max);
  }

  #add(change: Change): void {
    this.#changes.push(change);
    // Half of them at once, so that the list is not shifted at every change.
    if (this.#changes.length > CHANGES_KEPT) {
      const dropped = this.#changes.length - CHANGES_KEPT / 2;
      this.#forgotten = this.#changes[dropped - 1]?.seq ?? this.#forgotten;
      this.#changes = this.#changes.slice(dropped);
    }
    for (const listener of this.#listeners) listener();
  }
}
