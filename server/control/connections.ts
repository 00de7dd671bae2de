import type { Socket } from "node:net";
import type { Clock } from "../core/clock.js";
import type { Holder } from "../core/client-key.js";
import { FairMap } from "../core/fair-map.js";
import { addressBlock, plainIp } from "../core/ip.js";
import { Pace } from "../core/pace.js";
import { PacedTurns } from "../core/paced-turns.js";

/** What connections to the control port may take. */
export interface ConnectionLimits {
  /** Connections that begin in a second, in turns between addresses; one that shows a good credential is not counted. */
  readonly connectionsPerSecond: number;
  /** Connections that begin at once where few came before. */
  readonly connectionsBurst: number;
  /** Connections that wait for their turn to begin; of more, the address that has most loses its newest. */
  readonly connectionsWaitingMax: number;
  /** Connections without a good credential; of more, the address that has most loses its oldest. */
  readonly connectionsOfStrangersMax: number;
  /** Connections with a good credential; of more, the user who has most loses the oldest. */
  readonly connectionsOfUsersMax: number;
  /**
   * Small frames that a connection without a good credential may send in a second; a request counts as four, one that is
   * reset as twelve, a long piece of a message as none. Beyond the burst the connection is closed.
   */
  readonly strangersFramesPerSecond: number;
  /** Of these, as many at once where few came before. */
  readonly strangersFramesBurst: number;
  /** Small frames of a connection with a good credential; beyond the burst it is read more slowly. */
  readonly usersFramesPerSecond: number;
  /** Of these, as many at once where few came before. */
  readonly usersFramesBurst: number;
}

export const CONNECTION_LIMITS: ConnectionLimits = {
  connectionsPerSecond: 100,
  connectionsBurst: 100,
  connectionsWaitingMax: 1_024,
  connectionsOfStrangersMax: 1_024,
  connectionsOfUsersMax: 4_096,
  strangersFramesPerSecond: 100,
  strangersFramesBurst: 600,
  usersFramesPerSecond: 5_000,
  usersFramesBurst: 10_000,
};

function strangersFrames(clock: Clock, limits: ConnectionLimits): Pace {
  const { strangersFramesPerSecond: perSecond, strangersFramesBurst: burst } = limits;
  return new Pace(clock, { perSecond, burst });
}

function usersFrames(clock: Clock, limits: ConnectionLimits): Pace {
  const { usersFramesPerSecond: perSecond, usersFramesBurst: burst } = limits;
  return new Pace(clock, { perSecond, burst });
}

/** A connection to the control port. */
export class ControlConnection {
  readonly id: string;
  /** Address of the other end. */
  readonly ip: string;
  readonly socket: Socket;
  /** Whose it is; undefined until it has shown a good credential. */
  userId: string | undefined;
  /** Ends it as one that asks for too much. */
  calm: () => void;
  readonly #connections: ControlConnections;
  readonly #clock: Clock;
  #frames: Pace;

  constructor(connections: ControlConnections, clock: Clock, from: { id: string; socket: Socket }) {
    this.id = from.id;
    this.socket = from.socket;
    this.ip = plainIp(from.socket.remoteAddress ?? "");
    this.calm = () => void from.socket.destroy();
    this.#connections = connections;
    this.#clock = clock;
    this.#frames = strangersFrames(clock, connections.limits);
  }

  /** Hears whose it is now; undefined of whoever shows no good credential any more. */
  belongsTo(userId: string | undefined): void {
    if (this.userId === userId || this.socket.destroyed) return;
    const { limits } = this.#connections;
    if (userId === undefined) this.#frames = strangersFrames(this.#clock, limits);
    else if (this.userId === undefined) this.#frames = usersFrames(this.#clock, limits);
    this.#connections.move(this, userId);
  }

  /** Takes what frames cost; false when a stranger has none left. */
  takes(cost: number): boolean {
    if (this.userId === undefined) return this.#frames.mayTake(cost);
    this.#frames.take(cost);
    return true;
  }

  /** How long nothing more is read of it. */
  get waitMs(): number {
    return this.userId === undefined ? 0 : this.#frames.waitMs(0);
  }

  later(work: () => void, ms: number): void {
    this.#clock.setTimer(work, ms);
  }
}

interface Waiting {
  readonly connection: ControlConnection;
  readonly begin: () => void;
}

/**
 * The connections to the control port. They begin in turns, address by address, so many in a second, and so many are
 * open at a time: whoever has no good credential shuts out nobody by making connections or by keeping them.
 */
export class ControlConnections {
  readonly limits: ConnectionLimits;
  readonly #clock: Clock;
  readonly #waiting: PacedTurns<Waiting>;
  readonly #strangers: FairMap<ControlConnection>;
  readonly #known: FairMap<ControlConnection>;
  /** It leaves its place for another. */
  #moving: ControlConnection | undefined;
  #count = 0;

  constructor(clock: Clock, limits: ConnectionLimits = CONNECTION_LIMITS) {
    this.#clock = clock;
    this.limits = limits;
    const { connectionsPerSecond: perSecond, connectionsBurst: burst } = limits;
    this.#waiting = new PacedTurns({
      clock,
      pace: { perSecond, burst },
      begin: (waiting) => {
        this.#begin(waiting);
      },
    });
    const crowdedOut = (connection: ControlConnection): void => {
      if (connection !== this.#moving) connection.socket.destroy();
    };
    this.#strangers = new FairMap(limits.connectionsOfStrangersMax, crowdedOut);
    this.#known = new FairMap(limits.connectionsOfUsersMax, crowdedOut);
  }

  /** Takes a connection that was just made, of which nothing is read yet; calls back when its turn has come. */
  admit(socket: Socket, begin: (connection: ControlConnection) => void): void {
    const connection = new ControlConnection(this, this.#clock, {
      id: String(++this.#count),
      socket,
    });
    socket.on("error", () => socket.destroy());
    const { ip, id } = connection;
    if (this.#waiting.size >= this.limits.connectionsWaitingMax) {
      const crowded = this.#waiting.giveWay(ip, id);
      (crowded?.connection.socket ?? socket).destroy();
      if (crowded === undefined) return;
    }
    const place = this.#waiting.add(ip, id, { connection, begin: () => begin(connection) });
    socket.once("close", () => {
      this.#waiting.leave(place);
      this.#strangers.delete(id);
      this.#known.delete(id);
    });
  }

  /** Puts a connection among those of its user, or of strangers. */
  move(connection: ControlConnection, userId: string | undefined): void {
    const { id, ip, userId: before } = connection;
    this.#moving = connection;
    (before === undefined ? this.#strangers : this.#known).delete(id);
    this.#moving = undefined;
    connection.userId = userId;
    if (before === undefined) this.#waiting.giveBack();
    if (userId === undefined) this.#strangers.set(holderOf(ip, ip), id, connection);
    else this.#known.set(holderOf(userId, userId), id, connection);
  }

  #begin({ connection, begin }: Waiting): void {
    this.#strangers.set(holderOf(connection.ip, connection.ip), connection.id, connection);
    begin();
  }
}

/** An IPv6 caller counts as its /64. */
function holderOf(owner: string, id: string): Holder {
  return { ownerId: addressBlock(owner), clientKey: { id } };
}
