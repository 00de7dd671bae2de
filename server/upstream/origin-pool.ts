import { Client, type Dispatcher } from "undici";
import type { Flight } from "./flight.js";
import type { UpstreamLimits } from "./limits.js";
import { Roster, type Rostered } from "./roster.js";

/** One connection to an origin: at most one call at a time, and whether it has served one before. */
export interface Connection extends Rostered {
  readonly pool: OriginPool;
  readonly client: Client;
  reused: boolean;
}

/** The client library takes iterables, which its types leave out. */
type DispatchOptions = Omit<Dispatcher.DispatchOptions, "body"> & { body: never };

/**
 * The client library holds on to a body until its reply has ended. That is nothing for a short one; of a
 * long one, under thousands of open streams, it is most of the memory.
 */
const HELD_BODY_BYTES_MAX = 16 * 1024;

type Connector = NonNullable<Client.Options["connect"]>;

/**
 * The connections to one origin. The newest idle one is taken first, by index: the client library's own pool
 * looks through all its connections for a free one, which costs the more the more streams are open.
 */
export class OriginPool {
  readonly #origin: string;
  readonly #connect: Connector;
  readonly #limits: UpstreamLimits;
  readonly #idle = new Roster<Connection>();
  readonly #waiting = new Set<Flight>();
  #open = 0;
  #closed = false;

  constructor(options: { origin: string; connect: Connector; limits: UpstreamLimits }) {
    this.#origin = options.origin;
    this.#connect = options.connect;
    this.#limits = options.limits;
  }

  /** Calls that have or wait for a connection. */
  get busy(): number {
    return this.#open - this.#idle.size + this.#waiting.size;
  }

  /** Sends now, or when a connection is free. */
  send(flight: Flight): void {
    flight.pool = this;
    const connection = this.#take();
    if (connection !== undefined) {
      this.#dispatch(connection, flight);
      return;
    }
    if (this.#waiting.size >= this.#limits.waitingPerOriginMax) {
      flight.fail({ kind: "OVERLOADED", detail: "too many calls wait for this provider" });
      return;
    }
    this.#waiting.add(flight);
  }

  /** Sends once more on the same connection, which will open itself anew. */
  again(flight: Flight): void {
    const { connection } = flight;
    if (connection === undefined) return;
    connection.reused = false;
    this.#dispatch(connection, flight);
  }

  /** Drops a call that still waits. One whose connection is being opened is dropped when it is there. */
  forget(flight: Flight): void {
    this.#waiting.delete(flight);
  }

  /** The call on this connection is over. */
  release(connection: Connection): void {
    connection.reused = true;
    if (this.#closed) {
      this.#destroy(connection);
      return;
    }
    for (const flight of this.#waiting) {
      this.#waiting.delete(flight);
      if (flight.over) continue;
      this.#dispatch(connection, flight);
      return;
    }
    this.#idle.add(connection);
  }

  /** Closes what is idle now and the rest when its call ends. */
  close(): void {
    this.#closed = true;
    this.#idle.each((connection) => {
      this.#drop(connection);
    });
  }

  #take(): Connection | undefined {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    return this.#open < this.#limits.socketsPerOriginMax ? this.#make() : undefined;
  }

  #make(): Connection {
    const limits = this.#limits;
    const client = new Client(this.#origin, {
      connect: this.#connect,
      pipelining: 1,
      keepAliveTimeout: limits.keepAliveMs,
      keepAliveMaxTimeout: limits.keepAliveMs,
      // Counted by the watch, which sees all phases and runs on the injected clock.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: limits.replyHeaderBytesMax,
      maxResponseSize: limits.replyBodyBytesMax,
    });
    const connection: Connection = { pool: this, client, reused: false, place: -1 };
    // A connection that closed while idle is not kept: a peak of streams must not leave its size behind.
    client.on("disconnect", () => {
      if (this.#idle.has(connection)) this.#drop(connection);
    });
    this.#open++;
    return connection;
  }

  #dispatch(connection: Connection, flight: Flight): void {
    const { method, path, headers, body } = flight.request;
    flight.connection = connection;
    if (body === null || body.length <= HELD_BODY_BYTES_MAX) {
      connection.client.dispatch({ method, path, headers: headers as string[], body }, flight);
      return;
    }
    const length = ["content-length", String(body.length)];
    const options: DispatchOptions = {
      method,
      path,
      headers: [...headers, ...length],
      body: onceOnly(body),
    };
    connection.client.dispatch(options, flight);
  }

  #drop(connection: Connection): void {
    this.#idle.delete(connection);
    this.#destroy(connection);
  }

  #destroy(connection: Connection): void {
    this.#open--;
    connection.client.destroy(null, () => undefined);
  }
}

/** Gives the bytes once and forgets them. */
function onceOnly(bytes: Buffer): never {
  let left: Buffer | undefined = bytes;
  const source = {
    *[Symbol.iterator](): Generator<Buffer> {
      const all = left;
      left = undefined;
      if (all !== undefined) yield all;
    },
  };
  return source as never;
}
