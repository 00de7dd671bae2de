import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../support/fake-clock.js";
import type { Resolve } from "../../server/upstream/url-policy.js";
import { CHAT, ok, SECRETS, stubbedGateway } from "./stubbed-gateway.js";

const site = stubbedGateway(SECRETS);

/** Connections to names fail as they do where the host has no file descriptor left. */
const lacking: Resolve = (_hostname, done) => {
  done(Object.assign(new Error("getaddrinfo EMFILE"), { code: "EMFILE" }), []);
};
const UNREACHED = "http://provider.test:8080";

test("a host that can open no connection is overloaded: no key is blamed, and no other one is asked in vain", async () => {
  const providers = [{ baseUrl: UNREACHED }];
  const { post, pool, sink } = await site.bound({ providers, resolve: lacking });
  const response = await post(CHAT);
  assert.equal(response.status, 503);
  assert.equal(response.headers.get("retry-after"), "1");
  assert.equal(response.headers.get("connection"), "close", "what the host lacks is given back");
  const { error } = (await response.json()) as { error: { code: string; message: string } };
  assert.equal(error.code, "overloaded");
  assert.doesNotMatch(error.message, /provider/);
  assert.deepEqual(pool.outcomes, ["NO_SOCKET"]);
  const record = await sink.record();
  assert.equal(record.errorCode, "overloaded");
  const [attempt] = record.attempts;
  assert.equal(attempt?.detail, "this host has no file descriptor left (EMFILE)");
});

test("the operator reads what the host lacks, and not once for each call", async () => {
  const clock = new FakeClock();
  const providers = [{ baseUrl: UNREACHED }];
  const { post, log } = await site.bound({ clock, providers, resolve: lacking });
  const lines = (): readonly unknown[] => log.lines.filter(({ level }) => level === "error");
  await post(CHAT);
  assert.match(JSON.stringify(lines()), /"detail":"this host has no file descriptor left/);
  await post(CHAT);
  assert.equal(lines().length, 1);
  clock.advance(10_000);
  await post(CHAT);
  assert.equal(lines().length, 2);
});

test("a call still goes to another provider, to which a connection may be open", async () => {
  const providers = [{ baseUrl: UNREACHED }, { baseUrl: site.stub.origin }];
  const { post, pool } = await site.bound({ providers, resolve: lacking });
  pool.keysPerProvider = 2;
  site.stub.script = ok;
  assert.equal((await post(CHAT)).status, 200);
  assert.deepEqual(
    pool.releases.map(({ providerKeyId, result }) => [providerKeyId, result.outcome]),
    [
      ["pk_0", "NO_SOCKET"],
      ["pk_2", "OK"],
    ],
  );
});
