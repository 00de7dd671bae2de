import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { FakeClock } from "../../test/support/fake-clock.js";
import { Fault } from "../core/fault.js";
import { Secret } from "../core/secret.js";
import type { Logger } from "../core/logger.js";
import { LINES_INTERVAL_MS, LINES_MAX } from "./line-bound.js";
import { createLogger, type LogLevel } from "./logger.js";

function bench(options: { level?: LogLevel; pretty?: boolean } = {}): {
  logger: Logger;
  lines: string[];
} {
  const lines: string[] = [];
  const logger = createLogger({
    level: options.level ?? "debug",
    clock: new FakeClock(),
    pretty: options.pretty ?? false,
    destination: { write: (line) => lines.push(line) },
  });
  return { logger, lines };
}

/** Characters that end a line or move a cursor somewhere. */
const CONTROLS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

test("a line holds level, time, message and fields", () => {
  const { logger, lines } = bench();
  logger.info({ module: "gateway", callId: "call_1", count: 3 }, "done");
  assert.deepEqual(JSON.parse(lines[0]!), {
    level: "info",
    time: "2026-11-20T11:21:08.000Z",
    module: "gateway",
    callId: "call_1",
    count: 3,
    message: "done",
  });
});

test("what is said of every call has some lines in the log and the number of the others; errors have all", () => {
  const clock = new FakeClock();
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>);
  const logger = createLogger({ level: "info", clock, destination: { write } });
  for (let n = 0; n < 10_000; n++) logger.warn({ n }, "refused");
  for (let n = 0; n < 100; n++) logger.error({ n }, "broken");
  logger.warn({}, "another");
  assert.equal(lines.filter(({ message }) => message === "refused").length, LINES_MAX);
  assert.equal(lines.filter(({ message }) => message === "broken").length, 100);
  clock.advance(LINES_INTERVAL_MS);
  logger.warn({}, "another");
  const { like, lines: more } = lines.at(-2) ?? {};
  assert.deepEqual(
    [like, more, lines.at(-1)?.["message"]],
    ["refused", 10_000 - LINES_MAX, "another"],
  );
  logger.warn({}, "refused");
  assert.equal(lines.at(-1)?.["message"], "refused");
});

test("lines below the level are not written", () => {
  const { logger, lines } = bench({ level: "warn" });
  logger.debug({}, "a");
  logger.info({}, "b");
  logger.warn({}, "c");
  logger.error({}, "d");
  assert.equal(lines.length, 2);
});

const SECRET = "sk-lk_0123456789abcdefghijABCDEFGHIJ0123456789xyz123";

test("a secret is written in no way in which it can be passed", () => {
  const { logger, lines } = bench();
  const error = new Error(`provider said: Incorrect API key ${SECRET}`);
  const attempts: Record<string, unknown>[] = [
    { given: new Secret(SECRET) },
    { nested: { deep: [{ given: new Secret(SECRET) }] } },
    { headers: { authorization: `Bearer ${SECRET}`, "X-Api-Key": SECRET, Cookie: SECRET } },
    { headers: { "x-goog-api-key": [SECRET], proxy_authorization: `Basic ${SECRET}` } },
    { password: SECRET, passphrase: SECRET, access_token: SECRET },
    { text: `curl -H 'Authorization: Bearer ${SECRET}'` },
    { url: `https://user:${SECRET}@example.org/` },
    { map: new Map([["apiKey", SECRET]]) },
    { err: error },
    { err: new Fault("upstream_error", "refused", { cause: error }) },
    { bytes: Buffer.from(SECRET) },
    { json: { toJSON: () => ({ token: SECRET }) } },
  ];
  for (const fields of attempts) logger.error(fields, `failed with ${SECRET}`);
  for (const [i, line] of lines.entries()) {
    assert.ok(!line.includes(SECRET.slice(12)), `attempt ${i}: ${line}`);
  }
});

test("the id of a root key is written, and keys that begin alike are not", () => {
  const { logger, lines } = bench();
  logger.info({ rootKeyId: "rk_0123456789abcdef" }, "expected rk_0123456789abcdef");
  logger.info({ given: "rk_0123456789abcdefg" }, "rk_live_0123456789abcdef");
  assert.deepEqual(lines[0]?.match(/rk_\w+/g), ["rk_0123456789abcdef", "rk_0123456789abcdef"]);
  assert.equal(lines[1]?.includes("0123456789"), false);
});

test("a count of tokens is no secret", () => {
  const { logger, lines } = bench();
  logger.info({ tokens: { input: 5 }, token: 7 }, "counted");
  const line = JSON.parse(lines[0]!) as Record<string, unknown>;
  assert.deepEqual([line["tokens"], line["token"]], [{ input: 5 }, 7]);
});

test("an error is written with its code and its causes", () => {
  const { logger, lines } = bench();
  const cause = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  logger.error({ err: new Fault("upstream_unreachable", "No answer.", { cause }) }, "failed");
  const { err } = JSON.parse(lines[0]!) as { err: Record<string, Record<string, unknown>> };
  assert.equal(err["type"], "Fault");
  assert.equal(err["code"], "upstream_unreachable");
  assert.equal(err["cause"]!["code"], "ECONNREFUSED");
});

test("whatever a field or message holds, an event is one line without controls, in both forms", () => {
  for (const pretty of [false, true]) {
    const { logger, lines } = bench({ pretty });
    const wild = fc.string({ unit: "binary" });
    fc.assert(
      fc.property(wild, wild, fc.dictionary(wild, wild), (message, value, more) => {
        lines.length = 0;
        logger.info({ value, more }, message);
        assert.equal(lines.length, 1);
        const [line = ""] = lines;
        assert.ok(line.endsWith("\n") && !line.slice(0, -1).includes("\n"));
        assert.ok(!CONTROLS.test(line), JSON.stringify(line));
      }),
      { numRuns: 300 },
    );
  }
});

test("line breaks, escapes and marks in a value stay inside it", () => {
  const { logger, lines } = bench();
  const value = 'a\r\n{"level":"error"}\u001b[2J\u2028\u0085\u202e';
  logger.info({ model: value }, value);
  const line = JSON.parse(lines[0]!) as Record<string, unknown>;
  assert.deepEqual([line["level"], line["model"], line["message"]], ["info", value, value]);
});

test("fields cannot pass for the line's own level, time or message", () => {
  const { logger, lines } = bench();
  logger.info({ level: "error", time: "never", message: "forged" }, "real");
  const [line = ""] = lines;
  assert.equal(line.match(/"level":/g)?.length, 1);
  const parsed = JSON.parse(line) as Record<string, unknown>;
  assert.deepEqual([parsed["level"], parsed["message"]], ["info", "real"]);
});

test("no object makes a line endless", () => {
  const { logger, lines } = bench();
  const loop: Record<string, unknown> = { text: "x".repeat(1_000_000) };
  loop["self"] = loop;
  const wide = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`f${i}`, i]));
  logger.info({ loop, wide, list: Array.from({ length: 100_000 }, () => 1) }, "m");
  assert.ok(lines[0]!.length < 50_000);
});

test("for people a line shows time, level, message and fields", () => {
  const { logger, lines } = bench({ pretty: true });
  logger.warn({ port: 8080, name: "two words" }, "listening");
  assert.equal(lines[0], '11:21:08.000 WARN  listening port=8080 name="two words"\n');
});
