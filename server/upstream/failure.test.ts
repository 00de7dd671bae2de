import assert from "node:assert/strict";
import { test } from "node:test";
import { failureOf } from "./failure.js";

const failed = (code: string, address = "192.0.2.1"): Error =>
  Object.assign(new Error("connect failed"), { code, address });

test("what this host has none left of is never the provider's failure, and the log can name it", () => {
  const details = {
    EMFILE: "this host has no file descriptor left (EMFILE)",
    ENFILE: "this host has no file descriptor left (ENFILE)",
    EADDRNOTAVAIL: "this host has no local port left (EADDRNOTAVAIL)",
    ENOBUFS: "this host has no memory for sockets left (ENOBUFS)",
    ENOMEM: "this host has no memory for sockets left (ENOMEM)",
  };
  for (const [code, detail] of Object.entries(details)) {
    const failure = { kind: "NO_SOCKET", detail, unsent: true };
    assert.deepEqual(failureOf(failed(code), "CONNECT"), failure);
    // Of several addresses the others may be of no use here for another reason.
    const several = new AggregateError([failed("ENETUNREACH", "2001:db8::1"), failed(code)]);
    assert.deepEqual(failureOf(several, "CONNECT"), failure);
  }
});

test("a host without IPv6 does not hide that a provider refuses connections", () => {
  const here = failed("EADDRNOTAVAIL", "2001:db8::1");
  assert.equal(failureOf(here, "CONNECT").kind, "UNREACHABLE");
  const both = new AggregateError([here, failed("ECONNREFUSED")]);
  assert.equal(failureOf(both, "CONNECT").kind, "UNREACHABLE");
});

test("a connection that was open does not break for what a new one would lack", () => {
  assert.equal(failureOf(failed("ENOMEM"), "HEAD").kind, "UNREACHABLE");
  assert.equal(failureOf(failed("ENOMEM"), "BODY").kind, "CUT");
});
