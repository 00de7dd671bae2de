import assert from "node:assert/strict";
import test from "node:test";
import { bullet, sublist } from "./markdown.js";

/** So long that the next word begins a line. */
const LINE = `${"word ".repeat(22)}end`;

test("no line of an item begins what would be another item, a heading or a quotation", () => {
  for (const mark of ["-", "+", ">", "#", "##", "7.", "12)"]) {
    const [first = "", second = ""] = bullet(`${LINE} ${mark} and so on`).split("\n");
    assert.ok(first.endsWith(` ${mark}`), mark);
    assert.equal(second, "  and so on");
  }
});

test("what looks like a tag or like emphasis is shown, and code and bold text stay so", () => {
  assert.equal(
    bullet("file:<path>, or * for all, `<id>` and **bold**"),
    String.raw`- file:\<path>, or \* for all, ${"`<id>`"} and **bold**`,
  );
});

test("a list inside a list is indented on each of its lines", () => {
  const lines = sublist("head", [`${LINE} and so on`, "second"]).split("\n");
  assert.deepEqual(lines, ["- head", `  - ${LINE}`, "    and so on", "  - second"]);
  assert.equal(sublist("head", []), "");
});
