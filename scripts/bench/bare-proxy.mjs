// The least a Node proxy can do with node:http and undici's dispatch: no keys, no limits, no log. The floor that Latchkey is held against.
// Usage: node bare-proxy.mjs <port> <upstream origin>
import http from "node:http";
import { Pool } from "undici";

const [port, origin] = process.argv.slice(2);
const pool = new Pool(origin, { connections: 128, headersTimeout: 0, bodyTimeout: 0 });
const DROPPED = new Set([
  "host",
  "connection",
  "authorization",
  "content-length",
  "transfer-encoding",
]);

class Relay {
  constructor(res) {
    this.res = res;
    this.length = -1;
    this.ended = false;
  }
  onConnect(abort) {
    this.res.on("close", () => !this.ended && abort());
  }
  onHeaders(status, raw, resume) {
    this.resume = resume;
    const headers = [];
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i].latin1Slice().toLowerCase();
      if (name === "connection" || name === "transfer-encoding" || name === "keep-alive") continue;
      const value = raw[i + 1].latin1Slice();
      if (name === "content-length") this.length = Number(value);
      headers.push(name, value);
    }
    this.res.writeHead(status, headers);
    return true;
  }
  onData(chunk) {
    if (this.length === chunk.length) {
      this.ended = true;
      this.res.end(chunk);
      return true;
    }
    const free = this.res.write(chunk);
    if (!free) this.res.once("drain", () => this.resume());
    return free;
  }
  onComplete() {
    if (!this.ended) this.res.end();
    this.ended = true;
  }
  onError() {
    this.ended = true;
    if (!this.res.headersSent) this.res.writeHead(502);
    this.res.end();
  }
}

const server = http.createServer({ noDelay: true }, (req, res) => {
  const chunks = [];
  req.on("data", (chunk) => chunks.push(chunk));
  req.on("end", () => {
    const headers = ["authorization", "Bearer sk-upstream-bench"];
    for (let i = 0; i < req.rawHeaders.length; i += 2) {
      if (!DROPPED.has(req.rawHeaders[i].toLowerCase()))
        headers.push(req.rawHeaders[i], req.rawHeaders[i + 1]);
    }
    const body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
    pool.dispatch({ path: req.url, method: req.method, headers, body }, new Relay(res));
  });
});
server.listen(Number(port), "127.0.0.1", 4096, () =>
  process.stdout.write(`listening ${server.address().port}\n`),
);
