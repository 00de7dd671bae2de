import assert from "node:assert/strict";
import { test } from "node:test";
import { type UnreadAnswer, UnreadAnswers } from "./unread-answers.js";

test("what is left unread is bounded, and who leaves most of it loses the oldest", () => {
  const unread = new UnreadAnswers(100);
  const lost: string[] = [];
  const answer = (holder: string, name: string): UnreadAnswer => ({
    holder,
    giveUp: () => void lost.push(name),
  });
  const first = answer("a", "a1");
  unread.set(answer("b", "b1"), 30);
  unread.set(first, 20);
  unread.set(answer("a", "a2"), 20);
  unread.set(answer("a", "a3"), 30);
  assert.deepEqual(lost, []);
  unread.set(answer("b", "b2"), 20);
  assert.deepEqual(lost, ["a1"]);
  assert.equal(unread.bytes, 100);
  unread.delete(first);
  assert.equal(unread.bytes, 100);
  unread.set(answer("c", "c1"), 90);
  assert.deepEqual(lost, ["a1", "c1"]);
});

test("an answer that grows, is read and comes again counts as what it is now", () => {
  const unread = new UnreadAnswers(100);
  let given = 0;
  const answer = { holder: "a", giveUp: () => void given++ };
  unread.set(answer, 10);
  unread.set(answer, 60);
  assert.equal(unread.bytes, 60);
  unread.delete(answer);
  assert.equal(unread.bytes, 0);
  unread.set(answer, 101);
  assert.equal(given, 1);
  assert.equal(unread.bytes, 0);
});
