import assert from "node:assert/strict";
import { test } from "node:test";
import { Secret } from "../core/secret.js";
import { redact, redactBytes, SecretSieve } from "./redact.js";

/** Holds what each form writes otherwise. */
const KEY = 'sk-pröj-a/b+c?d"e\\f~~~>>>???-0123456789';

test("a provider's text shows a key in none of the forms in which servers echo what they were sent", () => {
  const base64 = Buffer.from(KEY).toString("base64");
  const middle = Math.floor(KEY.length / 2);
  const forms = {
    plain: KEY,
    "in a URL": encodeURIComponent(KEY),
    "in JSON": JSON.stringify(KEY).slice(1, -1),
    "in base64": base64.replace(/=+$/, ""),
    "in base64 of URLs": Buffer.from(KEY).toString("base64url"),
    "in hexadecimal": Buffer.from(KEY).toString("hex"),
    "the first half": KEY.slice(0, middle),
    "the second half": KEY.slice(middle),
  };
  assert.equal(new Set(Object.values(forms)).size, 8);
  assert.match(base64, /[+/].*[+/].*=$/, "the key says enough");
  for (const [name, form] of Object.entries(forms)) {
    const said = redact(`key ${form}, again "${form}".`, new Secret(KEY));
    assert.equal(said, 'key [redacted], again "[redacted]".', name);
  }
});

test("halves of a short key stay, for they may be words; what is no key stays whole", () => {
  const short = new Secret("no-api-key-at-all-here");
  assert.equal(redact("there is no-api-key-", short), "there is no-api-key-");
  assert.equal(redact("there is no-api-key-at-all-here", short), "there is [redacted]");
  assert.equal(redact("error", new Secret("error")), "error");
  assert.equal(redact("12345678", new Secret("12345678")), "[redacted]");
  assert.equal(redact("anything", undefined), "anything");
});

test("a key does not pass in pieces either, and all else passes", () => {
  const secret = new Secret("sk-a-key-of-some-length-0123456789");
  const clear = secret.reveal();
  const said = `a ${clear} b ${Buffer.from(clear).toString("hex")}${clear} sk-a-key`;
  const wanted = "a [redacted] b [redacted] sk-a-key";
  for (let first = 0; first <= said.length; first++) {
    for (let second = first; second <= said.length; second += 7) {
      const sieve = new SecretSieve(secret);
      const pieces = [said.slice(0, first), said.slice(first, second), said.slice(second)];
      const out = pieces.map((piece) => sieve.push(Buffer.from(piece)));
      const text = Buffer.concat([...out, sieve.rest()]).toString();
      // Each half of a key is a secret by itself.
      assert.equal(text.replaceAll(/(\[redacted\])+/g, "[redacted]"), wanted);
    }
  }
});

test("a key is taken out of bytes of any kind, and all other bytes stay as they are", () => {
  const secret = new Secret("sk-proj-0123456789abcdef");
  const around = Buffer.from([0, 0xff, 0xc3, 0x28, 0x0a]);
  const told = Buffer.concat([around, Buffer.from("sk-proj-0123456789abcdef"), around]);
  const clean = Buffer.concat([around, Buffer.from("[redacted]"), around]);
  assert.deepEqual(redactBytes(told, secret), clean);
  assert.equal(redactBytes(clean, secret), clean, "without a copy");
});
