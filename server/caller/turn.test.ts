import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { HeaderBlock } from "../http/header-block.js";
import { Turn } from "./turn.js";
import type { ParsedRequest } from "./request-head.js";

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
