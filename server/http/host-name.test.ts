import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { isHost } from "./host-name.js";

test("hosts are taken as callers name them", () => {
  for (const host of [
    "",
    "a",
    "localhost:8080",
    "llm.example.com",
    "my_service.internal:",
    "192.168.0.1:80",
    "[::1]",
    "[fe80::1%25eth0]:8080",
    "[v1.a:b]",
    "caf%C3%A9.example",
  ]) {
    assert.ok(isHost(host), host);
  }
});

test("what is no host is none", () => {
  for (const value of [
    "a b",
    "a\tb",
    "a,b c",
    "a/b",
    "a?b",
    "user@a",
    "a:80:80",
    "a:8o",
    "a:-1",
    "::1",
    "[::1",
    "[]",
    "[::1]a",
    "[::1]]",
    "a]",
    "a%2",
    "a%zz",
    "caf\u00e9",
    '"a"',
    "a\\b",
    "a#b",
    "http://a",
  ]) {
    assert.ok(!isHost(value), value);
  }
});

/** RFC 3986, with an IP literal as loose as there. */
const GRAMMAR = /^(?:\[[\w.~!$&'()*+,;=:%-]+\]|(?:[\w.~!$&'()*+,;=-]|%[\dA-Fa-f]{2})*)(?::\d*)?$/;

test("whatever a caller says is a host where the grammar of RFC 3986 has it so, and nowhere else", () => {
  const letters = fc.constantFrom(..."a0.:[]%f @/é_-\t,~".split(""));
  const near = fc.array(letters, { maxLength: 12 }).map((each) => each.join(""));
  const any = fc.string({ unit: "binary", maxLength: 20 });
  fc.assert(
    fc.property(fc.oneof(near, any), (value) => {
      assert.equal(isHost(value), GRAMMAR.test(value) && !/[^\0-\x7f]/.test(value), value);
    }),
    { numRuns: 5_000 },
  );
});
