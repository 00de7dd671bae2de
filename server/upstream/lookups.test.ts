import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.js";
import { Lookups } from "./lookups.js";
import type { Resolve } from "./url-policy.js";

const HOUR_MS = 3_600_000;

/** A resolver that answers when it is told to, and those who ask. */
class World {
  readonly clock = new FakeClock();
  /** Names that it was asked for. */
  readonly asked: string[] = [];
  /** Names that the name servers were asked for. */
  readonly askedServers: string[] = [];
  readonly #open = new Map<string, Parameters<Resolve>[1]>();
  readonly #openAtServers = new Map<string, Parameters<Resolve>[1]>();
  readonly #lookups = new Lookups({
    clock: this.clock,
    lookUp: (hostname, done) => {
      this.asked.push(hostname);
      this.#open.set(hostname, done);
    },
    askServers: (hostname, done) => {
      this.askedServers.push(hostname);
      this.#openAtServers.set(hostname, done);
    },
  });

  /** What whoever asks is told: nothing as long as nobody says anything. */
  ask(hostname: string): string[] {
    const told: string[] = [];
    this.#lookups.resolve(hostname, (error, addresses) => {
      told.push(error?.message ?? addresses.map(({ address }) => address).join());
    });
    return told;
  }

  answer(hostname: string, address: string): void {
    this.#open.get(hostname)?.(null, [{ address, family: 4 }]);
  }

  fail(hostname: string, code: string): void {
    this.#open.get(hostname)?.(Object.assign(new Error(code), { code }), []);
  }

  serversAnswer(hostname: string, address: string): void {
    this.#openAtServers.get(hostname)?.(null, [{ address, family: 4 }]);
  }

  serversFail(hostname: string, code: string): void {
    this.#openAtServers.get(hostname)?.(Object.assign(new Error(code), { code }), []);
  }
}

test("a name is asked for once at a time, however many want it", () => {
  const world = new World();
  const told = [world.ask("a.example"), world.ask("a.example"), world.ask("b.example")];
  assert.deepEqual(world.asked, ["a.example", "b.example"]);
  world.answer("a.example", "192.0.2.1");
  assert.deepEqual(told, [["192.0.2.1"], ["192.0.2.1"], []]);
  world.ask("a.example");
  assert.deepEqual(world.asked, ["a.example", "b.example", "a.example"], "and anew the next time");
});

test("where an answer takes long or none comes, the last one will do for an hour", () => {
  const world = new World();
  world.ask("a.example");
  world.answer("a.example", "192.0.2.1");
  const slow = world.ask("a.example");
  world.clock.advance(999);
  const later = world.ask("a.example");
  assert.deepEqual([slow, later], [[], []], "a newer one may come");
  world.clock.advance(1);
  assert.deepEqual([slow, later], [["192.0.2.1"], []]);
  world.fail("a.example", "EAI_AGAIN");
  assert.deepEqual([slow, later], [["192.0.2.1"], ["192.0.2.1"]]);
  const lacking = world.ask("a.example");
  world.fail("a.example", "EMFILE");
  assert.deepEqual(lacking, ["192.0.2.1"], "that this host cannot ask says nothing of the name");
  world.clock.advance(HOUR_MS);
  const outdated = world.ask("a.example");
  world.clock.advance(60_000);
  assert.deepEqual(outdated, []);
  world.fail("a.example", "EAI_AGAIN");
  assert.deepEqual(outdated, ["EAI_AGAIN"]);
});

test("a newer answer holds, also that there is no such name", () => {
  const world = new World();
  world.ask("a.example");
  world.answer("a.example", "192.0.2.1");
  const moved = world.ask("a.example");
  world.answer("a.example", "192.0.2.2");
  assert.deepEqual(moved, ["192.0.2.2"]);
  const gone = world.ask("a.example");
  world.fail("a.example", "ENOTFOUND");
  assert.deepEqual(gone, ["ENOTFOUND"]);
  const again = world.ask("a.example");
  world.clock.advance(5_000);
  assert.deepEqual(again, [], "what was before is forgotten");
});

test("no more wait for a name than there is room for, and those who leave make some", () => {
  const world = new World();
  const told = Array.from({ length: 8_192 }, () => world.ask("a.example"));
  assert.deepEqual(world.ask("a.example"), ["too many wait for this name"]);
  assert.deepEqual(world.ask("b.example"), []);
  world.answer("a.example", "192.0.2.1");
  assert.ok(told.every(([first]) => first === "192.0.2.1"));
  assert.deepEqual(world.ask("a.example"), []);
});

test("names that nobody answers for keep no name from being looked up that was never asked for before", () => {
  const world = new World();
  const dead = ["dead-1.example", "dead-2.example", "dead-3.example"].map((name) =>
    world.ask(name),
  );
  const told = world.ask("a.example");
  assert.deepEqual(world.asked, ["dead-1.example", "dead-2.example"], "there are no more threads");
  world.clock.advance(999);
  assert.deepEqual(world.askedServers, []);
  world.clock.advance(1);
  assert.equal(world.askedServers.length, 4);
  world.serversAnswer("a.example", "192.0.2.1");
  assert.deepEqual(told, ["192.0.2.1"]);
  for (const at of [1, 2, 3]) world.serversFail(`dead-${String(at)}.example`, "ETIMEOUT");
  assert.deepEqual(dead, [[], [], ["ETIMEOUT"]], "the system may still answer for two");
  world.fail("dead-1.example", "EAI_AGAIN");
  world.fail("dead-2.example", "EAI_AGAIN");
  assert.deepEqual(dead, [["EAI_AGAIN"], ["EAI_AGAIN"], ["ETIMEOUT"]]);
  assert.equal(world.asked.length, 2, "what was answered or given up has no turn left");
  world.ask("b.example");
  assert.deepEqual(world.asked.slice(2), ["b.example"]);
});

test("a name that the system alone can know keeps its turn", () => {
  const world = new World();
  for (const name of ["dead-1.example", "dead-2.example"]) world.ask(name);
  const told = world.ask("in-hosts-file");
  world.clock.advance(1_000);
  world.serversFail("in-hosts-file", "ENOTFOUND");
  assert.deepEqual(told, []);
  world.fail("dead-2.example", "EAI_AGAIN");
  assert.deepEqual(world.asked.slice(2), ["in-hosts-file"]);
  world.answer("in-hosts-file", "192.0.2.1");
  assert.deepEqual(told, ["192.0.2.1"]);
});

test("a name that the system takes long for is whose the name servers say, until it has answered", () => {
  const world = new World();
  const first = world.ask("a.example");
  world.clock.advance(1_000);
  world.serversAnswer("a.example", "192.0.2.1");
  const second = world.ask("a.example");
  assert.deepEqual([first, second], [["192.0.2.1"], ["192.0.2.1"]]);
  assert.deepEqual(world.asked, ["a.example"], "once at a time");
  world.answer("a.example", "192.0.2.2");
  world.ask("a.example");
  assert.deepEqual(world.asked, ["a.example", "a.example"]);
  assert.equal(world.askedServers.length, 1);
});

test("where the system answers in time the name servers are not asked, and nothing waits on", () => {
  const world = new World();
  world.ask("a.example");
  world.clock.advance(999);
  world.answer("a.example", "192.0.2.1");
  world.clock.advance(5_000);
  assert.deepEqual(world.askedServers, []);
  assert.equal(world.clock.pending, 0);
});
