import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { editsOf, plainBlock } from "./testing/plain-heads.js";
import { FramingError } from "./framing-error.js";
import { HeaderLines } from "./header-lines.js";

/** What header lines say. */
interface Said {
  readonly lines: readonly (readonly [name: string, value: string])[];
  readonly contentLength: number;
  readonly chunked: boolean;
  readonly persistent: boolean;
  readonly keepAliveSeconds: number;
  readonly expectation: string;
  readonly named: readonly string[];
  /** Characters from the first line to the one behind the blank line. */
  readonly length: number;
}

/** Lines that do not say one thing clearly, or not all of it. */
type Reading = Said | "REFUSED";

/** Stands before the lines, as a request line does. */
const BEFORE = "GET";

function read(text: string, minor: 0 | 1): Reading {
  const bytes = Buffer.from(BEFORE + text, "latin1");
  const lines = new HeaderLines(bytes, BEFORE.length);
  try {
    if (!lines.read(BEFORE.length, bytes.length, minor)) return "REFUSED";
  } catch (error) {
    assert.ok(error instanceof FramingError);
    assert.equal(error.problem, "MALFORMED");
    return "REFUSED";
  }
  const places = Array.from({ length: lines.length / 4 }, (_line, at) => at * 4);
  const read = places.map((i) => [lines.name(i), lines.value(i)] as const);
  for (const i of places) {
    const rest = read.slice(i / 4).map(([name, value]) => `${name}: ${value}\r\n`);
    assert.equal(lines.lines(i, lines.length), rest.join(""));
    assert.equal(lines.lines(i, i + 4), rest[0]);
  }
  const { contentLength, chunked, persistent, keepAliveSeconds, expectation, named } = lines;
  return {
    lines: read,
    contentLength,
    chunked,
    persistent,
    keepAliveSeconds,
    expectation,
    named,
    length: lines.end - BEFORE.length,
  };
}

/** A length or a coding beside which some read a blank, others more of the value. */
const TABBED = /^(?:content-length|transfer-encoding):.*\t/im;

/** The same, read in the plainest way. */
function readPlainly(text: string, minor: 0 | 1): Reading {
  const block = plainBlock(text);
  if (block === undefined) return "REFUSED";
  const of = (wanted: string): string[] =>
    block.lines.flatMap(([name, value]) => (name.toLowerCase() === wanted ? [value] : []));
  const lengths = of("content-length");
  const codings = of("transfer-encoding");
  const isSound =
    lengths.length + codings.length <= 1 &&
    !TABBED.test(text.slice(0, block.length)) &&
    lengths.every((each) => /^\d{1,15}$/.test(each)) &&
    codings.every((each) => each.toLowerCase() === "chunked" && minor === 1);
  if (!isSound) return "REFUSED";
  const options = of("connection").flatMap((each) =>
    each.split(",").map((word) => word.trim().toLowerCase()),
  );
  const seconds = of("keep-alive").flatMap((each) => /timeout=(\d{1,9})/i.exec(each)?.[1] ?? []);
  return {
    lines: block.lines,
    contentLength: Number(lengths[0] ?? -1),
    chunked: codings.length > 0,
    persistent: !options.includes("close") && (minor === 1 || options.includes("keep-alive")),
    keepAliveSeconds: Number(seconds.at(-1) ?? -1),
    expectation: (of("expect").at(-1) ?? "").toLowerCase(),
    named: options.filter((each) => each !== "close" && each !== "keep-alive"),
    length: block.length,
  };
}

function assertReadPlainly(text: string): void {
  for (const minor of [0, 1] as const) {
    assert.deepEqual(read(text, minor), readPlainly(text, minor), JSON.stringify([text, minor]));
  }
}

test("header lines are read as the grammar has them, whichever byte of them is another, is missing or is too much", () => {
  const whole =
    "Host: a.b:1\r\nContent-Length: 12\r\nConnection: keep-alive\r\nKeep-Alive: Timeout=5, max=3\r\n" +
    "Expect: 100-Continue\r\nX-Empty:\r\nx_~:\t \xe9\xff, b \t\r\n\r\nbody";
  const chunked = "A: b\r\nTransfer-Encoding: Chunked\r\nConnection: x, close ,Y\r\n\r\n";
  assert.notEqual(read(whole, 1), "REFUSED");
  assert.notEqual(read(chunked, 1), "REFUSED");
  for (const text of [whole, chunked]) for (const edit of editsOf(text)) assertReadPlainly(edit);
});

test("what several header lines say together is read as the grammar has it", () => {
  const name = fc.constantFrom(
    "content-length",
    "Content-Length",
    "transfer-encoding",
    "connection",
    "Connection",
    "keep-alive",
    "keep-alove",
    "expect",
    "export",
    "x",
  );
  const value = fc.constantFrom(
    "",
    "0",
    "007",
    "5",
    "1 1",
    "5,5",
    "+5",
    "0x5",
    "5.0",
    "999999999999999",
    "1000000000000000",
    "chunked",
    "gzip, chunked",
    "identity",
    "close",
    "keep-alive",
    "keep-alove",
    "Keep-Alive",
    "keep-alive, content-length",
    "timeout=7",
    "100-continue",
  );
  const blank = fc.constantFrom("", " ", "\t", " \t ");
  const line = fc
    .tuple(name, blank, value, blank)
    .map(([key, before, text, behind]) => `${key}:${before}${text}${behind}\r\n`);
  fc.assert(
    fc.property(fc.array(line, { maxLength: 4 }), (lines) => {
      assertReadPlainly(`${lines.join("")}\r\n`);
    }),
    { numRuns: 3000 },
  );
});
