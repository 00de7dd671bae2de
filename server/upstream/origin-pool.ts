import { Connection, type ConnectionHome } from "./connection.js";
import type { Connect } from "./connect.js";
import type { Flight } from "./flight.js";
import type { UpstreamLimits } from "./limits.js";
import { Roster } from "../core/roster.js";

export interface OriginPoolOptions {
  /** As in the Host header. */
  readonly host: string;
  readonly connect: Connect;
  readonly limits: UpstreamLimits;
  /** Seconds counted so far. */
  readonly tick: () => number;
}

/** The connections to one origin. The newest idle one is taken first, so that a peak's others can close. */
export class OriginPool implements ConnectionHome {
  readonly host: string;
  readonly connect: Connect;
  readonly limits: UpstreamLimits;
  readonly #tick: () => number;
  readonly #idle = new Roster<Connection>();
  readonly #waiting = new Set<Flight>();
  /** Higher than that of pools which were used before. */
  usedAt = 0;
  #open = 0;
  #closed = false;

  constructor(options: OriginPoolOptions) {
    this.host = options.host;
    this.connect = options.connect;
    this.limits = options.limits;
    this.#tick = options.tick;
  }

  /** Calls that have or wait for a connection. */
  get busy(): number {
    return this.#open - this.#idle.size + this.#waiting.size;
  }

  /** Connections that nothing uses. */
  get idle(): number {
    return this.#idle.size;
  }

  /** Sends now, or when a connection is free. */
  send(flight: Flight): void {
    flight.pool = this;
    const connection = this.#takeIdle();
    if (connection !== undefined) {
      connection.send(flight);
    } else if (this.#open < this.limits.socketsPerOriginMax) {
      this.#open++;
      this.#openFor(flight);
    } else if (this.#waiting.size < this.limits.waitingPerOriginMax) {
      this.#waiting.add(flight);
    } else {
      flight.fail({
        kind: "OVERLOADED",
        detail: "too many calls wait for this provider",
        unsent: true,
      });
    }
  }

  /** Drops a call that still waits. */
  forget(flight: Flight): void {
    this.#waiting.delete(flight);
  }

  /** Closes connections that have been idle for long enough by the second `tick`. */
  sweep(tick: number): void {
    this.#idle.each((connection) => {
      if (connection.isStale(tick)) connection.destroy();
    });
  }

  /** Closes what is idle now and the rest when its call ends. */
  close(): void {
    this.#closed = true;
    this.#idle.each((connection) => {
      connection.destroy();
    });
  }

  onFree(connection: Connection): void {
    const flight = this.#nextWaiting();
    if (flight !== undefined) {
      connection.send(flight);
    } else if (this.#closed) {
      connection.destroy();
    } else {
      this.#idle.add(connection);
      connection.rest(this.#tick());
    }
  }

  onGone(connection: Connection, retry: Flight | undefined): void {
    this.#idle.delete(connection);
    retry?.onRetry();
    const flight = retry ?? this.#nextWaiting();
    if (flight === undefined) this.#open--;
    else this.#openFor(flight);
  }

  #openFor(flight: Flight): void {
    new Connection(this, flight).open();
  }

  #takeIdle(): Connection | undefined {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined || connection.usable) return connection;
      connection.destroy();
    }
  }

  #nextWaiting(): Flight | undefined {
    for (const flight of this.#waiting) {
      this.#waiting.delete(flight);
      if (!flight.over) return flight;
    }
    return undefined;
  }
}
