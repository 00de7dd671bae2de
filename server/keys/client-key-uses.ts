import type { Clock, Timer } from "../core/clock.js";
import type { Logger } from "../core/logger.js";
import type { ClientKeyUse, KeysStore } from "./ports.js";

export const USES_FLUSH_MS = 5_000;
/** Uses in one transaction, so that it stays short. */
const USES_PER_WRITE_MAX = 500;

/** Addresses of one key that are kept between two writes; further ones are seen after the next write. */
const ADDRESSES_MAX = 16;

interface PendingUse {
  count: number;
  lastUsedAt: number;
  /** The address of the last use. */
  ip: string;
  /** The others; most keys have none. */
  others: string[] | undefined;
}

/**
 * Counts uses of client keys in memory and writes the sums every few seconds: the request path pays for
 * one addition. Counters that could not be written are kept and tried again.
 */
export class ClientKeyUses {
  readonly #store: KeysStore;
  readonly #clock: Clock;
  readonly #log: Logger;
  #pending = new Map<string, PendingUse>();
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
  count(clientKeyId: string, ip: string): void {
    const nowMs = this.#clock.now();
    const use = this.#pending.get(clientKeyId);
    if (use === undefined) {
      this.#pending.set(clientKeyId, { count: 1, lastUsedAt: nowMs, ip, others: undefined });
    } else {
      use.count += 1;
      use.lastUsedAt = nowMs;
      if (use.ip !== ip) moveTo(use, ip);
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
    const uses = [...this.#pending].map(([id, use]) => clientKeyUse(id, use));
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
    for (const { id, count, lastUsedAt, addresses } of uses) {
      const later = this.#pending.get(id);
      const use: PendingUse = {
        count: count + (later?.count ?? 0),
        lastUsedAt: Math.max(lastUsedAt, later?.lastUsedAt ?? 0),
        ip: "",
        others: undefined,
      };
      const known = later === undefined ? [] : clientKeyUse(id, later).addresses;
      for (const ip of [...addresses, ...known]) moveTo(use, ip);
      this.#pending.set(id, use);
    }
  }
}

/** Makes an address the one of the last use; the one before is kept among the others. */
function moveTo(use: PendingUse, ip: string): void {
  if (use.ip !== "" && use.ip !== ip) {
    const others = (use.others ??= []);
    const place = others.indexOf(ip);
    if (place >= 0) others[place] = use.ip;
    else if (others.length < ADDRESSES_MAX - 1) others.push(use.ip);
  }
  use.ip = ip;
}

function clientKeyUse(
  id: string,
  { count, lastUsedAt, ip, others = [] }: PendingUse,
): ClientKeyUse {
  return { id, count, lastUsedAt, addresses: ip === "" ? others : [...others, ip] };
}
