import assert from "node:assert/strict";
import test from "node:test";
import { Serial } from "./serial.js";

test("work runs one after the other, and a failure stops nobody else", async () => {
  const serial = new Serial();
  const order: string[] = [];
  const step = (name: string, fails = false) =>
    serial.run(async () => {
      order.push(`${name} begins`);
      await new Promise(setImmediate);
      order.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    });
  const results = await Promise.allSettled([step("one"), step("two", true), step("three")]);
  assert.deepEqual(
    results.map((each) => each.status),
    ["fulfilled", "rejected", "fulfilled"],
  );
  assert.deepEqual(order, [
    "one begins",
    "one ends",
    "two begins",
    "two ends",
    "three begins",
    "three ends",
  ]);
});

test("more than eight pieces of waiting work are refused", async () => {
  const serial = new Serial();
  const all = Array.from({ length: 10 }, () => serial.run(() => Promise.resolve()));
  const results = await Promise.allSettled(all);
  const refused = results.filter((each) => each.status === "rejected");
  assert.equal(refused.length, 2);
  assert.equal((refused[0]!.reason as { code: string }).code, "overloaded");
  await serial.run(() => Promise.resolve());
});
