import { type Holder, NOBODY } from "../core/client-key.js";
import { FairRoom } from "../core/fair-room.js";
import { FairTurns } from "../core/fair-turns.js";
import { Connection, type ConnectionPool } from "./connection.js";
import type { Connect } from "./connect.js";
import type { Flight } from "./flight.js";
import type { UpstreamLimits } from "./limits.js";
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

/** So many times what is left free somebody's calls may be, as at the admission: one user has 14 of 15 connections. */
const TIMES_FREE = 7;

/**
 * The connections to one origin. The newest idle one is taken first, so that those that only a peak needed can close.
 * Some are left to others however long the calls of one user last. Whoever waits takes turns, and where no more calls
 * may wait, the user with the most waiting calls gives one up for a user with fewer.
 */
export class OriginPool implements ConnectionPool {
  readonly host: string;
  readonly connect: Connect;
  readonly limits: UpstreamLimits;
  readonly holder: Holder;
  readonly #tick: () => number;
  readonly #idle = new Roster<Connection>();
  /** Whoever waits is one for whom there is no room. */
  readonly #waiting = new FairTurns<Flight>();
  readonly #room: FairRoom;
  /** Higher than that of pools which were used before. */
  usedAt = 0;
  #open = 0;
  #closed = false;

  constructor(options: OriginPoolOptions) {
    this.host = options.host;
    this.connect = options.connect;
    this.limits = options.limits;
    this.holder = options.holder ?? NOBODY;
    this.#tick = options.tick;
    this.#room = new FairRoom(options.limits.socketsPerOriginMax, TIMES_FREE);
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
    const holder = holderOf(flight);
    if (this.#room.mayTake(holder, 1)) this.#begin(flight, holder);
    else this.#wait(flight, holder);
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
    this.#leave(connection);
    this.#idle.add(connection);
    connection.rest(this.#tick());
    this.#goOn();
    if (this.#closed) this.close();
  }

  onGone(connection: Connection, retry: Flight | undefined): void {
    this.#idle.delete(connection);
    retry?.onRetry();
    if (retry !== undefined && connection.holder !== undefined) {
      this.#openFor(retry, connection.holder);
      return;
    }
    this.#open--;
    this.#leave(connection);
    this.#goOn();
  }

  /** Nothing, for one that lay idle. */
  #leave(connection: Connection): void {
    if (connection.holder !== undefined) this.#room.give(connection.holder, 1);
    connection.holder = undefined;
  }

  /** Those next in turn begin for whom there is room now. */
  #goOn(): void {
    while (this.#waiting.size > 0) {
      const flight = this.#waiting.next(this.#hasRoom);
      if (flight === undefined) return;
      const holder = holderOf(flight);
      this.#room.mayTake(holder, 1);
      this.#begin(flight, holder);
    }
  }

  readonly #hasRoom = (holder: Holder): boolean => this.#room.hasRoom(holder, 1);

  #begin(flight: Flight, holder: Holder): void {
    const connection = this.#takeIdle();
    if (connection === undefined) {
      this.#open++;
      this.#openFor(flight, holder);
    } else {
      connection.holder = holder;
      connection.send(flight);
    }
  }

  #wait(flight: Flight, holder: Holder): void {
    if (this.#waiting.size < this.limits.waitingPerOriginMax) {
      flight.turn = this.#waiting.add(holder, flight);
      return;
    }
    const crowded = this.#waiting.giveWay(holder);
    if (crowded !== undefined) flight.turn = this.#waiting.add(holder, flight);
    turnAway(crowded ?? flight);
  }

  #openFor(flight: Flight, holder: Holder): void {
    const connection = new Connection(this, flight);
    connection.holder = holder;
    connection.open();
  }

  #takeIdle(): Connection | undefined {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined || connection.usable) return connection;
      connection.destroy();
    }
  }
}

function holderOf({ request }: Flight): Holder {
  return request.holder ?? NOBODY;
}

function turnAway(flight: Flight): void {
  const detail = "too many calls wait for this provider";
  flight.fail({ kind: "OVERLOADED", detail, unsent: true });
}
