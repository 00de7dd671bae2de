import { type Holder, NOBODY } from "../core/client-key.js";
import { FairTurns } from "../core/fair-turns.js";
import { Connection, type ConnectionPool } from "./connection.js";
import type { Connect } from "./connect.js";
import type { Flight } from "./flight.js";
import type { UpstreamLimits } from "./limits.js";
import { RequestHeads } from "./request-text.js";
import { Roster } from "../core/roster.js";

export interface OriginPoolOptions {
  /** As in the Host header. */
  readonly host: string;
  readonly connect: Connect;
  readonly limits: UpstreamLimits;
  /** Whose call it is opened for; undefined for the server's own. */
  readonly holder: Holder | undefined;
  /** Seconds counted so far. */
  readonly tick: () => number;
}

/**
 * The connections to one origin. The newest idle one is taken first, so that those that only a peak needed can close.
 * Where all are in use, users take turns, and where no more calls may wait, the user with the most waiting calls gives
 * one up for a user with fewer.
 */
export class OriginPool implements ConnectionPool {
  readonly heads: RequestHeads;
  readonly connect: Connect;
  readonly limits: UpstreamLimits;
  readonly holder: Holder;
  readonly #tick: () => number;
  readonly #idle = new Roster<Connection>();
  readonly #waiting = new FairTurns<Flight>();
  /** Higher than that of pools which were used before. */
  usedAt = 0;
  #open = 0;
  #closed = false;

  constructor(options: OriginPoolOptions) {
    this.heads = new RequestHeads(options.host);
    this.connect = options.connect;
    this.limits = options.limits;
    this.holder = options.holder ?? NOBODY;
    this.#tick = options.tick;
  }

  /** Connections that have a call, or will. As long as calls wait there are such. */
  get busy(): number {
    return this.#open - this.#idle.size;
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
    } else {
      this.#wait(flight);
    }
  }

  /** Drops a call that still waits. */
  forget(flight: Flight): void {
    if (flight.turn !== undefined) this.#waiting.leave(flight.turn);
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
    const flight = this.#waiting.next();
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
    const flight = retry ?? this.#waiting.next();
    if (flight === undefined) this.#open--;
    else this.#openFor(flight);
  }

  #wait(flight: Flight): void {
    const holder = flight.request.holder ?? NOBODY;
    if (this.#waiting.size < this.limits.waitingPerOriginMax) {
      flight.turn = this.#waiting.add(holder, flight);
      return;
    }
    const crowded = this.#waiting.giveWay(holder);
    if (crowded !== undefined) flight.turn = this.#waiting.add(holder, flight);
    turnAway(crowded ?? flight);
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
}

function turnAway(flight: Flight): void {
  const detail = "too many calls wait for this provider";
  flight.fail({ kind: "OVERLOADED", detail, unsent: true });
}
