import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readForm } from "./multipart.js";

const TYPE = "multipart/form-data; boundary=b";
const WANTED = new Set(["model", "stream"]);

function part(head: string, value: string): string {
  return `--b\r\n${head}\r\n\r\n${value}\r\n`;
}

function field(name: string, value: string): string {
  return part(`Content-Disposition: form-data; name="${name}"`, value);
}

const MODEL = field("model", "allowed");
const END = "--b--\r\n";

function modelOf(body: string, type = TYPE): string | undefined {
  return readForm(Buffer.from(body, "latin1"), type, WANTED).fields.get("model")?.value;
}

test("fields are found wherever they stand, behind a preamble and before an epilogue too", () => {
  assert.equal(modelOf(`${field("a", "1")}${MODEL}${field("z", "")}--b--`), "allowed");
  assert.equal(modelOf(`Ignore this.\r\n\r\n${MODEL}${END}and that`), "allowed");
  assert.equal(modelOf(`${field("a", "1")}${END}`), undefined);
  assert.equal(modelOf(END), undefined);
  assert.equal(modelOf(`\r\n${MODEL}--b--\n`), "allowed");
  assert.equal(modelOf(`${part("", "no head at all")}${MODEL}${END}`), "allowed");
  for (const type of [
    'multipart/form-data; charset=utf-8; boundary="b"',
    "Multipart/Form-Data ;Boundary=b",
  ]) {
    assert.equal(modelOf(`${MODEL}${END}`, type), "allowed");
  }
});

test("what another reader could take for another part, or for none, is refused", () => {
  const hidden = 'Content-Disposition: form-data; name="model"\r\n\r\ndear\r\n';
  for (const body of [
    // A line end that only some take for one.
    `${field("a", `x\n--b\r\n${hidden}`)}${MODEL}${END}`,
    `--b\n${hidden}--b--\n\r\n${MODEL}${END}`,
    // A part without a value, of which the next is the value.
    `--b\r\nX: y\r\n\r\n--b\r\n${hidden}${MODEL}${END}`,
    `--b\r\nX: y\r\n--b\r\n${hidden}${MODEL}${END}`,
    // Behind the end, or what only some take for it.
    `${MODEL}${END}--b\r\n${hidden}${END}`,
    `--b--x\r\n--b\r\n${hidden}${END}`,
    `--b--`.repeat(2),
    // Heads that are folded, or hold lines of another kind.
    `${part('Content-Disposition: form-data;\r\n name="model"', "dear")}${MODEL}${END}`,
    `${part('X: y\nContent-Disposition: form-data; name="model"', "dear")}${MODEL}${END}`,
    `${part('X: y\rContent-Disposition: form-data; name="model"', "dear")}${MODEL}${END}`,
    `${part('Content-Disposition : form-data; name="model"', "dear")}${MODEL}${END}`,
    // A value that is not what it seems.
    `${part('Content-Disposition: form-data; name="model"\r\nContent-Transfer-Encoding: base64', "ZGVhcg==")}${END}`,
    `${part('Content-Disposition: form-data; name="model"; filename="x"', "allowed")}${END}`,
    `${part('Content-Disposition: attachment; name="model"', "allowed")}${END}`,
    `${part('Content-Disposition: form-data; name="mod\\el"', "dear")}${MODEL}${END}`,
    `${part('Content-Disposition: name="model', "dear")}${MODEL}${END}`,
    `${MODEL}${MODEL}${END}`,
    `${MODEL}--b x\r\n`,
    MODEL,
    "",
  ]) {
    assert.throws(() => modelOf(body), { code: "malformed_request" }, JSON.stringify(body));
  }
  for (const type of [
    "multipart/form-data; boundary=c; boundary=b",
    'multipart/form-data; x="; boundary=c"; boundary=b; boundary*=b',
    "multipart/form-data; boundary*0=b",
    'multipart/form-data; boundary="b "',
    String.raw`multipart/form-data; boundary="\b"`,
    "multipart/form-data; boundary=",
    "multipart/form-data",
    "multipart/mixed; boundary=b",
  ]) {
    assert.throws(() => modelOf(`${MODEL}${END}`, type), { code: "malformed_request" }, type);
  }
});

test("each of these alone makes a form one that is refused", () => {
  const two =
    'Content-Disposition: form-data; name="model"\r\nContent-Disposition: form-data; name="a"';
  const bodies = {
    "a boundary inside a line": `${field("a", "x\n--b\r\nX: y\r\n\r\nz")}${MODEL}${END}`,
    "no boundary": "xx--\r\n",
    "a boundary with more behind it": `--bxyX: y\r\n\r\nz\r\n${MODEL}${END}`,
    "a head that is too long": `${part(`X: ${"y".repeat(8 * 1024)}`, "z")}${MODEL}${END}`,
    "too many parts": `${field("a", "").repeat(128)}${END}`,
    "a part with two dispositions": `${part(two, "dear")}${END}`,
    "no end": `${field("a", "")}${MODEL}`,
  };
  for (const [name, body] of Object.entries(bodies)) {
    assert.throws(() => modelOf(body), { code: "malformed_request" }, name);
  }
  assert.equal(modelOf(`${part(`X: ${"y".repeat(8_000)}`, "z")}${MODEL}${END}`), "allowed");
  assert.equal(modelOf(`${field("a", "").repeat(126)}${MODEL}${END}`), "allowed");
  const unnamed = `${MODEL}${END}`.replaceAll("--b", "--undefined");
  assert.throws(() => modelOf(unnamed, "multipart/form-data; x=y"), { code: "malformed_request" });
});

const PIECES = [
  "--b",
  "--b\r\n",
  "--",
  "\r\n",
  "\n",
  "\r",
  "\r\n\r\n",
  " ",
  ";",
  '"',
  "x: y\r\n",
  'Content-Disposition: form-data; name="model"',
  ' name="model"',
  '; filename="f"',
  "dear",
];

test("whatever is broken in a form, where Node reads it too both read the same model", async () => {
  const edits = fc.array(
    fc.tuple(fc.nat(), fc.constantFrom(...PIECES), fc.integer({ min: 0, max: 3 })),
    { maxLength: 3 },
  );
  const forms = fc.array(fc.constantFrom(MODEL, field("a", "1"), field("b", "")), { maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(forms, edits, async (parts, changes) => {
      let body = `${parts.join("")}${END}`;
      for (const [where, piece, removed] of changes) {
        const at = where % (body.length + 1);
        body = body.slice(0, at) + piece + body.slice(at + removed);
      }
      let model: string | undefined;
      try {
        model = modelOf(body);
      } catch {
        return;
      }
      const node = await formOf(body);
      if (node !== undefined) assert.equal(node.get("model") ?? undefined, model);
    }),
    { numRuns: 3_000 },
  );
});

/** Undefined where Node refuses it. */
async function formOf(body: string): Promise<FormData | undefined> {
  const headers = { "content-type": TYPE };
  try {
    return await new Response(Buffer.from(body, "latin1"), { headers }).formData();
  } catch {
    return undefined;
  }
}
