import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { HeaderBlock } from "../http/header-block.js";
import { Turn } from "./turn.js";
import type { ParsedRequest } from "./request-head.js";

/** Callers' ends as far as a turn sees them: what was written, and what became of the connection. */
interface Caller {
  written: string;
  brokenOff: boolean;
  /** How the answer ended: true where the connection ends with it. */
  closed: boolean | undefined;
}

interface Asked {
  readonly method?: string;
  readonly minor?: 0 | 1;
  readonly persistent?: boolean;
  readonly expectation?: string;
  readonly requestInHand?: boolean;
  readonly draining?: boolean;
}

/** A turn for a request, on a socket that takes all that is written at once. */
function asked(request: Asked): { turn: Turn; caller: Caller } {
  const { method = "POST", minor = 1, persistent = true, expectation = "" } = request;
  const { requestInHand = true, draining = false } = request;
  const caller: Caller = { written: "", brokenOff: false, closed: undefined };
  const socket = {
    cork: () => undefined,
    uncork: () => undefined,
    writableLength: 0,
    writableNeedDrain: false,
    write: (bytes: Buffer | string): boolean => {
      caller.written += typeof bytes === "string" ? bytes : bytes.toString("latin1");
      return true;
    },
  };
  const connection = {
    socket: socket as unknown as Socket,
    common: {
      connection: (closes: boolean) => (closes ? "closes\r\n" : ""),
      date: () => "",
    } as never,
    requestInHand,
    draining,
    onMuchWritten: () => undefined,
    onUnframed: () => undefined,
    onAnswered: (_turn: Turn, closes: boolean) => void (caller.closed = closes),
    breakOff: () => void (caller.brokenOff = true),
  };
  const parsed = { minor, method, lines: { persistent, expectation } };
  return { turn: new Turn(connection, parsed as unknown as ParsedRequest, -1), caller };
}

const tick = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

test("an answer that has not as many bytes as its head says is broken off", async () => {
  for (const [told, written, isWhole] of [
    [5, "12345", true],
    [5, "1234", false],
    [5, "123456", false],
    [5, "", false],
    [0, "", true],
  ] as const) {
    for (const inPieces of [false, true]) {
      const { turn, caller } = asked({});
      turn.begin(200, new HeaderBlock(), told);
      if (inPieces) {
        turn.write(Buffer.from(written));
        await tick();
        turn.end();
      } else turn.end(Buffer.from(written));
      assert.equal(caller.brokenOff, !isWhole, `${written} of ${told}`);
      assert.equal(caller.closed, isWhole ? false : undefined);
    }
  }
});

test("where a caller takes no body, none is written, whatever the head says of it", async () => {
  for (const [request, httpStatus, length, head] of [
    [{ method: "HEAD" }, 200, 5, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"],
    [{ method: "HEAD" }, 200, undefined, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"],
    [{}, 204, undefined, "HTTP/1.1 204 No Content\r\n\r\n"],
    [{}, 304, undefined, "HTTP/1.1 304 Not Modified\r\n\r\n"],
  ] as const) {
    const { turn, caller } = asked(request);
    turn.begin(httpStatus, new HeaderBlock(), length);
    turn.write(Buffer.from("some"));
    await tick();
    turn.end(Buffer.from("body"));
    assert.equal(caller.written, head);
    assert.equal(caller.closed, false);
  }
  const { turn, caller } = asked({ method: "HEAD" });
  turn.whole(200, new HeaderBlock(), "body");
  await tick();
  assert.equal(caller.written, "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n");
});

test("the end of an answer without a length shows in chunks, and to a caller of HTTP/1.0 in the connection's", async () => {
  for (const [minor, body, closes] of [
    [1, "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", false],
    [0, "closes\r\n\r\nabcde", true],
  ] as const) {
    const { turn, caller } = asked({ minor });
    turn.begin(200, new HeaderBlock(), undefined);
    turn.write(Buffer.from("a"));
    turn.write(Buffer.from("bc"));
    await tick();
    turn.end(Buffer.from("de"));
    assert.equal(caller.written, `HTTP/1.1 200 OK\r\n${body}`);
    assert.equal(caller.closed, closes);
    turn.write(Buffer.from("late"));
    turn.end();
    await tick();
    assert.ok(caller.written.endsWith(body), "nothing follows on an answer's end");
  }
});

test("a connection ends with its answer where the caller, the rest of its request or a stop asks for it", async () => {
  for (const request of [{ persistent: false }, { requestInHand: false }, { draining: true }]) {
    const { turn, caller } = asked(request);
    turn.whole(200, new HeaderBlock(), "");
    await tick();
    assert.equal(caller.written, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\ncloses\r\n\r\n");
    assert.equal(caller.closed, true);
  }
});

test("only a caller of HTTP/1.1 that expects it is told to go on", () => {
  for (const [request, isTold] of [
    [{ expectation: "100-continue" }, true],
    [{ expectation: "100-continue", minor: 0 }, false],
    [{}, false],
  ] as const) {
    const { turn, caller } = asked(request);
    turn.readBody({ onBody: () => undefined, onBodyEnd: () => undefined });
    assert.equal(caller.written, isTold ? "HTTP/1.1 100 Continue\r\n\r\n" : "");
  }
});

test("what comes of a request when its turn is over is passed over", () => {
  const ends: readonly ((turn: Turn) => void)[] = [
    (turn) => turn.whole(400, new HeaderBlock(), ""),
    (turn) => turn.breakOff(),
    (turn) => turn.onGone(false),
    (turn) => turn.onRefused(408, "late"),
  ];
  for (const end of ends) {
    const { turn } = asked({});
    let taken = "";
    turn.readBody({
      onBody: (piece) => void (taken += piece.toString()),
      onBodyEnd: () => void (taken += "."),
    });
    turn.onBody(Buffer.from("a"), true);
    end(turn);
    turn.onBody(Buffer.from("b"), true);
    turn.onBodyEnd();
    assert.equal(taken, "a");
  }
});

test("a turn has one answer: none is written into one that has begun, behind its end or after the caller has left", async () => {
  const none = new HeaderBlock();
  const firsts: readonly ((turn: Turn) => void)[] = [
    (turn) => turn.whole(200, none, "first"),
    (turn) => {
      turn.begin(200, none, undefined);
      turn.flushHead();
    },
    (turn) => turn.onGone(false),
    (turn) => turn.onRefused(408, "late"),
  ];
  for (const first of firsts) {
    const { turn, caller } = asked({});
    first(turn);
    await tick();
    const { written } = caller;
    turn.whole(500, none, "second");
    turn.begin(500, none, 6);
    turn.flushHead();
    await tick();
    assert.equal(caller.written, written);
  }
});

/** A turn whose request is here. */
function turnOn(socket: Socket): Turn {
  const home = {
    socket,
    common: { connection: () => "", date: () => "" } as never,
    requestInHand: true,
    draining: false,
    onMuchWritten: () => undefined,
    onUnframed: () => undefined,
    onAnswered: () => undefined,
    breakOff: () => void socket.destroy(),
  };
  const lines = { persistent: true, expectation: "" };
  return new Turn(home, { minor: 1, method: "POST", lines } as unknown as ParsedRequest, -1);
}

test("an answer that ends before it has begun closes the connection: no caller waits for ever", () => {
  let destroyed = 0;
  const socket = { destroy: () => destroyed++ } as unknown as Socket;
  const turn = turnOn(socket);
  turn.end(Buffer.from("last"));
  assert.equal(destroyed, 1);
  assert.equal(turn.over, true);
});

test("a listener hears at once that its caller takes no more, and not for what has left already", () => {
  const socket = {
    cork: () => undefined,
    uncork: () => undefined,
    write: (): boolean => false,
    writableNeedDrain: true,
    writableLength: 0,
  };
  const turn = turnOn(socket as unknown as Socket);
  let full = 0;
  turn.listener = {
    callerLeft: () => undefined,
    requestRefused: () => undefined,
    onFull: () => void full++,
    onDrained: () => undefined,
  };
  turn.begin(200, new HeaderBlock(), undefined);
  for (const left of [0, 70_000]) {
    socket.writableLength = left;
    turn.write(Buffer.alloc(70_000));
    turn.flushOnTick();
    assert.equal(full, left === 0 ? 0 : 1);
  }
});
