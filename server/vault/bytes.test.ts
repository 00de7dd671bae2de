import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { canonical, equalBytes, wipeable } from "./bytes.js";
import { decodeBase64, encodeBase64 } from "./root-key/wipeable-base64.js";

test("no two different lists of fields have one encoding", () => {
  const fields = fc.array(fc.string({ maxLength: 6 }), { maxLength: 6 });
  fc.assert(
    fc.property(fields, fields, (one, other) => {
      const same = JSON.stringify(one) === JSON.stringify(other);
      return equalBytes(canonical("label", one), canonical("label", other)) === same;
    }),
    { numRuns: 2000 },
  );
  assert.ok(!equalBytes(canonical("label", ["ab", "c"]), canonical("label", ["a", "bc"])));
  assert.ok(!equalBytes(canonical("a", ["b"]), canonical("ab", [])));
});

test("key material lies outside the moving heap", () => {
  // Small typed arrays made by length share the object's own memory until someone asks for their buffer.
  assert.equal(wipeable(32).buffer.byteLength, 32);
});

test("base64 without strings agrees with Node's", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const text = Buffer.from(encodeBase64(bytes)).toString();
      assert.equal(text, Buffer.from(bytes).toString("base64"));
      for (const form of [
        text,
        text.replaceAll("=", ""),
        Buffer.from(bytes).toString("base64url"),
      ]) {
        assert.deepEqual(Uint8Array.from(decodeBase64(Buffer.from(form))!), bytes);
      }
    }),
  );
  for (const bad of ["a", "abc!", "ab=c", "abcd="]) {
    assert.equal(decodeBase64(Buffer.from(bad)), undefined, bad);
  }
});
