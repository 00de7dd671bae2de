import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import net from "node:net";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { systemClock } from "../../server/core/clock.js";
import { AdmissionQueue } from "../../server/limits/admission-queue.js";
import { settle, settleWhile } from "../support/fake-clock.js";
import {
  chatEvents,
  CHAT_REPLY,
  type Received,
  replyEvents,
  replyJson,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { CLIENT_KEY, startGateway, type TestGateway } from "./fixture.js";

// Whatever ends a call, and when: nothing that was taken for it stays taken.

const HALF_EVENT = `data: {"x":"${"y".repeat(40_000)}`;
const EVENTS = { "content-type": "text/event-stream" };

/** How providers behave, by name; SILENT ones wait for the caller to leave. */
const PROVIDERS: Readonly<Record<string, (received: Received, res: ServerResponse) => unknown>> = {
  WHOLE: replyJson(200, CHAT_REPLY),
  STREAM: replyEvents(chatEvents(["a", "b"])),
  LARGE: replyJson(200, JSON.stringify({ choices: [], x: "z".repeat(300_000) })),
  REFUSES: replyJson(400, '{"error":{"message":"no"}}'),
  LIMITS: replyJson(429, '{"error":{"message":"slow"}}', { "retry-after": "3000" }),
  FAILS: replyJson(500, '{"error":{"message":"down"}}'),
  GARBAGE: replyJson(200, "<html>"),
  CLOSES: (_received, res) => res.destroy(),
  CUTS_HEAD: (_received, res) => {
    res.writeHead(200, { ...EVENTS, "content-length": "100000" });
    res.flushHeaders();
    setImmediate(() => res.destroy());
  },
  CUTS_BODY: (_received, res) => {
    res.writeHead(200, EVENTS);
    res.write(chatEvents(["a"])[0]);
    res.write(HALF_EVENT);
    setImmediate(() => res.destroy());
  },
  CUTS_JSON: (_received, res) => {
    res.writeHead(200, { "content-type": "application/json" });
    res.write(CHAT_REPLY.slice(0, 50).padEnd(100_000));
    setImmediate(() => res.destroy());
  },
  BAD_GZIP: (_received, res) => {
    res.writeHead(200, { ...EVENTS, "content-encoding": "gzip" });
    res.end(gzipSync(chatEvents(["a"]).join("")).subarray(0, 30));
  },
  SILENT: () => undefined,
  SILENT_AFTER_HEAD: (_received, res) => {
    res.writeHead(200, EVENTS);
    res.flushHeaders();
  },
  SILENT_IN_EVENT: (_received, res) => {
    res.writeHead(200, EVENTS);
    res.write(chatEvents(["a"])[0]);
    res.write(HALF_EVENT);
  },
  SILENT_IN_JSON: (_received, res) => {
    res.writeHead(200, { "content-type": "application/json" });
    res.write(`{"x":"${"z".repeat(100_000)}`);
  },
};

/** When the caller leaves: in its head, its body, behind it, or behind so many bytes of the answer; never. */
const LEAVES = ["IN_HEAD", "IN_BODY", "AT_ONCE", "AT_TURN", "AT_FIRST_BYTE", "NEVER"] as const;

const aCall = fc.record({
  provider: fc.constantFrom(...Object.keys(PROVIDERS)),
  leaves: fc.constantFrom(...LEAVES),
  path: fc.constantFrom("/v1/chat/completions", "/v1/messages", "/v1/responses"),
  streamed: fc.boolean(),
  bodyBytes: fc.constantFrom(0, 100_000),
});

let stub: UpstreamStub;
let gateway: TestGateway;
let queue: AdmissionQueue;

before(async () => {
  stub = await startUpstreamStub((received, res) => {
    const [, name = ""] = /"model":"(\w+)"/.exec(received.body.toString()) ?? [];
    void PROVIDERS[name]?.(received, res);
  });
  queue = new AdmissionQueue({
    clock: systemClock,
    activeMax: 3,
    waitingMax: 4,
    waitMaxMs: () => 60_000,
  });
  gateway = await startGateway({
    providers: [{ baseUrl: `${stub.origin}/v1` }],
    secrets: ["sk-upstream-0000000000000000000000", "sk-upstream-1111111111111111111111"],
    admission: queue,
    limits: { keyWaitMs: 0, headHoldMs: 0 },
  });
});

after(async () => {
  await gateway.close();
  await stub.close();
});

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await settle();
}

async function call(asked: {
  readonly provider: string;
  readonly leaves: (typeof LEAVES)[number];
  readonly path: string;
  readonly streamed: boolean;
  readonly bodyBytes: number;
}): Promise<void> {
  const { provider, path, streamed } = asked;
  // Who waits for a silent provider has to leave in the end.
  const mustLeave = provider.startsWith("SILENT") && asked.leaves === "NEVER";
  const leaves = mustLeave ? "AT_TURN" : asked.leaves;
  const said = { model: provider, stream: streamed, max_tokens: 5, input: "x" };
  const messages = [{ role: "user", content: "x".repeat(asked.bodyBytes + 1) }];
  const body = JSON.stringify({ ...said, messages });
  const head = `POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${CLIENT_KEY}\r\ncontent-type: application/json\r\ncontent-length: ${String(body.length)}\r\nconnection: close\r\n\r\n`;
  const socket = net.connect(gateway.port, "127.0.0.1");
  socket.on("error", () => undefined);
  const closed = once(socket, "close");
  await once(socket, "connect");
  if (leaves === "IN_HEAD") {
    socket.write(head.slice(0, 60));
    await turns(2);
    socket.destroy();
  } else if (leaves === "IN_BODY") {
    socket.write(head + body.slice(0, Math.floor(body.length / 2)));
    await turns(2);
    socket.destroy();
  } else {
    socket.write(head + body);
    if (leaves === "AT_ONCE") socket.destroy();
    if (leaves === "AT_FIRST_BYTE") socket.once("data", () => socket.destroy());
    if (leaves === "AT_TURN" || provider.startsWith("SILENT")) {
      await turns(20);
      socket.destroy();
    }
    socket.resume();
  }
  await closed;
}

test("whatever ends calls, at whichever phase, nothing stays taken of what they took", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(aCall, { minLength: 1, maxLength: 12 }), async (calls) => {
      await Promise.all(calls.map(call));
      const { pool, limiter, sink, upstream } = gateway;
      await settleWhile(() => gateway.gateway.running > 0 || gateway.gateway.connections.open > 0);
      assert.deepEqual(
        {
          leased: pool.leased,
          open: limiter.open,
          inFlight: upstream.inFlight,
          active: queue.active,
          waiting: queue.waiting,
          ...gateway.gateway.held,
        },
        { leased: 0, open: 0, inFlight: 0, active: 0, waiting: 0, bodies: 0, streams: 0 },
      );
      const recorded = new Set(sink.records.map(({ id }) => id));
      assert.ok(
        sink.begun.every(({ id }) => recorded.has(id)),
        "what began is on record",
      );
      assert.equal(limiter.settled.length, sink.begun.length, "what was reserved is settled");
    }),
    { numRuns: 60 },
  );
});
