import assert from "node:assert/strict";
import { test } from "node:test";
import { Secret } from "../core/secret.js";
import { redact, redactBytes, SecretSieve } from "./redact.js";

/** Holds what each form writes otherwise. */
const KEY = 'sk-pröj-a/b+c?d"e\\f~~~>>>???-0123456789';

/** Each half of a key is a secret by itself. */
function joined(said: string): string {
  return said.replaceAll(/(\[redacted\])+/g, "[redacted]");
}

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
    "in capital hexadecimal": Buffer.from(KEY).toString("hex").toUpperCase(),
    "the first half": KEY.slice(0, middle),
    "the second half": KEY.slice(middle),
  };
  assert.equal(new Set(Object.values(forms)).size, 9);
  assert.match(base64, /[+/].*[+/].*=$/, "the key says enough");
  for (const [name, form] of Object.entries(forms)) {
    const said = redact(`key ${form}, again "${form}".`, new Secret(KEY));
    assert.equal(said, 'key [redacted], again "[redacted]".', name);
  }
});

test("a key is found however its characters are escaped, and what stands around it stays escaped", () => {
  const clear = "sk-a/b+c&d-0123456789-0123456789";
  const secret = new Secret(clear);
  const each = (written: (code: string) => string): string =>
    Array.from(clear, (sign) => written(sign.charCodeAt(0).toString(16))).join("");
  for (const said of [
    clear.replaceAll("/", String.raw`\/`),
    clear.replaceAll("+", String.raw`\u002B`).replaceAll("&", String.raw`\u0026`),
    String.raw`\u0073${clear.slice(1)}`,
    each((code) => String.raw`\u00${code}`),
    each((code) => `%${code}`),
    encodeURIComponent(clear).replaceAll(/%../g, (escape) => escape.toLowerCase()),
    each((code) => `&#x${code};`),
    clear.replaceAll("+", "&#43;"),
    each((code) => String.raw`\u00${code}`).slice(0, 16 * 6),
    Buffer.from(clear)
      .toString("base64")
      .replace("=", "")
      .replaceAll("/", String.raw`\/`),
  ]) {
    const text = String.raw`{"a\u0062":"\"100%\" \/ %zz `;
    const clean = redact(`${text}${said} \\u0063"}`, secret);
    assert.equal(joined(clean), `${text}[redacted] \\u0063"}`, said);
    const twice = redactBytes(Buffer.from(`${said},${said}`), secret);
    assert.equal(joined(twice.toString()), "[redacted],[redacted]");
  }
  const other = String.raw`{"error":"\u0073k-\/%2f&#43;"}`;
  assert.equal(redact(other, secret), other);
});

test("a key is found inside whatever was put into base64", () => {
  const clear = "sk-a-key-of-some-length";
  for (const before of ["", "x", "ab", "user:", "Authorization: Bearer "]) {
    for (const behind of ["", "x", "\r\nHost: x", "é"]) {
      const all = Buffer.from(before + clear + behind);
      for (const coding of ["base64", "base64url"] as const) {
        const said = redact(all.toString(coding), new Secret(clear));
        const left = said.split("[redacted]");
        assert.equal(left.length, 2, said);
        const [first = "", second = ""] = left.map((part) => Buffer.from(part, coding).toString());
        assert.ok(before.startsWith(first.slice(0, -1)), first);
        assert.doesNotMatch(first + second, /sk-|length/);
      }
    }
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
      assert.equal(joined(text), wanted);
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
