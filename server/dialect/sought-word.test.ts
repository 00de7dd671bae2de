import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { SoughtWord } from "./sought-word.js";

test("a word is found wherever a search for the whole of it finds it, from any place on", () => {
  const letters = fc.constantFrom('"', "_", "a", "e", "i", "d", "C", "é");
  const word = fc.string({ unit: letters, minLength: 1, maxLength: 12 });
  const parts = fc.array(fc.oneof(word, fc.constant("WORD")), { maxLength: 20 });
  fc.assert(
    fc.property(word, parts, fc.nat(60), (sought, pieces, from) => {
      const text = Buffer.from(
        pieces.map((each) => (each === "WORD" ? sought : each)).join(""),
        "latin1",
      );
      const found = new SoughtWord(sought).indexIn(text, from);
      assert.equal(found, text.indexOf(sought, from, "latin1"));
    }),
    { numRuns: 2000 },
  );
});
