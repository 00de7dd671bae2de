import assert from "node:assert/strict";
import { test } from "node:test";
import { geminiCodec } from "./gemini.js";

const BLANKS = " \n".repeat(50_000);

function arrayWatch() {
  return geminiCodec.watch("GENERATE", false);
}

/** What a stream in one array opens with, piece by piece, until it is known. */
function openingOf(pieces: Iterable<string>): string {
  const watch = arrayWatch();
  for (const piece of pieces) {
    const opening = watch.opening(Buffer.from(piece));
    if (opening !== "NOTHING") return opening;
  }
  return "NOTHING";
}

test("an array opens with an error or a reply, with blanks anywhere, in any pieces", () => {
  assert.equal(openingOf('[ {\n"error" : \t{ "code": 1'), "ERROR");
  assert.equal(openingOf(' {  "error":{'), "ERROR");
  assert.equal(openingOf('[{"error": "x"'), "REPLY");
  assert.equal(openingOf('[ { "candidates"  : ['), "REPLY");
  assert.equal(openingOf('  [ { "cand'), "NOTHING");
  assert.equal(openingOf(`[{"${"k".repeat(1000)}`), "REPLY");
});

test("an array opens with the same however its text is cut, be there ever so many blanks", () => {
  const many = BLANKS.slice(0, 200);
  for (const [text, opening] of [
    [`${many}[${many}{${many}"error"${many}:${many}{`, "ERROR"],
    [`${many}[${many}{${many}"candidates"${many}:${many}[`, "REPLY"],
  ] as const) {
    for (let cut = 0; cut < text.length; cut++) {
      assert.equal(openingOf([text.slice(0, cut), text.slice(cut)]), opening, String(cut));
    }
  }
});

test("blanks without end before an array cost no more with each of them", () => {
  assert.equal(
    openingOf([...BLANKS.split(""), "[", ...BLANKS.split(""), '{"error":', " {"]),
    "ERROR",
  );
  assert.equal(openingOf([...BLANKS.split(""), "x"]), "REPLY");
});

test("the error that ends an array is read with whatever blanks are in it and behind it", () => {
  const message = `a${BLANKS}b`;
  const error = JSON.stringify({ error: { code: 429, message } });
  for (const end of ["", "]", ` ]${BLANKS}`, `${BLANKS}]`]) {
    const watch = arrayWatch();
    watch.push(Buffer.from(`[{"candidates":[]},\n${error}${end}`));
    assert.deepEqual(JSON.parse(watch.failure() ?? ""), { error: { code: 429, message } });
  }
  const spaced = arrayWatch();
  spaced.push(Buffer.from(`[{"candidates":[]},{${BLANKS}"error":{"code":429}}]`));
  assert.deepEqual(JSON.parse(spaced.failure() ?? ""), { error: { code: 429 } });
  const raw = arrayWatch();
  raw.push(Buffer.from(`[{"error": {${BLANKS}x`));
  assert.equal(raw.failure(), `{"error": {${BLANKS}x`);
});

test("the error that ends a long array is told, and one that began before what is kept of it is not looked for", () => {
  const element = '{"candidates":[]},';
  const error = JSON.stringify({ error: { code: 503 } });
  const watch = arrayWatch();
  watch.push(Buffer.from("["));
  for (let i = 0; i < 20; i++) watch.push(Buffer.from(element));
  watch.push(Buffer.from(`${error}]`));
  assert.equal(watch.failure(), error);
  const long = arrayWatch();
  long.push(Buffer.from(`[${element}{"error":{"x":"`));
  for (let i = 0; i < 20; i++) long.push(Buffer.from(element.replaceAll('"', "'")));
  assert.equal(long.failure(), undefined);
});
