import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { test } from "node:test";
import * as fc from "fast-check";
import { FakeClock } from "../../test/support/fake-clock.js";
import { HeaderBlock } from "../http/header-block.js";
import { CommonLines } from "./answer-head.js";
import { CallerConnection } from "./caller-connection.js";
import { KnownHeads } from "./known-head.js";
import type { CallerLimits } from "./limits.js";
import type { Turn } from "./turn.js";
import { UnreadAnswers } from "./unread-answers.js";

const LIMITS = {
  headerBytesMax: 16 * 1024,
  headTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  keepAliveMs: 5_000,
  callerIdleMs: 600_000,
} as CallerLimits;
const BAD = "HTTP/1.1 400 Bad Request\r\n";

/** A caller's end: what it sends is read at once, and it takes what is written unless it is told to be slow. */
class Wire extends EventEmitter {
  written = "";
  /** What became of our side. */
  side: "OPEN" | "ENDED" | "DESTROYED" = "OPEN";
  wasReset = false;
  paused = false;
  writable = true;
  writableLength = 0;
  writableNeedDrain = false;
  bytesRead = 0;
  bytesWritten = 0;

  sends(text: string): void {
    this.bytesRead += text.length;
    this.emit("data", Buffer.from(text, "latin1"));
  }

  write(bytes: Buffer | string): boolean {
    assert.equal(this.side, "OPEN", "nothing is written behind the end");
    this.written += typeof bytes === "string" ? bytes : bytes.toString("latin1");
    return true;
  }

  cork(): void {}
  uncork(): void {}

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  end(): void {
    this.side = "ENDED";
  }

  destroySoon(): void {
    this.side = "ENDED";
    if (this.writableLength === 0) this.emit("close");
  }

  destroy(): void {
    if (this.side === "DESTROYED") return;
    this.side = "DESTROYED";
    this.emit("close");
  }

  resetAndDestroy(): void {
    this.wasReset = true;
    this.destroy();
  }
}

/** A request as a handler sees it. */
interface Seen {
  readonly turn: Turn;
  body: string;
  ended: boolean;
  refused: boolean;
}

/** A connection whose requests are answered by `onTurn` or later. */
function connect(onTurn: (seen: Seen, index: number) => void = () => undefined) {
  const wire = new Wire();
  const clock = new FakeClock(0);
  const seen: Seen[] = [];
  const server = {
    limits: LIMITS,
    common: new CommonLines(clock, LIMITS.keepAliveMs),
    heads: new KnownHeads(),
    draining: false,
    clock,
    unread: new UnreadAnswers(1_000_000),
    onGone: () => undefined,
    onUnread: () => undefined,
    handler: {
      onTurn: (_connection: CallerConnection, turn: Turn) => {
        const each: Seen = { turn, body: "", ended: false, refused: false };
        turn.listener = {
          callerLeft: () => undefined,
          requestRefused: () => void (each.refused = true),
          onFull: () => undefined,
          onDrained: () => undefined,
        };
        turn.readBody({
          onBody: (piece) => void (each.body += piece.toString("latin1")),
          onBodyEnd: () => void (each.ended = true),
        });
        onTurn(each, seen.push(each) - 1);
      },
      refusal: () => ({ httpStatus: 400, headers: new HeaderBlock(), body: "bad" }),
    },
  };
  const from = { ip: "192.0.2.1", isProxy: false, serial: 1 };
  const connection = new CallerConnection(server, wire as unknown as Socket, from);
  return { wire, clock, seen, server, connection };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The answers in what was written: their bodies, and whether each says that it is the last. */
function answersIn(written: string): { body: string; closes: boolean }[] {
  const answers: { body: string; closes: boolean }[] = [];
  let rest = written;
  while (rest !== "") {
    const headEnd = rest.indexOf("\r\n\r\n") + 4;
    const head = rest.slice(0, headEnd);
    assert.match(head, /^HTTP\/1\.1 \d{3} [^\r]*\r\n/, JSON.stringify(rest));
    rest = rest.slice(headEnd);
    const closes = head.includes("\r\nconnection: close\r\n");
    const length = /\r\ncontent-length: (\d+)\r\n/.exec(head)?.[1];
    let body = "";
    if (length === undefined) {
      assert.match(head, /\r\ntransfer-encoding: chunked\r\n/);
      for (let size = -1; size !== 0;) {
        const line = /^([0-9a-f]+)\r\n/.exec(rest);
        assert.ok(line !== null, JSON.stringify(rest));
        size = Number.parseInt(line[1] ?? "", 16);
        body += rest.slice(line[0].length, line[0].length + size);
        rest = rest.slice(line[0].length + size + 2);
      }
    } else {
      body = rest.slice(0, Number(length));
      rest = rest.slice(Number(length));
    }
    answers.push({ body, closes });
  }
  return answers;
}

interface Planned {
  readonly body: string;
  readonly framing: "NONE" | "LENGTH" | "CHUNKED";
  /** When it is answered: as soon as its head is here, or so many turns of the event loop after it is here whole. */
  readonly answer: "AT_HEAD" | number;
  readonly inPieces: boolean;
}

function textOf({ body, framing }: Planned, index: number): string {
  const first = `POST /${String(index)} HTTP/1.1\r\nhost: h\r\n`;
  if (framing === "NONE") return `${first}\r\n`;
  if (framing === "LENGTH") return `${first}content-length: ${String(body.length)}\r\n\r\n${body}`;
  const chunks = body === "" ? "" : `${body.length.toString(16)}\r\n${body}\r\n`;
  return `${first}transfer-encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`;
}

const planned: fc.Arbitrary<Planned> = fc.record({
  body: fc.stringMatching(/^[a-z]{0,12}$/),
  framing: fc.constantFrom("NONE", "LENGTH", "CHUNKED"),
  answer: fc.oneof(fc.constant("AT_HEAD" as const), fc.nat(3)),
  inPieces: fc.boolean(),
});

async function give({ turn }: Seen, index: number, inPieces: boolean): Promise<void> {
  const text = `answer ${String(index)}`;
  if (!inPieces) {
    turn.whole(200, new HeaderBlock(), text);
    return;
  }
  turn.begin(200, new HeaderBlock(), undefined);
  turn.write(Buffer.from(text.slice(0, 3)));
  await settled();
  turn.end(Buffer.from(text.slice(3)));
}

test("however requests are cut, sent ahead and answered, each gets its own answer, in order, until one says it is the last", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(planned, { minLength: 1, maxLength: 5 }),
      fc.array(fc.nat(), { maxLength: 8 }),
      async (plan, cuts) => {
        const { wire, seen } = connect((each, index) => {
          const { answer, inPieces } = plan[index]!;
          if (answer === "AT_HEAD") void give(each, index, inPieces);
        });
        const all = plan.map((each, index) => textOf(each, index)).join("");
        const places = cuts.map((cut) => cut % (all.length + 1)).toSorted((a, b) => a - b);
        const waits = new Map<number, number>();
        const answerDue = async (): Promise<void> => {
          await settled();
          for (const [index, each] of seen.entries()) {
            const { answer, inPieces } = plan[index]!;
            if (!each.ended || answer === "AT_HEAD" || each.turn.begun) continue;
            const waited = waits.get(index) ?? 0;
            waits.set(index, waited + 1);
            if (waited >= answer) await give(each, index, inPieces);
          }
        };
        let from = 0;
        for (const to of [...places, all.length]) {
          if (wire.side === "OPEN" && to > from) wire.sends(all.slice(from, to));
          from = to;
          await answerDue();
        }
        for (let i = 0; i < 8 * plan.length; i++) await answerDue();
        const answers = answersIn(wire.written);
        assert.deepEqual(
          answers.map(({ body }) => body),
          answers.map((_, index) => `answer ${String(index)}`),
        );
        const last = answers.findIndex(({ closes }) => closes);
        assert.equal(answers.length, last < 0 ? plan.length : last + 1);
        assert.equal(wire.side, last < 0 ? "OPEN" : "ENDED");
        for (const [index, each] of seen.entries()) {
          const { answer, body, framing } = plan[index]!;
          const wanted = framing === "NONE" ? "" : body;
          if (answer !== "AT_HEAD") assert.equal(each.body, wanted);
          else assert.ok(wanted.startsWith(each.body));
        }
      },
    ),
    { numRuns: 150 },
  );
});

test("a request that turns out to be bad while its answer is under way breaks that off, and no other is written into it", async () => {
  const { wire, seen } = connect((each) => {
    each.turn.begin(200, new HeaderBlock(), undefined);
    each.turn.write(Buffer.from("some"));
  });
  wire.sends("POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n1\r\n");
  await settled();
  const before = wire.written;
  assert.match(before, /some/);
  wire.sends("abc");
  await settled();
  assert.equal(wire.written, before);
  assert.equal(wire.side, "DESTROYED");
  assert.equal(seen[0]?.refused, false);
});

test("a bad request without an answer yet is told so once, whatever follows it", async () => {
  for (const bad of [
    "GET / HTTP/1.1\r\nhost: h\r\nhost : h\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\nx\r\n",
  ]) {
    const { wire, seen } = connect();
    wire.sends(`${bad}GET /next HTTP/1.1\r\nhost: h\r\n\r\n`);
    await settled();
    wire.sends("GET /later HTTP/1.1\r\nhost: h\r\n\r\n");
    await settled();
    assert.ok(wire.written.startsWith(BAD));
    assert.deepEqual(answersIn(wire.written), [{ body: "bad", closes: true }]);
    assert.equal(wire.side, "ENDED");
    assert.ok(seen.every(({ refused }) => refused));
  }
});

test("a connection is not closed on a caller that still sends, for that would take its answer away", async () => {
  const last = (each: Seen): void => {
    each.turn.closeAfter();
    each.turn.whole(200, new HeaderBlock(), "last");
  };
  const request = "GET /1 HTTP/1.1\r\nhost: h\r\n\r\n";
  const inBody = "POST /1 HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n\r\nsome";
  for (const [sent, isOver] of [
    [request, true],
    [inBody, false],
    [request + request, false],
  ] as const) {
    const { wire, seen, clock, connection } = connect();
    let isClosed = false;
    wire.on("close", () => (isClosed = true));
    wire.sends(sent);
    if (seen[0] !== undefined) last(seen[0]);
    await settled();
    assert.deepEqual(answersIn(wire.written), [{ body: "last", closes: true }]);
    assert.deepEqual([wire.side, isClosed], ["ENDED", isOver], sent);
    wire.sends("more that is thrown away");
    wire.writableLength = 1;
    connection.check(clock.monotonic() + LIMITS.requestTimeoutMs);
    assert.equal(isClosed, true, "and not waited for without end");
    assert.equal(seen.length, 1);
  }
});

test("no further request is taken from a caller that has not read its answers", async () => {
  const { wire, seen } = connect((each) => each.turn.whole(200, new HeaderBlock(), "x"));
  wire.writableNeedDrain = true;
  wire.writableLength = 1;
  wire.sends("GET /1 HTTP/1.1\r\nhost: h\r\n\r\n");
  await settled();
  assert.equal(seen.length, 0);
  wire.writableNeedDrain = false;
  wire.writableLength = 0;
  wire.emit("drain");
  await settled();
  assert.equal(seen.length, 1);
});

test("what is sent ahead of an answer is bounded: after a second it is given up, and the answer is the last", async () => {
  const { wire, seen, clock } = connect();
  let isClosed = false;
  wire.on("close", () => (isClosed = true));
  wire.sends("GET /1 HTTP/1.1\r\nhost: h\r\n\r\n");
  wire.sends("x".repeat(64 * 1024));
  assert.equal(wire.paused, false);
  wire.sends("x");
  assert.equal(wire.paused, true);
  clock.advance(1_000);
  assert.equal(wire.paused, false, "reading shows whether the caller has left");
  wire.sends("GET /2 HTTP/1.1\r\nhost: h\r\n\r\n");
  seen[0]?.turn.whole(200, new HeaderBlock(), "one");
  await settled();
  wire.sends("GET /3 HTTP/1.1\r\nhost: h\r\n\r\n");
  await settled();
  assert.equal(seen.length, 1);
  assert.deepEqual(answersIn(wire.written), [{ body: "one", closes: true }]);
  assert.deepEqual([wire.side, isClosed], ["ENDED", false], "more of it may be on its way");
});

test("what is sent ahead by a caller that has yet to read its answers is not given up, however long it takes", async () => {
  const { wire, seen, clock } = connect((each) => each.turn.whole(200, new HeaderBlock(), "x"));
  wire.writableNeedDrain = true;
  wire.sends(`GET / HTTP/1.1\r\nhost: h\r\nx: ${"x".repeat(8_000)}\r\n\r\n`.repeat(9));
  assert.equal(wire.paused, true);
  clock.advance(10_000);
  wire.writableNeedDrain = false;
  wire.emit("drain");
  for (let i = 0; i < 20; i++) await settled();
  assert.equal(seen.length, 9);
  assert.equal(wire.paused, false);
});

test("an answer whose end is its connection's is reset where some of it has not left", async () => {
  for (const [unsent, wasReset] of [
    [1, true],
    [0, false],
  ] as const) {
    const { wire, connection } = connect((each) => {
      each.turn.begin(200, new HeaderBlock(), undefined);
      wire.writableLength = unsent;
      each.turn.end(Buffer.from("some"));
    });
    wire.sends("GET / HTTP/1.0\r\nhost: h\r\n\r\n");
    await settled();
    connection.breakOff();
    assert.equal(wire.wasReset, wasReset);
  }
});

test("a long body is taken out of the buffer that all connections are read into, and what nobody wants is not copied", () => {
  const shared = Buffer.from("0123456789");
  const { connection, wire, seen } = connect();
  assert.equal(connection.onLent(shared, 10), false, "a head is kept");
  wire.sends("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 15\r\n\r\nabc");
  assert.equal(connection.onLent(shared, 10), true);
  assert.equal(
    connection.onLent(shared, 3),
    false,
    "more than the body is kept: a request follows",
  );
  assert.equal(connection.onLent(shared, 2), true);
  assert.deepEqual([seen[0]?.body, seen[0]?.ended], ["abc012345678901", true]);

  const refused = connect(({ turn }) => {
    turn.whole(413, new HeaderBlock(), "too large");
  });
  refused.wire.sends("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 15\r\n\r\nabc");
  assert.equal(refused.connection.onLent(shared, 10), true);
  assert.deepEqual([refused.seen[0]?.body, refused.wire.side], ["", "ENDED"]);
});
