import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { Actor } from "../core/audit.js";
import { Secret } from "../core/secret.js";
import { SESSIONS_PER_USER_MAX } from "./sessions.js";
import { actorFor, lastEvent, NOBODY, refused, startWorld, type World } from "./testing/world.js";

const MINUTE_MS = 60_000;
const right = new Secret("alice 1234");
const wrong = new Secret("not alice's");
const login = (world: World, password = right, name = "alice") =>
  world.sessions.login(NOBODY, name, password);

test("a session begins with the right password, by name or e-mail address in any case", async () => {
  const world = await startWorld();
  await world.users.update(world.root, world.alice.userId ?? "", { email: "alice@x.test" });
  for (const name of ["alice", " ALICE ", "Alice@X.test"]) {
    const { token, session, user } = await login(world, right, name);
    const identity = await world.identities.bySession(token.reveal(), "192.0.2.1");
    assert.equal(identity.session.id, session.id);
    assert.deepEqual(identity.actor, {
      userId: user.id,
      name: "alice",
      role: "USER",
      via: "SESSION",
      ip: "192.0.2.1",
    });
    assert.equal(user.lastLoginAt, world.clock.now());
  }
  const { action, actor } = lastEvent(world);
  assert.deepEqual([action, actor.name, actor.role], ["session.login", "alice", "USER"]);
  assert.equal(actor.via, "ANONYMOUS", "the password came from nobody in particular");
});

test("only a hash of the token is stored", async () => {
  const world = await startWorld();
  const { token } = await login(world);
  assert.ok(!JSON.stringify([...world.store.tables.sessions.values()]).includes(token.reveal()));
  assert.ok(!JSON.stringify(world.store.tables.audit).includes(token.reveal()));
});

test("an unknown user, a wrong password and a lock-out read and cost the same", async () => {
  const world = await startWorld();
  const attempt = async (name: string, password: Secret) => {
    const before = [world.passwords.checks, world.store.writes, world.store.tables.audit.length];
    const fault = await refused("login_failed", () => login(world, password, name));
    const after = [world.passwords.checks, world.store.writes, world.store.tables.audit.length];
    return {
      message: fault.message,
      cost: after.map((value, index) => value - (before[index] ?? 0)),
    };
  };
  const wrongPassword = await attempt("alice", wrong);
  const unknown = await attempt("nobody-here", wrong);
  for (let n = 0; n < 4; n++) await attempt("alice", wrong);
  const lockedRight = await attempt("alice", right);
  assert.deepEqual(unknown, wrongPassword);
  assert.deepEqual(lockedRight, wrongPassword);
  assert.deepEqual(wrongPassword.cost, [1, 1, 1]);
});

test("five failures lock an account for fifteen minutes, also against the right password", async () => {
  const world = await startWorld();
  for (let n = 0; n < 4; n++) await refused("login_failed", () => login(world, wrong));
  await login(world);
  for (let n = 0; n < 5; n++) await refused("login_failed", () => login(world, wrong));
  assert.match(lastEvent(world).note, /locked out now/);
  assert.equal(lastEvent(world).outcome, "FAILED");
  await refused("login_failed", () => login(world));
  world.clock.advance(15 * MINUTE_MS - 1);
  await refused("login_failed", () => login(world));
  world.clock.advance(1);
  await login(world);
});

test("the lock-out is in the store, so it survives a restart", async () => {
  const world = await startWorld();
  for (let n = 0; n < 5; n++) await refused("login_failed", () => login(world, wrong));
  const stored = world.store.tables.users.get(world.alice.userId ?? "");
  assert.equal(stored?.failedLogins, 5);
  assert.equal(stored?.lockedUntil, world.clock.now() + 15 * MINUTE_MS);
});

test("an account that was locked while the clock was far ahead is open again when that is right", async () => {
  const world = await startWorld();
  world.clock.jumpWall(365 * 24 * 60 * MINUTE_MS);
  for (let n = 0; n < 5; n++) await refused("login_failed", () => login(world, wrong));
  await refused("login_failed", () => login(world));
  world.clock.jumpWall(-365 * 24 * 60 * MINUTE_MS);
  await login(world);
});

test("a session that began while the clock was far ahead does not outlive its minutes by a year", async () => {
  const world = await startWorld();
  world.clock.jumpWall(365 * 24 * 60 * MINUTE_MS);
  const { token } = await login(world);
  await world.identities.bySession(token.reveal(), "");
  world.clock.jumpWall(-MINUTE_MS);
  await world.identities.bySession(token.reveal(), "");
  world.clock.jumpWall(-364 * 24 * 60 * MINUTE_MS);
  await refused("session_expired", () => world.identities.bySession(token.reveal(), ""));
});

test("after a lock-out has ended, failures count from the start", async () => {
  const world = await startWorld();
  for (let n = 0; n < 5; n++) await refused("login_failed", () => login(world, wrong));
  world.clock.advance(15 * MINUTE_MS);
  for (let n = 0; n < 4; n++) await refused("login_failed", () => login(world, wrong));
  await login(world);
});

const STRANGERS = ["203.0.113.1", "203.0.113.2", "198.51.100.7", "2001:db8:1::1", "2001:db8:2::1"];
const from = (world: World, ip: string, password = right) =>
  world.sessions.login({ ...NOBODY, ip }, "alice", password);

test("strangers who guess lock out strangers, not the user where they have signed in before", async () => {
  const world = await startWorld();
  await from(world, "192.0.2.1");
  await from(world, "2001:db8:aa::1");
  for (const ip of STRANGERS) await refused("login_failed", () => from(world, ip, wrong));
  assert.match(lastEvent(world).note, /locked out now/);
  await refused("login_failed", () => from(world, "198.51.100.200"));
  await from(world, "192.0.2.1");
  await from(world, "2001:db8:aa::2");
  await refused("login_failed", () => from(world, STRANGERS[0]!));
  world.clock.advance(15 * MINUTE_MS);
  await from(world, STRANGERS[0]!);
});

test("strangers guess as often in all as the settings say, whatever the user does meanwhile", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(
          { arbitrary: fc.record({ guess: fc.constantFrom(...STRANGERS) }), weight: 6 },
          { arbitrary: fc.constant({ user: true }), weight: 1 },
          { arbitrary: fc.constant({ confirm: true }), weight: 1 },
          { arbitrary: fc.record({ minutes: fc.integer({ min: 1, max: 16 }) }), weight: 1 },
        ),
        { minLength: 30, maxLength: 60 },
      ),
      async (steps) => {
        const world = await startWorld();
        await from(world, "192.0.2.1");
        const guessedAt: number[] = [];
        for (const step of steps) {
          if ("minutes" in step) world.clock.advance(step.minutes * MINUTE_MS);
          else if ("user" in step) await from(world, "192.0.2.1");
          else if ("confirm" in step)
            await world.sessions.confirm({ ...world.alice, via: "SESSION" }, right);
          else {
            await refused("login_failed", () => from(world, step.guess, wrong));
            if (lastEvent(world).note !== "locked out") guessedAt.push(world.clock.now());
          }
        }
        for (const start of guessedAt) {
          const within = guessedAt.filter((at) => at >= start && at < start + 15 * MINUTE_MS);
          assert.ok(within.length <= 5, `${String(within.length)} guesses in 15 minutes`);
        }
      },
    ),
    { numRuns: 50 },
  );
});

test("who has signed in confirms a password while strangers are locked out, and guesses there no more than they", async () => {
  const world = await startWorld();
  const confirm = (password: Secret) =>
    world.sessions.confirm({ ...world.alice, via: "SESSION", ip: "203.0.113.99" }, password);
  for (let n = 0; n < 5; n++) await refused("login_failed", () => login(world, wrong));
  await confirm(right);
  for (let n = 0; n < 5; n++) await refused("login_failed", () => confirm(wrong));
  await refused("login_failed", () => confirm(right));
  const stored = world.store.tables.users.get(world.alice.userId ?? "");
  assert.equal(stored?.failedLogins, 10, "what is shown is of all places");
  world.clock.advance(15 * MINUTE_MS);
  await confirm(right);
});

test("an address is known for ninety days and among sixteen, and a reset password lifts every lock-out", async () => {
  const world = await startWorld();
  const lockStrangers = async () => {
    for (let n = 0; n < 5; n++) {
      await refused("login_failed", () => from(world, "203.0.113.1", wrong));
    }
  };
  for (let n = 0; n < 17; n++) {
    await from(world, `192.0.2.${String(n)}`);
    world.clock.advance(1);
  }
  await lockStrangers();
  await refused("login_failed", () => from(world, "192.0.2.0"));
  await from(world, "192.0.2.16");
  for (let n = 0; n < 5; n++) {
    await refused("login_failed", () => from(world, "192.0.2.16", wrong));
  }
  await refused("login_failed", () => from(world, "192.0.2.16"));
  await world.users.resetPassword(world.root, world.alice.userId ?? "", right);
  await from(world, "192.0.2.16");
  await lockStrangers();
  await from(world, "192.0.2.15");
  world.clock.advance(90 * 24 * 60 * MINUTE_MS);
  await lockStrangers();
  await refused("login_failed", () => from(world, "192.0.2.15"));
});

test("failures during a lock-out do not prolong it", async () => {
  const world = await startWorld();
  for (let n = 0; n < 5; n++) await refused("login_failed", () => login(world, wrong));
  world.clock.advance(10 * MINUTE_MS);
  await refused("login_failed", () => login(world, wrong));
  world.clock.advance(5 * MINUTE_MS);
  await login(world);
});

test("many guesses at once give no more tries than one after the other", async () => {
  const world = await startWorld();
  const guesses = Array.from({ length: 20 }, (_, n) => (n === 12 ? right : wrong));
  const results = await Promise.allSettled(guesses.map((guess) => login(world, guess)));
  assert.ok(results.every((result) => result.status === "rejected"));
});

test("what was typed is not kept", async () => {
  const world = await startWorld();
  await refused("login_failed", () => login(world, wrong, "my-password-typed-here"));
  const written = JSON.stringify([world.store.tables.audit, world.log.lines]);
  assert.ok(!written.includes("my-password-typed-here") && !written.includes("not alice's"));
});

test("a verifier of an older cost is made anew at the next sign-in", async () => {
  const world = await startWorld();
  world.passwords.rehash = true;
  world.passwords.hash = async () => "a newer hash";
  await login(world);
  assert.equal(
    world.store.tables.users.get(world.alice.userId ?? "")?.passwordHash,
    "a newer hash",
  );
});

test("a session ends by itself after the time in the settings", async () => {
  const world = await startWorld();
  await world.settings.update(world.root, { sessionMinutes: 5 });
  const { token } = await login(world);
  world.clock.advance(5 * MINUTE_MS - 1);
  await world.identities.bySession(token.reveal(), "");
  world.clock.advance(1);
  await refused("session_expired", () => world.identities.bySession(token.reveal(), ""));
  await login(world);
  await refused("unauthenticated", () => world.identities.bySession(token.reveal(), ""));
});

test("logout ends one session or all, and never another user's", async () => {
  const world = await startWorld();
  const first = await login(world);
  const second = await login(world);
  const ofBob = await login(world, new Secret("bob 1234"), "bob");
  const { actor } = await world.identities.bySession(first.token.reveal(), "");
  assert.equal(await world.sessions.logout(actor, ofBob.session.id), 0);
  assert.equal(await world.sessions.logout(actor, first.session.id), 1);
  await refused("unauthenticated", () => world.identities.bySession(first.token.reveal(), ""));
  assert.equal(await world.sessions.logout(actor, "", true), 1);
  await refused("unauthenticated", () => world.identities.bySession(second.token.reveal(), ""));
  await world.identities.bySession(ofBob.token.reveal(), "");
});

test("a changed password ends the other sessions and keeps this one", async () => {
  const world = await startWorld();
  const here = await login(world);
  const elsewhere = await login(world);
  const { actor } = await world.identities.bySession(here.token.reveal(), "");
  const next = new Secret("a new password");
  const ended = await world.sessions.changePassword(
    actor,
    { current: right, next },
    here.session.id,
  );
  assert.equal(ended, 1);
  assert.deepEqual(lastEvent(world).changedFields, ["password"]);
  await world.identities.bySession(here.token.reveal(), "");
  await refused("unauthenticated", () => world.identities.bySession(elsewhere.token.reveal(), ""));
  await refused("login_failed", () => login(world));
  await login(world, next);
});

test("a wrong current password is refused and counts towards the lock-out", async () => {
  const world = await startWorld();
  const { session } = await login(world);
  const next = new Secret("a new password");
  const change = (current: Secret) =>
    world.sessions.changePassword(world.alice, { current, next }, session.id);
  for (let n = 0; n < 5; n++) await refused("login_failed", () => change(wrong));
  await refused("login_failed", () => change(right));
  await refused("invalid_argument", () =>
    world.sessions.changePassword(world.alice, { current: right, next: right }, session.id),
  );
});

test("on the local socket an account without a password gets its first one", async () => {
  const world = await startWorld();
  const svc = actorFor(await world.users.create(world.root, { username: "svc" }));
  const passwords = { current: new Secret(""), next: new Secret("first password") };
  const remote: Actor = { ...svc, via: "SESSION" };
  await refused("login_failed", () => world.sessions.changePassword(remote, passwords, null));
  await world.sessions.changePassword(svc, passwords, null);
  await login(world, passwords.next, "svc");
});

test("an account without a password cannot be signed in to", async () => {
  const world = await startWorld();
  await world.users.create(world.root, { username: "svc" });
  await refused("login_failed", () => login(world, new Secret(""), "svc"));
});

test("a user has at most a hundred sessions; the oldest ends first", async () => {
  const world = await startWorld();
  const first = await login(world);
  for (let n = 1; n < SESSIONS_PER_USER_MAX; n++) {
    world.clock.advance(1);
    await login(world);
  }
  await world.identities.bySession(first.token.reveal(), "");
  world.clock.advance(1);
  await login(world);
  await refused("unauthenticated", () => world.identities.bySession(first.token.reveal(), ""));
  assert.equal(world.store.tables.sessions.size, SESSIONS_PER_USER_MAX);
});

test("the local socket acts as the first admin whose account works", async () => {
  const world = await startWorld();
  assert.equal(world.identities.localAdmin().userId, world.root.userId);
  assert.equal(world.identities.localAdmin().via, "SOCKET");
  const second = await world.users.create(world.root, { username: "second", role: "ADMIN" });
  await world.users.update(actorFor(second), world.root.userId ?? "", { role: "USER" });
  assert.equal(world.identities.localAdmin().userId, second.id);
});

test("a client key acts as its owner, and as USER at most", async () => {
  const world = await startWorld();
  const { secret, clientKey } = await world.clientKeys.create(world.root, { name: "a" });
  const identity = world.identities.byClientKey(secret.reveal(), "192.0.2.3");
  assert.equal(identity.credential.clientKeyId, clientKey.id);
  assert.equal(identity.actor.role, "USER");
  assert.equal(identity.actor.userId, world.root.userId);
  await refused("invalid_api_key", () => world.identities.byClientKey("nonsense", ""));
});

test("a verified token of an issuer names a user who has a working account", async () => {
  const world = await startWorld();
  const identity = await world.identities.byVerifiedName("Alice", "192.0.2.4");
  assert.equal(identity.actor.via, "JWT");
  await refused("unauthenticated", () => world.identities.byVerifiedName("stranger", ""));
  await world.users.disable(world.root, world.alice.userId ?? "");
  await refused("unauthenticated", () => world.identities.byVerifiedName("alice", ""));
  await world.users.enable(world.root, world.alice.userId ?? "");
  await world.users.ban(world.root, world.alice.userId ?? "");
  await refused("user_banned", () => world.identities.byVerifiedName("alice", ""));
});
