import assert from "node:assert/strict";
import { test } from "node:test";
import type { StreamResponse, UnaryRequest } from "@connectrpc/connect";
import { FakeLogger } from "../../test/gateway/fixture.js";
import { faultInterceptor } from "./interceptors.js";

/** What comes out of the interceptor, of a service's stream. */
async function intercepted(
  logger: FakeLogger,
  message: AsyncIterable<object>,
): Promise<AsyncGenerator<object>> {
  const request = { service: { typeName: "S" }, method: { name: "Watch" } } as UnaryRequest;
  const response = { stream: true, message } as StreamResponse;
  const { message: out } = await faultInterceptor(logger)(async () => response)(request);
  return out as AsyncGenerator<object>;
}

test("a watcher whose connection breaks off ends its stream, and no error is logged", async () => {
  const logger = new FakeLogger();
  let isEnded = false;
  async function* watch(): AsyncGenerator<object> {
    try {
      for (;;) yield {};
    } finally {
      isEnded = true;
    }
  }
  const messages = await intercepted(logger, watch());
  await messages.next();
  await assert.rejects(messages.throw(new Error("The stream has been destroyed")), /destroyed/);
  assert.ok(isEnded);
  assert.deepEqual(logger.lines, []);
});

test("a service that fails in the middle of its stream is logged with the cause, and its caller told nothing of it", async () => {
  const logger = new FakeLogger();
  async function* watch(): AsyncGenerator<object> {
    yield {};
    throw new Error("row 7 cannot be read");
  }
  const messages = await intercepted(logger, watch());
  await messages.next();
  await assert.rejects(messages.next(), (error) => !/row 7/.test(String(error)));
  assert.deepEqual(
    logger.lines.map(({ level, message }) => [level, message]),
    [["error", "rpc failed"]],
  );
});
