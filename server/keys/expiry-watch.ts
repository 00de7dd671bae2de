import { SYSTEM_ACTOR } from "../core/audit.js";
import type { KnownClientKey } from "../core/client-key.js";
import type { Clock, Timer } from "../core/clock.js";
import { DAY_MS } from "../core/durations.js";
import type { Logger } from "../core/logger.js";
import type { ProviderKey } from "../core/provider-key.js";
import type { KeysStore, KeysTx } from "./ports.js";

export const EXPIRY_SWEEP_MS = 60_000;
/** Audit events of one sweep; more keys than this at once are summed up in the last one. */
const EVENTS_PER_SWEEP_MAX = 500;
/** A place further ahead is that of a clock which was wrong; nothing would be announced until then. */
const SET_BACK_MAX_MS = DAY_MS;
/** Where the last sweep got to, so that a restart neither repeats nor misses a notice. */
const SWEPT_UNTIL = "keys.expiry_swept_until";

/** Client keys by their expiry; the directory knows them all. */
export interface ExpiringKeys {
  expiringWithin(afterMs: number, untilMs: number): readonly KnownClientKey[];
}

interface Expired {
  readonly action: "client_key.expire" | "provider_key.expire";
  readonly id: string;
  readonly name: string;
  readonly ownerId: string;
}

/**
 * Tells when keys expire: one audit event and one log line for each, once. Expired keys are refused by
 * their date alone; this is for their owners.
 */
export class ExpiryWatch {
  readonly #store: KeysStore;
  readonly #clientKeys: ExpiringKeys;
  readonly #clock: Clock;
  readonly #log: Logger;
  #timer: Timer | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: { store: KeysStore; clientKeys: ExpiringKeys; clock: Clock; log: Logger }) {
    this.#store = options.store;
    this.#clientKeys = options.clientKeys;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Sweeps now and every minute. */
  start(): void {
    this.#running = this.#tick();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  /** Announces what expired since the last sweep; returns how many keys. */
  async sweep(): Promise<number> {
    const untilMs = this.#clock.now();
    const stored = await this.#store.read.settings.get(SWEPT_UNTIL);
    const afterMs = stored === undefined ? untilMs : Number(stored);
    // A clock that was set back must not announce again what was announced already.
    if (untilMs <= afterMs && stored !== undefined) {
      if (afterMs - untilMs > SET_BACK_MAX_MS) await this.#moveTo(untilMs);
      return 0;
    }
    const expired = await this.#expired(afterMs, untilMs);
    // With nothing to tell the old place is as good, and a quiet server writes nothing.
    if (stored !== undefined && expired.length === 0) return 0;
    await this.#store.write(async (tx) => {
      await announce(tx, expired);
      await tx.settings.put(SWEPT_UNTIL, String(untilMs));
    });
    for (const { action, id, ownerId } of expired.slice(0, EVENTS_PER_SWEEP_MAX)) {
      this.#log.warn({ id, owner_id: ownerId, action }, "a key has expired");
    }
    return expired.length;
  }

  async #moveTo(untilMs: number): Promise<void> {
    await this.#store.write((tx) => tx.settings.put(SWEPT_UNTIL, String(untilMs)));
  }

  async #tick(): Promise<void> {
    try {
      await this.sweep();
    } catch (cause) {
      this.#log.warn({ err: cause }, "expired keys could not be announced yet");
    }
    if (this.#stopped) return;
    this.#timer = this.#clock.setTimer(() => this.start(), EXPIRY_SWEEP_MS);
  }

  async #expired(afterMs: number, untilMs: number): Promise<readonly Expired[]> {
    const clientKeys = this.#clientKeys.expiringWithin(afterMs, untilMs);
    const providerKeys = await this.#store.read.providerKeys.expiringWithin(afterMs, untilMs);
    return [
      ...clientKeys
        .filter((key) => key.revokedAt === null)
        .map((key) => expiredKey("client_key.expire", key)),
      ...providerKeys.map((key) => expiredKey("provider_key.expire", key)),
    ];
  }
}

function expiredKey(action: Expired["action"], key: KnownClientKey | ProviderKey): Expired {
  return { action, id: key.id, name: key.name, ownerId: key.ownerId };
}

async function announce(tx: KeysTx, expired: readonly Expired[]): Promise<void> {
  const more = expired.length - EVENTS_PER_SWEEP_MAX;
  for (const [index, { action, id, name }] of expired.slice(0, EVENTS_PER_SWEEP_MAX).entries()) {
    const isLast = index === EVENTS_PER_SWEEP_MAX - 1;
    await tx.audit.append({
      actor: SYSTEM_ACTOR,
      action,
      targetId: id,
      targetName: name,
      changedFields: [],
      outcome: "OK",
      note: isLast && more > 0 ? `and ${String(more)} more keys at the same time` : "",
    });
  }
}
