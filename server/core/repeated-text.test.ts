import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RepeatedText } from "./repeated-text.js";

test("a text is read as it stands, whatever was read before it", () => {
  const word = fc.oneof(
    fc.constantFrom("", "POST", "PUT", "/v1/messages", "/v1/message\xe9", "a".repeat(256)),
    fc.constant("b".repeat(300)),
    fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) }),
  );
  fc.assert(
    fc.property(fc.array(word), (words) => {
      const repeated = new RepeatedText();
      const bytes = Buffer.from(words.join(" "), "latin1");
      let at = 0;
      for (const each of words) {
        assert.equal(repeated.in(bytes, at, at + each.length), each);
        at += each.length + 1;
      }
    }),
  );
});
