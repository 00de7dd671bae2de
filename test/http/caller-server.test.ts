import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test } from "node:test";
import { CallerServer } from "../../server/caller/caller-server.js";
import type { CallerLimits } from "../../server/caller/limits.js";
import { HeaderBlock } from "../../server/http/header-block.js";
import { GATEWAY_LIMITS } from "../../server/gateway/limits.js";
import { FakeClock } from "../support/fake-clock.js";

test("a stop closes no connection whose answer was written a moment before", async () => {
  const limits: CallerLimits = { ...GATEWAY_LIMITS, lastRequestMs: 0 };
  const server: CallerServer = new CallerServer({
    limits,
    tls: undefined,
    clock: new FakeClock(),
    gate: {
      admits: () => true,
      originOf: () => ({ ip: "127.0.0.1", isProxy: false }),
      refused: () => undefined,
    },
    handler: {
      onTurn: (_connection, turn) => {
        setImmediate(() => {
          turn.whole(200, new HeaderBlock(), "answer");
          server.closeIdle();
          void server.stop();
        });
      },
      refusal: () => ({ httpStatus: 400, headers: new HeaderBlock(), body: "" }),
    },
  });
  const { port } = await server.listen({ host: "127.0.0.1", port: 0 }, assert.fail);
  const caller = net.connect(port, "127.0.0.1");
  caller.write("GET / HTTP/1.1\r\nhost: h\r\n\r\n");
  let text = "";
  caller.on("data", (bytes) => (text += String(bytes)));
  await once(caller, "close");
  assert.match(text, /^HTTP\/1\.1 200 OK\r\n[^]+\r\nanswer$/);
});
