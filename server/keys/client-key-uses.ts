import type { Clock, Timer } from "../core/clock.js";
import type { Logger } from "../core/logger.js";
import type { ClientKeyUse, KeysStore } from "./ports.js";

export const USES_FLUSH_MS = 5_000;
/** Uses in one transaction, so that it stays short. */
const USES_PER_WRITE_MAX = 500;

/**
 * Counts uses of client keys in memory and writes the sums every few seconds: the request path pays for
 * one addition. Counters that could not be written are kept and tried again.
 */
export class ClientKeyUses {
  readonly #store: KeysStore;
  readonly #clock: Clock;
  readonly #log: Logger;
  #pending = new Map<string, { count: number; lastUsedAt: number }>();
  #timer: Timer | undefined;
  #flushing: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: { store: KeysStore; clock: Clock; log: Logger }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** How many keys have uses that are not written yet. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Begins to write every five seconds. */
  start(): void {
    this.#timer = this.#clock.setTimer(() => void this.#tick(), USES_FLUSH_MS);
  }

  /** Counts one use. */
  count(clientKeyId: string): void {
    const nowMs = this.#clock.now();
    const use = this.#pending.get(clientKeyId);
    if (use === undefined) {
      this.#pending.set(clientKeyId, { count: 1, lastUsedAt: nowMs });
    } else {
      use.count += 1;
      use.lastUsedAt = Math.max(use.lastUsedAt, nowMs);
    }
  }

  /** Writes what was counted so far; a failure is logged and its uses stay counted. Never rejects. */
  async flush(): Promise<void> {
    this.#flushing = this.#flushing.then(() => this.#write());
    return this.#flushing;
  }

  /** Writes the rest and ends. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.flush();
  }

  async #tick(): Promise<void> {
    await this.flush();
    if (!this.#stopped) this.start();
  }

  async #write(): Promise<void> {
    const uses = [...this.#pending].map(([id, use]): ClientKeyUse => ({ id, ...use }));
    this.#pending = new Map();
    for (let from = 0; from < uses.length; from += USES_PER_WRITE_MAX) {
      const part = uses.slice(from, from + USES_PER_WRITE_MAX);
      try {
        await this.#store.write((tx) => tx.clientKeys.touch(part));
      } catch (cause) {
        this.#log.warn(
          { err: cause, keys: uses.length - from },
          "uses of client keys not written yet",
        );
        this.#putBack(uses.slice(from));
        return;
      }
    }
  }

  #putBack(uses: readonly ClientKeyUse[]): void {
    for (const { id, count, lastUsedAt } of uses) {
      const later = this.#pending.get(id);
      this.#pending.set(id, {
        count: count + (later?.count ?? 0),
        lastUsedAt: Math.max(lastUsedAt, later?.lastUsedAt ?? 0),
      });
    }
  }
}
