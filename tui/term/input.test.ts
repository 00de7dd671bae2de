import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { FakeClock } from "../../test/support/fake-clock.js";
import { InputDecoder, pasteUnitsMax, type InputEvent } from "./input.js";

interface Rig {
  readonly clock: FakeClock;
  readonly decoder: InputDecoder;
  readonly events: InputEvent[];
  readonly feed: (...chunks: readonly (string | Buffer)[]) => void;
  /** Names of the keys so far, forgotten afterwards. */
  readonly keys: () => string[];
}

function rig(escDelayMs?: number): Rig {
  const clock = new FakeClock();
  const events: InputEvent[] = [];
  const decoder = new InputDecoder({
    clock,
    emit: (event) => void events.push(event),
    ...(escDelayMs === undefined ? {} : { escDelayMs }),
  });
  return {
    clock,
    decoder,
    events,
    feed: (...chunks) => {
      for (const chunk of chunks) decoder.feed(Buffer.from(chunk));
    },
    keys: () =>
      events.splice(0).map((event) => (event.type === "key" ? event.name : `<${event.type}>`)),
  };
}

test("plain and control keys have the names that bindings use", () => {
  const { feed, keys } = rig();
  feed("aG1 [:?\r\t\u007f\b\u0004\u0000中");
  const expected = "a G 1 space [ : ? enter tab backspace backspace ctrl-d ctrl-space 中";
  assert.deepEqual(keys(), expected.split(" "));
});

test("special keys are known in the forms that common terminals send", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["\u001b[A", "up"],
    ["\u001bOA", "up"],
    ["\u001b[H", "home"],
    ["\u001b[1~", "home"],
    ["\u001b[7~", "home"],
    ["\u001b[4~", "end"],
    ["\u001b[3~", "delete"],
    ["\u001b[5~", "pageup"],
    ["\u001b[6~", "pagedown"],
    ["\u001b[Z", "shift-tab"],
    ["\u001bOP", "f1"],
    ["\u001b[15~", "f5"],
    ["\u001b[1;5C", "ctrl-right"],
    ["\u001b[1;2A", "shift-up"],
    ["\u001b[3;5~", "ctrl-delete"],
    ["\u001bx", "alt-x"],
    ["\u001b[27u", "esc"],
    ["\u001b[100;5u", "ctrl-d"],
    ["\u001b[27;5;13~", "ctrl-enter"],
  ];
  for (const [bytes, name] of cases) {
    const { feed, keys } = rig();
    feed(bytes);
    assert.deepEqual(keys(), [name], JSON.stringify(bytes));
  }
});

test("a lone ESC is the key itself, but only after the delay", () => {
  const { feed, keys, clock } = rig();
  feed("\u001b");
  clock.advance(49);
  assert.deepEqual(keys(), []);
  clock.advance(1);
  assert.deepEqual(keys(), ["esc"]);
});

test("a sequence that arrives in pieces is one key", () => {
  const { feed, keys, clock } = rig();
  feed("\u001b");
  clock.advance(40);
  feed("[");
  clock.advance(400);
  feed("B");
  assert.deepEqual(keys(), ["down"]);
  feed("\u001b[1", ";5", "C", "\u001bO", "A");
  assert.deepEqual(keys(), ["ctrl-right", "up"]);
});

test("a configured delay holds ESC longer, for slow links", () => {
  const { feed, keys, clock } = rig(200);
  feed("\u001b");
  clock.advance(150);
  feed("[B");
  assert.deepEqual(keys(), ["down"]);
});

test("the tail of a sequence whose ESC came too early is its key, and the delay grows", () => {
  const { feed, keys, clock } = rig();
  feed("\u001b");
  clock.advance(60);
  assert.deepEqual(keys(), ["esc"]);
  feed("[B");
  assert.deepEqual(keys(), ["down"], "and not [ and B");
  feed("\u001b");
  clock.advance(60);
  feed("[B");
  assert.deepEqual(keys(), ["down"], "the next one is whole again");
});

test("typing after ESC is typing", () => {
  const { feed, keys, clock } = rig();
  feed("\u001b");
  clock.advance(60);
  feed("[", "B");
  assert.deepEqual(keys(), ["esc", "[", "B"]);
});

test("two ESC in a row are two", () => {
  const { feed, keys, clock } = rig();
  feed("\u001b\u001b");
  clock.advance(60);
  assert.deepEqual(keys(), ["esc", "esc"]);
});

test("a paste is one event with its line ends, however it is cut into chunks", () => {
  const text = "sk-lk_abc\r\nsecond \u001b[A line\n";
  const bytes = `a\u001b[200~${text}\u001b[201~b`;
  for (let size = 1; size <= 12; size += 1) {
    const { feed, events } = rig();
    for (let at = 0; at < bytes.length; at += size) feed(bytes.slice(at, at + size));
    const pastes = events.filter((event) => event.type === "paste");
    assert.deepEqual(pastes, [{ type: "paste", text, truncated: false }], `chunks of ${size}`);
    assert.equal(events.length, 3);
  }
});

test("a paste without an end is delivered after a silence", () => {
  const { feed, events, clock } = rig();
  feed("\u001b[200~half");
  clock.advance(2999);
  assert.equal(events.length, 0);
  clock.advance(1);
  assert.deepEqual(events, [{ type: "paste", text: "half", truncated: false }]);
});

test("a paste that is too large is cut and says so", () => {
  const { feed, events } = rig();
  feed("\u001b[200~");
  for (let i = 0; i < 5; i += 1) feed("x".repeat(pasteUnitsMax / 4));
  feed("\u001b[201~");
  const [paste] = events;
  assert.ok(paste?.type === "paste" && paste.truncated);
  assert.equal(paste.text.length, pasteUnitsMax);
});

test("a line feed without paste marks is not Enter, so no pasted line confirms anything", () => {
  const { feed, keys } = rig();
  feed("y\n");
  assert.deepEqual(keys(), ["y", "ctrl-j"]);
});

test("all mouse reports of one chunk are seen, far columns too", () => {
  const { feed, events } = rig();
  feed("\u001b[<0;231;5M\u001b[<0;231;5m\u001b[<64;1;1M\u001b[<65;1;1M\u001b[<65;1;1M");
  assert.deepEqual(
    events.map((event) => (event.type === "mouse" ? `${event.action} ${event.x},${event.y}` : "")),
    ["press 230,4", "release 230,4", "wheel-up 0,0", "wheel-down 0,0", "wheel-down 0,0"],
  );
});

test("reports and replies of the terminal are no keys", () => {
  const { feed, keys, clock } = rig();
  feed("\u001b[I", "\u001b[O", "\u001b[?62;22c", "\u001b]11;rgb:0000/0000/0000\u0007");
  feed("\u001bP1+r436f\u001b\\", "\u001b[M !!", "\u001b[<35;4;4M", "\u001b[1;1R");
  clock.advance(1000);
  assert.deepEqual(
    keys().filter((name) => name !== "f3"),
    [],
  );
});

test("a character cut between two reads is one character", () => {
  const { feed, keys } = rig();
  const bytes = Buffer.from("数😀");
  feed(bytes.subarray(0, 2), bytes.subarray(2, 5), bytes.subarray(5));
  assert.deepEqual(keys(), ["数", "😀"]);
});

test("the keys do not depend on how a link cuts the bytes", () => {
  const piece = fc.constantFrom(
    "a",
    "中",
    "\u001b[A",
    "\u001b[1;5C",
    "\u001bOB",
    "\r",
    "\u001b[3~",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), fc.array(fc.nat(8)), (pieces, cuts) => {
      const whole = rig();
      whole.feed(pieces.join(""));
      const split = rig();
      let rest = Buffer.from(pieces.join(""));
      for (const cut of cuts) {
        split.feed(rest.subarray(0, cut));
        rest = rest.subarray(cut);
      }
      split.feed(rest);
      assert.deepEqual(split.keys(), whole.keys());
    }),
    { numRuns: 300 },
  );
});

test("no bytes whatever make the decoder throw or hold on to them for ever", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (chunks) => {
      const { decoder, clock } = rig();
      for (const chunk of chunks) decoder.feed(Buffer.from(chunk));
      clock.advance(10_000);
      assert.equal(clock.pending, 0);
    }),
    { numRuns: 500 },
  );
});
