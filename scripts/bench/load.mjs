// Closed-loop load over raw sockets: each connection sends the next request when the reply is complete.
// Usage: node load.mjs '<json>' with {port, path, headers, body, connections, seconds, stream}; prints one JSON line.
import net from "node:net";

const job = JSON.parse(process.argv[2]);
const body = Buffer.from(job.body);
const head = Object.entries({
  host: `127.0.0.1:${job.port}`,
  "content-type": "application/json",
  "content-length": body.length,
  ...job.headers,
});
const request = Buffer.concat([
  Buffer.from(
    `POST ${job.path} HTTP/1.1\r\n${head.map(([name, value]) => `${name}: ${value}`).join("\r\n")}\r\n\r\n`,
  ),
  body,
]);
const END_OF_CHUNKS = Buffer.from("0\r\n\r\n");
const latencies = new Float64Array(4_000_000);
let done = 0;
let failed = 0;
let stopAt = 0;

function open() {
  return new Promise((resolve) => {
    const socket = net.connect({ port: job.port, host: "127.0.0.1", noDelay: true });
    let began = 0;
    let left = -1;
    let chunked = false;
    let tail = Buffer.alloc(0);
    const send = () => {
      if (performance.now() >= stopAt) {
        socket.destroy();
        resolve();
        return;
      }
      began = performance.now();
      left = -1;
      socket.write(request);
    };
    const complete = () => {
      if (done < latencies.length) latencies[done] = performance.now() - began;
      done += 1;
      send();
    };
    socket.on("connect", send);
    socket.on("error", () => {
      failed += 1;
      socket.destroy();
    });
    socket.on("close", resolve);
    socket.on("data", (data) => {
      let rest = data;
      if (left < 0) {
        const end = rest.indexOf("\r\n\r\n");
        if (end < 0) throw new Error("a reply head in two reads is not supported");
        const text = rest.latin1Slice(0, end);
        if (!text.startsWith("HTTP/1.1 200")) failed += 1;
        const length = /content-length: *(\d+)/i.exec(text);
        chunked = length === null;
        left = chunked ? 0 : Number(length[1]);
        rest = rest.subarray(end + 4);
        tail = Buffer.alloc(0);
      }
      if (!chunked) {
        left -= rest.length;
        if (left <= 0) complete();
        return;
      }
      tail = rest.length >= 5 ? rest.subarray(-5) : Buffer.concat([tail, rest]).subarray(-5);
      if (tail.equals(END_OF_CHUNKS)) complete();
    });
  });
}

stopAt = performance.now() + job.seconds * 1000;
const began = performance.now();
await Promise.all(Array.from({ length: job.connections }, open));
const seconds = (performance.now() - began) / 1000;
const sorted = latencies.subarray(0, Math.min(done, latencies.length)).toSorted();
const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
process.stdout.write(`${JSON.stringify({ done, failed, seconds, p50: at(0.5), p99: at(0.99) })}\n`);
