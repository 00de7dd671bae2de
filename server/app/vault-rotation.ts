import type { RotationProgress } from "../control/system-rotation.js";
import type { Clock } from "../core/clock.js";
import { Fault, toFault } from "../core/fault.js";
import type { Logger } from "../core/logger.js";
import { numberOf } from "../core/number-of.js";
import type { SealedRecords } from "../keys/sealed-records.js";
import { rotateVaultKey } from "../vault/rotation.js";
import type { Vault } from "../vault/vault.js";

export interface VaultRotationOptions {
  readonly vault: Vault;
  readonly records: SealedRecords;
  /** How many secrets are stored. */
  readonly count: () => Promise<number>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The rotation of the vault key. Only one runs at a time: asking for another joins it. It continues without watchers;
 * one that a stop or a lock cut off continues at the next unlock.
 */
export class VaultRotation {
  readonly #options: VaultRotationOptions;
  readonly #listeners = new Set<() => void>();
  #latest: RotationProgress | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(options: VaultRotationOptions) {
    this.#options = options;
  }

  /** The progress of the running rotation, or of the last one since the start; undefined before the first. */
  get latest(): RotationProgress | undefined {
    return this.#latest;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Calls `listener` at each step; the returned function ends that. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Starts a rotation, continues one that was cut off, or joins the one that runs. Throws Fault `vault_locked`. */
  begin(): void {
    const { vault, clock } = this.#options;
    if (this.#running !== undefined || this.#stopped) return;
    if (vault.state !== "UNLOCKED") {
      throw new Fault("vault_locked", "The vault is locked; unlock it, then rotate its key.");
    }
    const toVersion = vault.status().vaultKeyVersion + (vault.rotationPending ? 0 : 1);
    this.#tell({
      state: "RUNNING",
      toVersion,
      done: 0,
      total: 0,
      skipped: 0,
      startedAtMs: clock.now(),
      elapsedMs: 0,
      message: "",
    });
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Ends after the rows under way; nothing is lost by it. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    const { vault, records, clock, logger } = this.#options;
    try {
      const total = await this.#options.count();
      this.#step({ total });
      const source = { rows: () => records.rows(), save: records.save.bind(records) };
      for await (const progress of rotateVaultKey({ vault, source, clock })) {
        const { toVersion, seen, refused, finished, retired } = progress;
        // A later pass looks at every row again: what was done before stays done.
        const done = Math.min(total, Math.max(this.#latest?.done ?? 0, seen - refused.length));
        this.#step({ toVersion, done, skipped: refused.length });
        if (finished) this.#finish(total, refused.length, retired);
        if (this.#stopped) return;
      }
    } catch (error) {
      const { publicMessage } = toFault(error);
      const message = `${publicMessage} What was re-sealed stays so; the rest goes on at the next unlock or when asked again.`;
      this.#step({ state: "FAILED", message });
      logger.warn({ err: error }, "the rotation of the vault key stopped before its end");
    }
  }

  #finish(total: number, skipped: number, retired: boolean): void {
    const message = retired
      ? "The old vault key is retired: nothing is sealed with it any more."
      : `${numberOf(skipped, "secret does", "secrets do")} not open; the old vault key is kept until each of them is deleted or entered again.`;
    this.#step({ state: "DONE", done: total - skipped, message });
    const { toVersion, elapsedMs } = this.#latest ?? {};
    this.#options.logger.info(
      { toVersion, total, skipped, elapsedMs },
      "the vault key was rotated",
    );
  }

  #step(change: Partial<RotationProgress>): void {
    if (this.#latest === undefined) return;
    const elapsedMs = this.#options.clock.now() - this.#latest.startedAtMs;
    this.#tell({ ...this.#latest, ...change, elapsedMs });
  }

  #tell(progress: RotationProgress): void {
    this.#latest = progress;
    for (const listener of this.#listeners) listener();
  }
}
