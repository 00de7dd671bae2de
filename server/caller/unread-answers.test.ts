import assert from "node:assert/strict";
import { test } from "node:test";
import { type UnreadAnswer, UnreadAnswers } from "./unread-answers.js";

test("what is left unread is bounded, and who leaves most of it loses the oldest", () => {
  const unread = new UnreadAnswers(100);
  const lost: string[] = [];
  const answer = (key: string, name: string): UnreadAnswer => ({
    holder: { ownerId: "usr", clientKey: { id: key } },
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

test("as many answers are lost as it takes, the oldest first", () => {
  const unread = new UnreadAnswers(100);
  const lost: string[] = [];
  const answer = (ownerId: string, name: string): UnreadAnswer => ({
    holder: { ownerId, clientKey: { id: ownerId } },
    giveUp: () => void lost.push(name),
  });
  for (const name of ["1", "2", "3", "4", "5"]) unread.set(answer("many", name), 20);
  unread.set(answer("other", "new"), 50);
  assert.deepEqual(lost, ["1", "2", "3"]);
  assert.equal(unread.bytes, 90);
});

test("an answer that grows, is read and comes again counts as what it is now", () => {
  const unread = new UnreadAnswers(100);
  let given = 0;
  const holder = { ownerId: "usr", clientKey: { id: "a" } };
  const answer = { holder, giveUp: () => void given++ };
  unread.set(answer, 10);
  unread.set(answer, 60);
  assert.equal(unread.bytes, 60);
  unread.delete(answer);
  assert.equal(unread.bytes, 0);
  unread.set(answer, 101);
  assert.equal(given, 1);
  assert.equal(unread.bytes, 0);
});

test("a user whose many client keys leave little each, and most together, loses the oldest of the fattest key", () => {
  const unread = new UnreadAnswers(100);
  const lost: string[] = [];
  const answer = (ownerId: string, id: string): UnreadAnswer => ({
    holder: { ownerId, clientKey: { id } },
    giveUp: () => void lost.push(id),
  });
  unread.set(answer("one", "a"), 30);
  for (const [id, bytes] of Object.entries({ b: 20, c: 25, d: 20 })) {
    unread.set(answer("many", id), bytes);
  }
  unread.set(answer("many", "e"), 15);
  assert.deepEqual(lost, ["c"]);
});
