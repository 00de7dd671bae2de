import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { subtitlesEnd } from "./subtitles.js";

function endOf(text: string): number | undefined {
  return subtitlesEnd(Buffer.from(text));
}

test("subtitles last until the end of their last passage", () => {
  for (const [text, seconds] of [
    [
      "1\n00:00:00,000 --> 00:00:02,500\nHello.\n\n2\n00:00:02,500 --> 01:02:03,250\nBye.\n",
      3723.25,
    ],
    ["1\r\n00:00:00,000 --> 00:00:02,500\r\nHello.\r\n\r\n", 2.5],
    ["WEBVTT\n\n00:00.000 --> 00:04.000\nHello.\n", 4],
    ["WEBVTT\n\n59:59.000 --> 1:00:01.000 align:start line:0\nHello.", 3601],
    ["00:00:00.000 --> 00:00:01.000", 1],
    // What is said may look like it, and what comes first may be cut off.
    ["00:00:00.000 --> 00:00:05.000\nso --> it goes 00:00:01.000 --> 00:00:02.000\n", 5],
    [`00:00:00.000 --> 00:00:05.000\n${"x".repeat(500)} --> 00:00:09.000`, 5],
    ["00:01.000 --> 00:02.000\n0:03.000 --> 00:04.000", 2],
    [`00:01.000 --> 00:02.000\n${"--> ".repeat(9)}`, undefined],
    ["Hello.", undefined],
    ["-->", undefined],
    ["", undefined],
  ] as const) {
    assert.equal(endOf(text), seconds, text.slice(0, 80));
  }
});

test("of any text the end is a number or none", () => {
  const piece = fc.constantFrom(
    "-->",
    "\n",
    "\r",
    "00:00:01,000",
    "01:02.003",
    " ",
    "x",
    "99:99:99.999",
  );
  fc.assert(
    fc.property(fc.array(piece, { size: "max", maxLength: 60 }), (pieces) => {
      const seconds = endOf(pieces.join(""));
      assert.ok(seconds === undefined || (seconds >= 0 && seconds < Infinity));
    }),
  );
});
