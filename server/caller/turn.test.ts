import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { Turn } from "./turn.js";
import type { ParsedRequest } from "./request-head.js";

test("an answer that ends before it has begun closes the connection: no caller waits for ever", () => {
  let destroyed = 0;
  const socket = { destroy: () => destroyed++ } as unknown as Socket;
  const home = {
    socket,
    common: {} as never,
    requestInHand: true,
    draining: false,
    onMuchWritten: () => undefined,
    onAnswered: () => undefined,
  };
  const lines = { persistent: true, expectation: "" };
  const turn = new Turn(home, { minor: 1, method: "POST", lines } as unknown as ParsedRequest);
  turn.end(Buffer.from("last"));
  assert.equal(destroyed, 1);
  assert.equal(turn.over, true);
});
