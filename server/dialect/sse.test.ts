import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  commentsEnd,
  eventData,
  EventGate,
  lastBoundary,
  lastEventStart,
  nextBoundary,
} from "./sse.js";

const STREAM = [
  'data: {"a":"ü"}\n\n',
  ": a comment\n\n",
  "event: x\r\ndata: 1\r\n\r\n",
  'data: {"long":"' + "x".repeat(300) + '"}\n\n',
  "data: two\ndata: lines\n\n",
  "data: [DONE]\n\n",
].join("");

function cutAt(text: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...new Set(places.map((place) => place % (text.length + 1)))].toSorted(
    (a, b) => a - b,
  );
  const pieces: Buffer[] = [];
  let from = 0;
  for (const place of [...sorted, text.length]) {
    if (place > from) pieces.push(text.subarray(from, place));
    from = place;
  }
  return pieces;
}

test("whatever the chunking, every byte goes through in order and only whole events go through", () => {
  const text = Buffer.from(STREAM);
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 60, size: "max" }), (places) => {
      const gate = new EventGate(10_000);
      const out: Buffer[] = [];
      for (const piece of cutAt(text, places)) {
        const events = gate.push(piece);
        if (events === undefined) continue;
        assert.equal(lastBoundary(events), events.length);
        out.push(events);
      }
      assert.equal(gate.midEvent, false);
      assert.equal(gate.rest(), undefined);
      assert.equal(Buffer.concat(out).toString(), STREAM);
    }),
    { numRuns: 400 },
  );
});

test("a stream whose lines end with carriage returns alone goes through with line feeds, whatever the chunking", () => {
  const lines = STREAM.replaceAll("\r", "");
  const text = Buffer.from(lines.replaceAll("\n", "\r"));
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 60, size: "max" }), (places) => {
      const gate = new EventGate(10_000);
      const out: string[] = [];
      for (const piece of cutAt(text, places)) {
        const events = gate.push(piece);
        if (events === undefined) continue;
        assert.equal(lastBoundary(events), events.length, "only whole events");
        out.push(events.toString("latin1"));
      }
      out.push(gate.rest()?.toString("latin1") ?? "");
      assert.equal(Buffer.from(out.join(""), "latin1").toString(), lines);
    }),
  );
});

test("a carriage return where lines end otherwise is no line's end", () => {
  for (const text of ["data: a\n\ndata: b\r\rc\n\n", "data: a\r\n\r\ndata: b\r\rc\n\n"]) {
    const gate = new EventGate(10_000);
    const out = text.split("").map((byte) => gate.push(Buffer.from(byte))?.toString() ?? "");
    assert.equal(out.join(""), text);
  }
});

test("byte by byte, CRLF and UTF-8 included, nothing is lost", () => {
  const gate = new EventGate(10_000);
  const out: Buffer[] = [];
  for (const byte of Buffer.from(STREAM)) {
    const events = gate.push(Buffer.from([byte]));
    if (events !== undefined) out.push(events);
  }
  assert.equal(Buffer.concat(out).toString(), STREAM);
  assert.equal(out.length, 6);
});

test("half an event is held back, and is what is left at the end", () => {
  const gate = new EventGate(100);
  assert.equal(gate.push(Buffer.from("data: 1\n\ndata: "))?.toString(), "data: 1\n\n");
  assert.equal(gate.push(Buffer.from("2"))?.toString(), undefined);
  assert.equal(gate.midEvent, false);
  assert.equal(gate.rest()?.toString(), "data: 2");
});

test("an event over the limit goes through in pieces, and the gate says so until it ends", () => {
  const gate = new EventGate(10);
  assert.equal(gate.push(Buffer.from("data: 12345678"))?.toString(), "data: 12345678");
  assert.equal(gate.midEvent, true);
  assert.equal(gate.push(Buffer.from("90"))?.toString(), "90");
  assert.equal(gate.midEvent, true);
  assert.equal(gate.push(Buffer.from("\n\ndata: 1"))?.toString(), "\n\n");
  assert.equal(gate.midEvent, false);
  assert.equal(gate.rest()?.toString(), "data: 1");
});

test("an event that comes in single bytes is copied no more often the longer it is", (t) => {
  const concat = Buffer.concat.bind(Buffer);
  let copied = 0;
  Buffer.concat = (list, length) => {
    const all = concat(list, length);
    copied += all.length;
    return all;
  };
  t.after(() => {
    Buffer.concat = concat;
  });
  const copiedPerByte = (length: number): number => {
    const gate = new EventGate(length);
    copied = 0;
    for (let i = 0; i < length; i++) gate.push(Buffer.from(i % 2 === 0 ? "x" : "\n"));
    assert.equal(gate.rest()?.length, length);
    return copied / length;
  };
  const few = copiedPerByte(100_000);
  const many = copiedPerByte(400_000);
  assert.ok(many < few * 1.1, `${String(few)} and ${String(many)} times`);
});

test("boundaries are found from both ends", () => {
  const text = Buffer.from("data: 1\n\ndata: 2\r\n\r\ndata: 3");
  assert.equal(nextBoundary(text, 0), 9);
  assert.equal(nextBoundary(text, 9), 20);
  assert.equal(nextBoundary(text, 20), -1);
  assert.equal(lastBoundary(text), 20);
  assert.equal(lastBoundary(Buffer.from("no end\n")), 0);
  assert.equal(lastEventStart(text.subarray(0, 20)), 9);
});

test("data lines of an event are joined", () => {
  assert.equal(eventData(Buffer.from("event: x\ndata: a\ndata:b\n\n")), "a\nb");
  assert.equal(eventData(Buffer.from(": comment\n\n")), undefined);
});

/** Lines and halves of lines, as fast-check puts them together. */
const anyLines = fc
  .array(
    fc.constantFrom(
      "data: ",
      "data:",
      "x",
      "ü",
      "\n",
      "\r\n",
      "\r",
      " ",
      ":",
      `: ${"c".repeat(40)}`,
    ),
    { maxLength: 30, size: "max" },
  )
  .map((pieces) => pieces.join(""));

test("the data of an event is that of its lines, however these end", () => {
  fc.assert(
    fc.property(anyLines, (event) => {
      const values = event.split(/\r?\n/).filter((line) => line.startsWith("data:"));
      const data = values.map((line) => line.replace(/^data: ?/, "")).join("\n");
      assert.equal(eventData(Buffer.from(event)), values.length === 0 ? undefined : data);
    }),
  );
});

test("only whole comments and blank lines are passed over", () => {
  assert.equal(commentsEnd(Buffer.from(": a\n: b\n\n:\r\n\r\n\ndata: 1\n\n"), 0), 15);
  assert.equal(commentsEnd(Buffer.from(": a\ndata: 1\n\n"), 0), 0);
  assert.equal(commentsEnd(Buffer.from(": a\n\n: b"), 0), 5);
  fc.assert(
    fc.property(anyLines, (events) => {
      const text = Buffer.from(events);
      const end = commentsEnd(text, 0);
      const over = events.slice(0, text.toString("utf8", 0, end).length);
      assert.match(over, /^(?:(?::[^\n]*\n)*\r?\n)*$/);
      assert.equal(commentsEnd(text, end), end);
    }),
  );
});
