import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import net from "node:net";
import { test } from "node:test";
import { CallerServer } from "../../server/caller/caller-server.js";
import type { CallerLimits } from "../../server/caller/limits.js";
import type { Turn } from "../../server/caller/turn.js";
import { HeaderBlock } from "../../server/http/header-block.js";
import { GATEWAY_LIMITS } from "../../server/gateway/limits.js";
import { FakeClock } from "../support/fake-clock.js";

/** A server with `onTurn` for its handler; it trusts everybody. */
function serverOf(onTurn: (turn: Turn) => void, changed: Partial<CallerLimits> = {}): CallerServer {
  return new CallerServer({
    limits: { ...GATEWAY_LIMITS, ...changed },
    tls: undefined,
    clock: new FakeClock(),
    gate: {
      admits: () => true,
      originOf: () => ({ ip: "127.0.0.1", isProxy: false }),
      refused: () => undefined,
    },
    handler: {
      onTurn: (_connection, turn) => onTurn(turn),
      refusal: () => ({ httpStatus: 400, headers: new HeaderBlock(), body: "" }),
    },
  });
}

const GET = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";

test("a stop closes no connection whose answer was written a moment before", async () => {
  const server = serverOf(
    (turn) => {
      setImmediate(() => {
        turn.whole(200, new HeaderBlock(), "answer");
        server.closeIdle();
        void server.stop();
      });
    },
    { lastRequestMs: 0 },
  );
  const { port } = await server.listen({ host: "127.0.0.1", port: 0 }, assert.fail);
  const caller = net.connect(port, "127.0.0.1");
  caller.write(GET);
  let text = "";
  caller.on("data", (bytes) => (text += String(bytes)));
  await once(caller, "close");
  assert.match(text, /^HTTP\/1\.1 200 OK\r\n[^]+\r\nanswer$/);
});

test("a caller who is gone without a word is noticed after a minute, also while nothing is written", async (t) => {
  if (process.platform !== "linux") return t.skip("the system tells its timers on Linux only");
  let asked = (): void => undefined;
  const wasAsked = new Promise<void>((resolve) => (asked = resolve));
  const server = serverOf(() => asked());
  const { port } = await server.listen({ host: "127.0.0.1", port: 0 }, assert.fail);
  const caller = net.connect(port, "127.0.0.1");
  caller.write(GET);
  await wasAsked;
  const seconds = secondsToKeepAlive(port, caller.localPort);
  assert(seconds > 0 && seconds <= 60, `the system first asks after ${seconds} s`);
  caller.destroy();
  await server.stop();
});

/** When the system asks for the first time whether the other side is still there. Source: Linux, proc_net_tcp.rst. */
function secondsToKeepAlive(port: number, callerPort: number | undefined): number {
  const ends = [port, callerPort ?? 0].map((each) =>
    each.toString(16).toUpperCase().padStart(4, "0"),
  );
  const [ours, theirs] = ends;
  const row = new RegExp(`:${ours} \\w+:${theirs} 01 \\w+:\\w+ 02:(\\w+)`);
  const found = row.exec(readFileSync("/proc/net/tcp", "latin1"));
  assert(found?.[1] !== undefined, "the connection has no keep-alive timer");
  return Number.parseInt(found[1], 16) / 100;
}
