import assert from "node:assert/strict";
import net, { type AddressInfo } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { connectTo } from "../../server/upstream/connect.js";
import { readFrom } from "../../server/caller/socket-reads.js";
import { systemClock } from "../../server/core/clock.js";
import type { CheckedUrl, UrlPolicy } from "../../server/upstream/url-policy.js";

const FULL_READ = 64 * 1024;
const BYTES = 8 * 1024 * 1024;

/** Reads that came one after the other in one turn of the event loop, the most of them. */
class TurnCounts {
  most = 0;
  bytes = 0;
  #inTurn = 0;

  add(length: number): void {
    this.bytes += length;
    if (this.#inTurn === 0) setImmediate(() => (this.#inTurn = 0));
    this.#inTurn++;
    this.most = Math.max(this.most, this.#inTurn);
  }
}

test("a provider that always has more to read leaves others their turn, and all of it comes", async (t) => {
  const server = net.createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end(Buffer.alloc(BYTES));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const origin = `http://127.0.0.1:${String(port)}`;
  const url = { origin, hostname: "127.0.0.1", port, secure: false } as CheckedUrl;
  const policy = {
    resolve: (_url: CheckedUrl, done: (error: null, addresses: object[]) => void) => {
      done(null, [{ address: "127.0.0.1", family: 4 }]);
    },
  } as unknown as UrlPolicy;
  const connect = connectTo({ clock: systemClock, policy, url, timeoutMs: 5_000, extraCa: [] });
  const counts = new TurnCounts();
  await new Promise<void>((resolve, reject) => {
    connect({
      onOpen: (socket) => socket.once("end", resolve),
      onOpenFailed: reject,
      onRead: (_bytes, length) => {
        counts.add(length);
      },
    });
  });
  assert.equal(counts.bytes, BYTES);
  assert.ok(counts.most <= 8 * 2, `${String(counts.most)} reads in one turn`);
});

test("a caller that sends much leaves others their turn, and what is stopped meanwhile stays so", async (t) => {
  const counts = new TurnCounts();
  let stopped = 0;
  const server = net.createServer((socket) => {
    socket.on("error", () => undefined);
    const onLent = (_bytes: Buffer, length: number): boolean => {
      counts.add(length);
      if (length < FULL_READ || stopped > 0) return true;
      // Where a read would let it go on in the next turn.
      stopped = counts.bytes;
      socket.pause();
      setImmediate(() =>
        setImmediate(() => {
          assert.equal(counts.bytes, stopped);
          socket.resume();
        }),
      );
      return true;
    };
    readFrom(socket, { onLent, onRead: () => undefined });
    socket.once("end", () => socket.end());
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => server.close());
  const caller = net.connect((server.address() as AddressInfo).port, "127.0.0.1");
  caller.resume().end(Buffer.alloc(BYTES));
  await once(caller, "close");
  assert.equal(counts.bytes, BYTES);
  assert.ok(counts.most <= 8 * 2, `${String(counts.most)} reads in one turn`);
});
