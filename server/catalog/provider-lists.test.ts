import assert from "node:assert/strict";
import test from "node:test";
import type { ToldModel } from "../core/provider.js";
import { FakeClock, settle } from "../../test/support/fake-clock.js";
import { aPrincipal, aProvider, silentLogger } from "../../test/support/records.js";
import { type ListAnswer, ProviderLists } from "./provider-lists.js";

interface Asked {
  readonly provider: string;
  readonly owner: string;
  readonly turn: number;
  readonly answer: (answer: ListAnswer) => Promise<void>;
}

function lists() {
  const clock = new FakeClock();
  const asked: Asked[] = [];
  const made = new ProviderLists({
    clock,
    logger: silentLogger,
    ask: ({ id }, { ownerId }, turn) =>
      new Promise((resolve) => {
        const answer = (given: ListAnswer): Promise<void> => {
          resolve(given);
          return settle();
        };
        asked.push({ provider: id, owner: ownerId, turn, answer });
      }),
  });
  return { clock, asked, made };
}

function told(...ids: readonly string[]): { models: readonly ToldModel[] } {
  const rest = { createdAt: null, contextWindow: null, maxOutput: null };
  return { models: ids.map((modelId) => ({ modelId, displayName: modelId, ...rest })) };
}

const ME = aPrincipal("STANDARD", "usr_me");
const ids = (models: readonly ToldModel[]): string[] => models.map(({ modelId }) => modelId);
const isOver = async (waiting: Promise<unknown> | undefined): Promise<boolean> => {
  let over = false;
  void waiting?.then(() => (over = true));
  await settle();
  return over;
};

test("the first look waits for a list, the next ones take it, and an old one is asked for behind them", async () => {
  const { clock, asked, made } = lists();
  const provider = aProvider("prv_a", { modelPatterns: ["gpt-*"] });
  const first = made.refresh([provider], ME);
  const second = made.refresh([provider], ME);
  assert.equal(asked.length, 1, "one question for both");
  assert.equal(await isOver(second), false);
  await asked[0]?.answer(told("gpt-9", "other", "GPT-10"));
  assert.equal(await isOver(first), true);
  assert.equal(await isOver(second), true);
  assert.deepEqual(ids(made.of(provider, ME)), ["gpt-9", "GPT-10"]);
  clock.advance(299_000);
  assert.equal(made.refresh([provider], ME), undefined);
  assert.equal(asked.length, 1);
  clock.advance(2_000);
  assert.equal(made.refresh([provider], ME), undefined, "nobody waits for the newer one");
  assert.equal(asked.length, 2);
  assert.deepEqual(ids(made.of(provider, ME)), ["gpt-9", "GPT-10"]);
  await asked[1]?.answer(told("gpt-11"));
  assert.deepEqual(ids(made.of(provider, ME)), ["gpt-11"]);
  assert.equal(clock.pending, 0);
});

test("a provider that tells nothing keeps its old list, and is left in peace for a minute", async () => {
  const { clock, asked, made } = lists();
  const provider = aProvider("prv_a");
  void made.refresh([provider], ME);
  await asked[0]?.answer(told("a"));
  clock.advance(301_000);
  made.refresh([provider], ME);
  await asked[1]?.answer({ problem: "HTTP 500" });
  assert.deepEqual(ids(made.of(provider, ME)), ["a"]);
  assert.deepEqual(
    made.problems.map(({ problem }) => problem),
    ["HTTP 500"],
  );
  clock.advance(59_000);
  made.refresh([provider], ME);
  assert.equal(asked.length, 2);
  clock.advance(2_000);
  assert.equal(made.refresh([provider], ME), undefined);
  assert.deepEqual(asked[2]?.turn, 1, "with other keys");
  await asked[2]?.answer(told("b"));
  assert.deepEqual(made.problems, []);
  assert.deepEqual(ids(made.of(provider, ME)), ["b"]);
});

test("nobody waits longer than three seconds, nor again for a provider that told nothing", async () => {
  const { clock, asked, made } = lists();
  const provider = aProvider("prv_a");
  const waiting = made.refresh([provider], ME);
  clock.advance(2_900);
  assert.equal(await isOver(waiting), false);
  clock.advance(200);
  assert.equal(await isOver(waiting), true);
  assert.deepEqual(made.of(provider, ME), []);
  await asked[0]?.answer({ problem: "timed out" });
  clock.advance(61_000);
  assert.equal(made.refresh([provider], ME), undefined);
  assert.equal(asked.length, 2);
});

test("what an owner's keys are told is that owner's, and the pool's is the pool's", async () => {
  const { asked, made } = lists();
  const provider = aProvider("prv_a");
  const other = aPrincipal("STANDARD", "usr_other");
  const pooled = aPrincipal("SUPER", "usr_me");
  const alsoPooled = aPrincipal("SUPER", "usr_other");
  for (const [at, who] of [ME, other, pooled].entries()) {
    void made.refresh([provider], who);
    await asked[at]?.answer(told(`m${String(at)}`));
  }
  assert.equal(made.refresh([provider], alsoPooled), undefined);
  assert.deepEqual(
    [ME, other, pooled, alsoPooled].map((who) => ids(made.of(provider, who))),
    [["m0"], ["m1"], ["m2"], ["m2"]],
  );
});

test("a provider that is changed is asked anew at another address, and keeps its list at the same", async () => {
  const { asked, made } = lists();
  const provider = aProvider("prv_a");
  void made.refresh([provider], ME);
  await asked[0]?.answer(told("gpt-9", "o9"));
  const narrowed = { ...provider, modelPatterns: ["o*"] };
  assert.equal(made.refresh([narrowed], ME), undefined);
  assert.deepEqual(ids(made.of(narrowed, ME)), ["o9"]);
  const moved = { ...provider, baseUrl: "https://elsewhere.example/v1" };
  assert.deepEqual(made.of(moved, ME), []);
  assert.notEqual(made.refresh([moved], ME), undefined);
  // The answer of the old address comes to nothing.
  await asked[1]?.answer(told("new"));
  assert.deepEqual(ids(made.of(moved, ME)), ["new"]);
});

test("lists are bounded, and who has most of them loses the oldest", async () => {
  const { asked, made } = lists();
  const many = Array.from({ length: 2_000 }, (_, at) => `m${String(at)}`);
  const other = aPrincipal("STANDARD", "usr_other");
  const others = aProvider("prv_other");
  void made.refresh([others], other);
  await asked[0]?.answer(told("a"));
  const providers = Array.from({ length: 60 }, (_, at) => aProvider(`prv_${String(at)}`));
  for (const [at, provider] of providers.entries()) {
    void made.refresh([provider], ME);
    await asked[at + 1]?.answer(told(...many));
  }
  const kept = providers.filter((provider) => made.of(provider, ME).length > 0);
  assert.deepEqual(kept, providers.slice(-49));
  assert.deepEqual(ids(made.of(others, other)), ["a"]);
});

test("questions under way are bounded, and whose providers do not answer keeps nobody else from asking", async () => {
  const { asked, made } = lists();
  const providers = Array.from({ length: 40 }, (_, at) => aProvider(`prv_${String(at)}`));
  void made.refresh(providers, ME);
  assert.equal(asked.length, 16);
  void made.refresh(providers, aPrincipal("STANDARD", "usr_other"));
  assert.equal(asked.length, 32);
  for (const each of asked.slice(0, 16)) {
    await each.answer({ models: [] });
  }
  void made.refresh(providers, ME);
  assert.equal(asked.length, 48, "the others with a later look");
  for (const owner of ["usr_1", "usr_2", "usr_3"]) {
    void made.refresh(providers, aPrincipal("STANDARD", owner));
  }
  assert.equal(asked.length, 16 + 64);
});
