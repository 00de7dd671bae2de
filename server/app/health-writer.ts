import type { Clock, Timer } from "../core/clock.js";
import type { Logger } from "../core/logger.js";
import type { KeyHealth } from "../core/provider-key.js";
import type { KeysStore } from "../keys/ports.js";

/** Health is written this often: it changes with every call, and only a restart reads it back. */
const FLUSH_MS = 2_000;

interface HealthRow {
  readonly providerKeyId: string;
  readonly health: KeyHealth;
}

/** Writes the health of provider keys to the database, in batches, behind the pool that decides by it. */
export class HealthWriter {
  readonly #store: KeysStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #takeChanged: () => readonly HealthRow[];
  /** Taken from the pool and not written yet; the newest of each key. */
  readonly #pending = new Map<string, KeyHealth>();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: {
    store: KeysStore;
    clock: Clock;
    logger: Logger;
    /** Hands out what changed since it was last asked. */
    takeChanged: () => readonly HealthRow[];
  }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#takeChanged = options.takeChanged;
  }

  start(): void {
    this.#timer = this.#clock.setTimer(() => {
      void this.flush().then(() => {
        if (!this.#stopped) this.start();
      });
    }, FLUSH_MS);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.flush();
  }

  /** Writes what changed; what cannot be written now is kept for the next time. */
  async flush(): Promise<void> {
    for (const { providerKeyId, health } of this.#takeChanged()) {
      this.#pending.set(providerKeyId, health);
    }
    if (this.#pending.size === 0) return;
    const batch = [...this.#pending];
    try {
      await this.#store.write(async (tx) => {
        for (const [id, health] of batch) await tx.providerKeys.saveHealth(id, health);
      });
      this.#pending.clear();
    } catch (error) {
      this.#logger.warn({ err: error, keys: batch.length }, "key health could not be written yet");
    }
  }
}
