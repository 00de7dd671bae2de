import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { systemRandom } from "../core/random.js";
import { Secret } from "../core/secret.js";
import { PASSWORD_COST, type PasswordAsker, PasswordHasher } from "./password.js";

const cheap = { ln: 4, r: 8, p: 1 };
const hasher = new PasswordHasher({ random: systemRandom, cost: cheap });

function stranger(ip: string): PasswordAsker {
  return { holder: { ownerId: ip, clientKey: { id: ip } }, isStranger: true };
}

test("the right password fits and every other does not", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: "grapheme" }),
      fc.string({ unit: "grapheme" }),
      async (one, two) => {
        const stored = await hasher.hash(new Secret(one));
        assert.equal((await hasher.verify(new Secret(one), stored)).ok, true);
        const same = one.normalize("NFKC") === two.normalize("NFKC");
        assert.equal((await hasher.verify(new Secret(two), stored)).ok, same);
      },
    ),
    { numRuns: 50 },
  );
});

test("the same password has another hash each time, and the hash names its cost", async () => {
  const real = new PasswordHasher({ random: systemRandom });
  const stored = await real.hash(new Secret("correct horse battery staple"));
  const { ln, r, p } = PASSWORD_COST;
  assert.ok(stored.startsWith(`$scrypt$ln=${ln},r=${r},p=${p}$`));
  assert.ok(!stored.includes("correct"));
  const [one, two] = [await hasher.hash(new Secret("x")), await hasher.hash(new Secret("x"))];
  assert.notEqual(one, two);
  assert.deepEqual(await real.verify(new Secret("x"), one), { ok: true, rehash: true });
  assert.deepEqual(await hasher.verify(new Secret("x"), one), { ok: true, rehash: false });
});

test("the same password typed as other code points fits", async () => {
  const stored = await hasher.hash(new Secret("Zoë"));
  assert.equal((await hasher.verify(new Secret("Zoe\u0308"), stored)).ok, true);
});

test("no password fits an unknown user, a broken hash or one of absurd cost", async () => {
  const absurd = (await hasher.hash(new Secret("x"))).replace("ln=4", "ln=31");
  for (const stored of [null, "", "$scrypt$", "$2b$12$abcdefghijklmnopqrstuv", absurd]) {
    assert.deepEqual(await hasher.verify(new Secret("x"), stored), { ok: false, rehash: false });
  }
});

test("an unknown user costs a whole derivation of today's cost", async () => {
  // Not timed: a cost beyond the memory limit fails, and so shows that the derivation was really run.
  const stored = await hasher.hash(new Secret("x"));
  const impossible = new PasswordHasher({ random: systemRandom, cost: { ln: 24, r: 8, p: 1 } });
  assert.equal((await impossible.verify(new Secret("x"), stored)).ok, true);
  await assert.rejects(impossible.verify(new Secret("x"), null), /[Mm]emory limit/);
});

test("more than 64 waiting sign-ins are refused, and those who wait are served", async () => {
  const busy = new PasswordHasher({ random: systemRandom, cost: cheap });
  const all = Array.from({ length: 70 }, () => busy.verify(new Secret("x"), null));
  const results = await Promise.allSettled(all);
  const refused = results.filter((each) => each.status === "rejected");
  assert.equal(refused.length, 5);
  for (const each of refused) assert.equal((each.reason as { code: string }).code, "overloaded");
  assert.equal((await busy.verify(new Secret("x"), null)).ok, false);
});

test("whoever guesses a hundred times keeps nobody from signing in", async () => {
  const busy = new PasswordHasher({ random: systemRandom, cost: cheap });
  let guessed = 0;
  const guesses = Array.from({ length: 100 }, async () => {
    await busy.verify(new Secret("guess"), null, stranger("203.0.113.9"));
    guessed++;
  });
  const results = Promise.allSettled(guesses);
  const stored = await hasher.hash(new Secret("right"));
  let guessedBefore = Infinity;
  const check = await busy.verify(
    new Secret("right"),
    async () => {
      guessedBefore = guessed;
      return stored;
    },
    stranger("192.0.2.1"),
  );
  assert.equal(check.ok, true);
  assert(guessedBefore <= 4, `${guessedBefore} guesses came before`);
  assert((await results).some(({ status }) => status === "rejected"));
});

test("whoever has signed in does not wait for strangers", async () => {
  const busy = new PasswordHasher({ random: systemRandom, cost: cheap });
  let answer = (_stored: null): void => undefined;
  const stored = new Promise<null>((resolve) => (answer = resolve));
  const guesses = [1, 2, 3].map(() =>
    busy.verify(new Secret("guess"), () => stored, stranger("203.0.113.9")),
  );
  assert.match(await busy.hash(new Secret("new")), /^\$scrypt/);
  answer(null);
  await Promise.all(guesses);
});

test("a password of more than 1024 bytes is refused and never fits", async () => {
  await assert.rejects(hasher.hash(new Secret("x".repeat(1025))), { code: "invalid_argument" });
  const stored = await hasher.hash(new Secret("x".repeat(1024)));
  assert.equal((await hasher.verify(new Secret("x".repeat(1025)), stored)).ok, false);
  assert.equal((await hasher.verify(new Secret("x".repeat(1024)), stored)).ok, true);
});
