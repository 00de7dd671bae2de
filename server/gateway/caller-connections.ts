import type { Socket } from "node:net";
import type { Clock } from "../core/clock.js";
import { Fault } from "../core/fault.js";
import type { Logger } from "../core/logger.js";
import { AddressCounts } from "../core/address-counts.js";

/**
 * Why a connection was turned away: too many in all, too many of one address, or no TLS where TLS is spoken; or why it
 * was closed: too much of its answer was left unread.
 */
export type ConnectionRefusal = "TOTAL" | "ADDRESS" | "HANDSHAKE" | "UNREAD";

/** A flood of refusals is told this often. */
const LOG_INTERVAL_MS = 60_000;

export interface CallerConnectionsOptions {
  readonly perAddressMax: number;
  /** Addresses that may have any number: proxies, which bring the calls of many, and this host. */
  readonly exempts: (ip: string) => boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The connections of callers: how many are open, and which were turned away. */
export class CallerConnections {
  readonly #options: CallerConnectionsOptions;
  readonly #counts: AddressCounts;
  readonly #refused = new Map<ConnectionRefusal, number>();
  #loggedMs = Number.NEGATIVE_INFINITY;
  #open = 0;

  constructor(options: CallerConnectionsOptions) {
    this.#options = options;
    this.#counts = new AddressCounts(options.perAddressMax);
  }

  get open(): number {
    return this.#open;
  }

  refusals(reason: ConnectionRefusal): number {
    return this.#refused.get(reason) ?? 0;
  }

  /**
   * Takes a connection that was just made. One too many is reset, and false answered: an answer would need its
   * request read, or its TLS spoken, which is what is short.
   */
  take(socket: Socket, ip: string): boolean {
    const counted = !this.#options.exempts(ip);
    if (counted && !this.#counts.enter(ip)) {
      socket.on("error", () => undefined);
      socket.resetAndDestroy();
      this.refuse("ADDRESS", ip);
      return false;
    }
    this.#open++;
    socket.once("close", () => {
      this.#open--;
      if (counted) this.#counts.leave(ip);
    });
    return true;
  }

  /** Counts a call that a trusted proxy brought from `ip`. Throws Fault `rate_limit_exceeded` when the address has all that it may. */
  enterCall(ip: string): void {
    if (this.#counts.enter(ip)) return;
    throw new Fault(
      "rate_limit_exceeded",
      "Your address has too many calls under way; try again shortly.",
      { retryAfterSeconds: 1 },
    );
  }

  leaveCall(ip: string): void {
    this.#counts.leave(ip);
  }

  /** Counts a connection that was turned away. */
  refuse(reason: ConnectionRefusal, ip: string): void {
    this.#refused.set(reason, this.refusals(reason) + 1);
    const { clock, logger } = this.#options;
    // Port scans and health checks end in the middle of a handshake all the time.
    if (reason === "HANDSHAKE" || clock.monotonic() - this.#loggedMs < LOG_INTERVAL_MS) return;
    this.#loggedMs = clock.monotonic();
    const why = reason === "UNREAD" ? "too much is left unread" : "too many are open";
    logger.warn({ ip, reason }, `a caller's connection was refused: ${why}`);
  }
}
