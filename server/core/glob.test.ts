import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { allowedBy, globMatches } from "./glob.js";

test("a star stands for any run of characters, a question mark for one", () => {
  assert.equal(globMatches("gpt-*", "gpt-5.4-mini"), true);
  assert.equal(globMatches("gpt-*", "GPT-5"), true);
  assert.equal(globMatches("*", ""), true);
  assert.equal(globMatches("*-mini", "gpt-5-mini"), true);
  assert.equal(globMatches("*-mini", "gpt-5-mini-2"), false);
  assert.equal(globMatches("o?*", "o3"), true);
  assert.equal(globMatches("o?", "o"), false);
  assert.equal(globMatches("a*b*c", "axxbyybzzc"), true);
  assert.equal(globMatches("", "x"), false);
});

test("an empty list of patterns allows everything", () => {
  assert.equal(allowedBy([], "anything"), true);
  assert.equal(allowedBy(["gpt-*"], "claude-opus-5"), false);
});

test("globs agree with the regular expression that they stand for", () => {
  const piece = fc.constantFrom("a", "b", "-", "*", "?");
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 7 }),
      fc.stringMatching(/^[ab-]{0,9}$/),
      (parts, text) => {
        const body = parts
          .map((part) => (part === "*" ? ".*" : part === "?" ? "." : part))
          .join("");
        assert.equal(globMatches(parts.join(""), text), new RegExp(`^${body}$`).test(text));
      },
    ),
    { numRuns: 2000 },
  );
});

test("a hostile pattern takes no exponential number of steps", () => {
  assert.equal(globMatches("*a".repeat(60), "b".repeat(2000)), false);
});
