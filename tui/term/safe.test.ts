import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { asciiOnly, combiningMarksMax, cut, fit, replacementChar, safe, wrap } from "./safe.js";
import { clusters, textWidth } from "./width.js";

/** Anything a terminal could take for more than a character in its cell. */
const DANGEROUS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Me}\p{Cs}\p{Co}\u{1f000}-\u{1faff}]/u;

const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.string({ unit: "grapheme", maxLength: 60 }),
  fc.string({
    unit: fc.constantFrom(
      ...Array.from("\u001b[]0;m\u0007\u009b\u202e\u2066\u200b\u200d\u0301{}/-a中👨\ud800\ufe0f"),
    ),
    maxLength: 60,
  }),
);

test("whatever comes in, nothing that could control a terminal comes out", () => {
  fc.assert(
    fc.property(anyText, (text) => {
      assert.doesNotMatch(safe(text), DANGEROUS);
    }),
    { numRuns: 10_000 },
  );
});

test("cleaning clean text changes nothing", () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const once = safe(text);
      assert.equal(safe(once), once);
    }),
    { numRuns: 2000 },
  );
});

test("cut and fit keep to their width for every text and every width", () => {
  fc.assert(
    fc.property(anyText, fc.nat(40), (text, width) => {
      const clean = safe(text);
      assert.ok(textWidth(cut(clean, width)) <= width);
      assert.equal(textWidth(fit(clean, width)), width);
      assert.equal(textWidth(fit(clean, width, "right")), width);
      assert.equal(textWidth(fit(clean, width, "center")), width);
    }),
    { numRuns: 2000 },
  );
});

test("the ASCII form is ASCII and as wide as the text it stands for", () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const clean = safe(text);
      const plain = asciiOnly(clean);
      assert.match(plain, /^[\x20-\x7e]*$/);
      const width = clusters(clean).reduce((sum, cluster) => sum + cluster.width, 0);
      assert.equal(plain.length, width);
    }),
    { numRuns: 2000 },
  );
});

test("wrapped rows are never wider than asked", () => {
  fc.assert(
    fc.property(anyText, fc.integer({ min: 1, max: 30 }), (text, width) => {
      for (const row of wrap(safe(text), width)) assert.ok(textWidth(row) <= width);
    }),
    { numRuns: 1000 },
  );
});

test("escape sequences lose their escape, in both the seven and the eight bit form", () => {
  assert.equal(safe("\u001b[31mred\u001b[0m"), "[31mred[0m");
  assert.equal(safe("\u009b31mred"), "31mred");
  assert.equal(safe("\u001b]0;title\u0007x"), "]0;titlex");
  assert.equal(safe("a\u0000b\u007fc"), "abc");
});

test("text cannot be turned round, hidden or joined by format characters", () => {
  assert.equal(safe("a\u202eb\u2066c\u200bd\u00ade\u{e0041}f"), "abcdef");
});

test("an emoji sequence of any length becomes a single one-cell replacement", () => {
  for (const emoji of ["😀", "👨‍👩‍👧‍👦", "🇩🇪", "👍🏽", "❤️", "🏴‍☠️", "⌚"]) {
    assert.equal(safe(`a${emoji}b`), `a${replacementChar}b`, emoji);
  }
});

test("symbols of our own and text of any script stay as they are", () => {
  for (const text of ["●○◐▲✖✓▸…→", "数据团队 智谱", "Ünïcødé", "Ελληνικά", "한국어", "עברית"]) {
    assert.equal(safe(text), text.normalize("NFC"));
  }
});

test("stacked marks are capped", () => {
  const stacked = safe(`a${"\u0316".repeat(50)}`);
  assert.equal(stacked.length, 1 + combiningMarksMax);
});

test("white space of every kind is one blank, so a text keeps to its row", () => {
  assert.equal(safe("a\tb\nc\r\nd\u00a0e\u3000f\u2028g"), "a b c  d e f g");
});

test("a wide character is never cut in half", () => {
  assert.equal(cut("数据团队", 5), "数据…");
  assert.equal(cut("数据团队", 4), "数…");
  assert.equal(fit("数据", 3), "数…");
  assert.equal(fit("数", 1), "…");
});
