import assert from "node:assert/strict";
import { Socket } from "node:net";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.js";
import {
  CONNECTION_LIMITS,
  type ConnectionLimits,
  type ControlConnection,
  ControlConnections,
} from "./connections.js";

/** A socket that is connected to nothing. */
function socketFrom(ip: string): Socket {
  return Object.defineProperty(new Socket(), "remoteAddress", { value: ip });
}

class World {
  readonly clock = new FakeClock();
  readonly begun: ControlConnection[] = [];
  readonly #connections: ControlConnections;

  constructor(limits: Partial<ConnectionLimits>) {
    this.#connections = new ControlConnections(this.clock, { ...CONNECTION_LIMITS, ...limits });
  }

  connect(ip: string): Socket {
    const socket = socketFrom(ip);
    this.#connections.admit(socket, (connection) => this.begun.push(connection));
    return socket;
  }

  begin(ip: string): ControlConnection {
    this.connect(ip);
    const connection = this.begun.at(-1);
    assert(connection !== undefined && connection.ip === ip);
    return connection;
  }

  get begunFrom(): string[] {
    return this.begun.map(({ ip }) => ip);
  }
}

test("so many connections begin in a second, in turns between addresses", () => {
  const world = new World({ connectionsPerSecond: 10, connectionsBurst: 2 });
  for (const ip of ["1.1.1.1", "1.1.1.1", "1.1.1.1", "1.1.1.1", "2.2.2.2"]) world.connect(ip);
  assert.equal(world.begun.length, 2);
  world.clock.advance(100);
  world.clock.advance(100);
  assert.deepEqual(world.begunFrom.toSorted(), ["1.1.1.1", "1.1.1.1", "1.1.1.1", "2.2.2.2"]);
});

test("a connection that shows a good credential lets another begin", () => {
  const world = new World({ connectionsPerSecond: 1, connectionsBurst: 1 });
  for (let i = 0; i < 50; i++) world.begin("1.1.1.1").belongsTo("u");
});

test("of too many that wait, the address that has most loses one", () => {
  const world = new World({
    connectionsPerSecond: 1,
    connectionsBurst: 1,
    connectionsWaitingMax: 3,
  });
  world.connect("1.1.1.1");
  const crowd = [1, 2, 3].map(() => world.connect("1.1.1.1"));
  const other = world.connect("2.2.2.2");
  assert.deepEqual(
    crowd.map(({ destroyed }) => destroyed),
    [false, false, true],
  );
  assert.equal(other.destroyed, false);
});

test("of too many strangers, the address that has most loses its oldest; a /64 is one address", () => {
  const world = new World({ connectionsOfStrangersMax: 3 });
  const other = world.connect("2.2.2.2");
  const crowd = ["2001:db8::1", "2001:db8::2", "2001:db8::3"].map((ip) => world.connect(ip));
  assert.deepEqual(
    crowd.map(({ destroyed }) => destroyed),
    [true, false, false],
  );
  assert.equal(other.destroyed, false);
});

test("who has shown a good credential is crowded out by no stranger, but by own connections alone", () => {
  const world = new World({ connectionsOfStrangersMax: 2, connectionsOfUsersMax: 2 });
  const [alice, bob] = [world.begin("1.1.1.1"), world.begin("1.1.1.1")];
  alice.belongsTo("alice");
  bob.belongsTo("bob");
  bob.belongsTo("bobs-other-key");
  for (let i = 0; i < 10; i++) world.connect("1.1.1.1");
  const more = world.begin("1.1.1.1");
  more.belongsTo("alice");
  assert.deepEqual(
    [alice, bob, more].map(({ socket }) => socket.destroyed),
    [true, false, false],
  );
  bob.belongsTo(undefined);
  world.connect("1.1.1.1");
  world.connect("1.1.1.1");
  assert.equal(bob.socket.destroyed, true, "its credential is good no more");
});

test("a stranger's frames are counted up to a bound, and whoever is known is read more slowly", () => {
  const world = new World({
    strangersFramesPerSecond: 1,
    strangersFramesBurst: 10,
    usersFramesPerSecond: 100,
    usersFramesBurst: 20,
  });
  const stranger = world.begin("1.1.1.1");
  assert.deepEqual([stranger.takes(10), stranger.takes(1)], [true, false]);
  const known = world.begin("1.1.1.1");
  known.belongsTo("u");
  assert.equal(known.takes(70), true);
  assert.equal(known.waitMs, 500);
  world.clock.advance(500);
  assert.equal(known.waitMs, 0);
});

test("a peer is known by the address that lists have: not as a mapped one, nor with an interface", () => {
  const world = new World({});
  world.connect("::ffff:192.0.2.7");
  world.connect("fe80::2%eth0");
  assert.deepEqual(world.begunFrom, ["192.0.2.7", "fe80::2"]);
});
