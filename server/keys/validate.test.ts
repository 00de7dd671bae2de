import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import type { Fault } from "../core/fault.js";
import { Secret } from "../core/secret.js";
import { cleanIpAllowlist, compileIpAllowlist, IP_ALLOWLIST_MAX } from "./ip-allowlist.js";
import {
  cleanDescription,
  cleanExpiry,
  cleanLimits,
  cleanName,
  cleanQuota,
  cleanSecret,
} from "./validate.js";

test("a cleaned name is trimmed, in NFC, 1 to 100 characters, and clean already", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 120 }), (raw) => {
      let name: string;
      try {
        name = cleanName("name", raw);
      } catch {
        return;
      }
      assert.equal(cleanName("name", name), name);
      assert.equal(name, name.trim().normalize("NFC"));
      const chars = Array.from(name).length;
      assert.ok(chars >= 1 && chars <= 100);
      assert.doesNotMatch(name, /\p{Cc}/u);
    }),
    { numRuns: 2000 },
  );
});

test("a name counts characters, not bytes or UTF-16 units", () => {
  assert.equal(cleanName("name", "🔑".repeat(100)), "🔑".repeat(100));
  assert.throws(() => cleanName("name", "🔑".repeat(101)), /at most 100 characters/);
});

test("characters that break lines or turn text round are refused in names", () => {
  for (const char of ["\n", "\u001b", "\u0085", "\u2028", "\u202e", "\u2066", "\ud800"]) {
    assert.throws(() => cleanName("name", `a${char}b`), /control characters/, JSON.stringify(char));
  }
  assert.equal(cleanDescription("description", "two\r\nlines\tand a tab"), "two\nlines\tand a tab");
  assert.throws(() => cleanDescription("description", "esc\u001b[31m"));
});

test("an expiry is never, or a moment that lies ahead and can be written", () => {
  assert.equal(cleanExpiry("expires_at", null, 100), null);
  assert.equal(cleanExpiry("expires_at", 101, 100), 101);
  for (const at of [100, 99, 1.5, Number.NaN, 9e15]) {
    assert.throws(() => cleanExpiry("expires_at", at, 100));
  }
});

test("a secret is what an HTTP header can carry", () => {
  assert.equal(cleanSecret("secret", new Secret("\t sk-1 \r\n")), "sk-1");
  for (const bad of ["", " ", "a b", "a\nb", "ключ", "a\u007f"]) {
    assert.throws(() => cleanSecret("secret", new Secret(bad)));
  }
});

test("limits and quotas are positive whole numbers; without any there is none", () => {
  const none = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null };
  const budget = { period: "DAY", costMicros: null, tokens: null } as const;
  assert.deepEqual(cleanLimits("limits", { ...none, budgets: [budget] }).budgets, []);
  const day = { ...budget, tokens: 5 };
  const month = { ...day, period: "MONTH" } as const;
  const limits = { ...none, budgets: [day, month] };
  assert.deepEqual(cleanLimits("limits", limits), limits);
  const fieldOf = (part: object) => {
    try {
      cleanLimits("limits", { ...limits, ...part });
    } catch (thrown) {
      return (thrown as Fault).violations[0]?.field;
    }
    return undefined;
  };
  assert.equal(fieldOf({ budgets: [day, { ...month, tokens: 0 }] }), "limits.budgets[1].tokens");
  assert.equal(fieldOf({ budgets: [day, day] }), "limits.budgets");
  assert.equal(fieldOf({ concurrency: 1.5 }), "limits.concurrency");
  const quota = { period: "MONTH", requests: null, tokens: null, costMicros: null } as const;
  assert.equal(cleanQuota("quota", quota), null);
  assert.deepEqual(cleanQuota("quota", { ...quota, requests: 5 }), { ...quota, requests: 5 });
});

test("address lists are stored as networks, without doubles", () => {
  const clean = (...raw: string[]) => cleanIpAllowlist("ip_allowlist", raw);
  assert.deepEqual(clean("10.1.2.3/8", "10.0.0.0/8", " 192.0.2.1 "), [
    "10.0.0.0/8",
    "192.0.2.1/32",
  ]);
  const most = Array.from({ length: IP_ALLOWLIST_MAX }, (_, at) => `192.0.2.${String(at)}/32`);
  assert.deepEqual(clean(...most), most);
  assert.throws(() => clean(...most, "::1"), { code: "invalid_argument" });
  assert.deepEqual(clean("2001:DB8::1/32", "::1"), ["2001:db8::/32", "::1/128"]);
  assert.deepEqual(clean("::ffff:10.0.0.1", "::ffff:10.0.0.0/104"), ["10.0.0.1/32", "10.0.0.0/8"]);
  for (const bad of [
    "",
    "10.0.0",
    "010.0.0.1",
    "0x0a.0.0.1",
    "167772161",
    "10.0.0.1/33",
    "10.0.0.1/-1",
    "10.0.0.1/",
    "::1/129",
    "fe80::1%eth0",
    "host.test",
    "10.0.0.1/8/8",
    "::ffff:10.0.0.1/95",
  ]) {
    assert.throws(() => clean(bad), /CIDR/, bad);
  }
  assert.throws(() => clean(...Array.from({ length: 101 }, () => "10.0.0.1")), /at most 100/);
});

test("an address is in a block exactly when their first bits are the same", () => {
  const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));
  const bits = (parts: readonly number[]) =>
    parts.map((part) => part.toString(2).padStart(8, "0")).join("");
  fc.assert(
    fc.property(octets, octets, fc.nat(32), (network, address, length) => {
      const [block] = cleanIpAllowlist("x", [`${network.join(".")}/${length}`]);
      const expected = bits(network).slice(0, length) === bits(address).slice(0, length);
      const isIn = compileIpAllowlist([block ?? ""]);
      assert.equal(isIn(address.join(".")), expected);
      assert.equal(isIn(`::ffff:${address.join(".")}`), expected);
    }),
    { numRuns: 1000 },
  );
});

test("an empty list allows every address, an unreadable one none", () => {
  assert.equal(compileIpAllowlist([])("anything"), true);
  assert.equal(compileIpAllowlist(["nonsense"])("10.0.0.1"), false);
  assert.equal(compileIpAllowlist(["0.0.0.0/0"])("2001:db8::1"), false);
  assert.equal(compileIpAllowlist(["0.0.0.0/0", "::/0"])("no address"), false);
});
