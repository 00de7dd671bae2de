// A provider that costs almost nothing: answers chat completions with canned bytes, so that what is measured is the gateway.
// Usage: node upstream.mjs <port>; "stream":true in the body gets 50 SSE chunks in one burst.
import net from "node:net";

const CHUNKS = 50;
const text = "Every token is counted once. ".repeat(12);
const reply = JSON.stringify({
  id: "chatcmpl-bench",
  object: "chat.completion",
  created: 1_700_000_000,
  model: "gpt-4o-mini",
  choices: [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }],
  usage: { prompt_tokens: 20, completion_tokens: 90, total_tokens: 110 },
});
const whole = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(reply)}\r\n\r\n${reply}`,
);
const frame = (choices, usage) =>
  `data: ${JSON.stringify({ id: "chatcmpl-bench", object: "chat.completion.chunk", created: 1_700_000_000, model: "gpt-4o-mini", choices, ...usage })}\n\n`;
const frames = [
  ...Array.from({ length: CHUNKS }, (_, i) =>
    frame([{ index: 0, delta: { content: `w${i} ` }, finish_reason: null }]),
  ),
  frame([{ index: 0, delta: {}, finish_reason: "stop" }]),
  frame([], { usage: { prompt_tokens: 20, completion_tokens: CHUNKS, total_tokens: 20 + CHUNKS } }),
  "data: [DONE]\n\n",
];
const chunked = (body) => `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n`;
const streamed = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n${frames.map(chunked).join("")}0\r\n\r\n`,
);

const server = net.createServer({ noDelay: true }, (socket) => {
  let held = Buffer.alloc(0);
  socket.on("error", () => socket.destroy());
  socket.on("data", (data) => {
    held = held.length === 0 ? data : Buffer.concat([held, data]);
    for (;;) {
      const head = held.indexOf("\r\n\r\n");
      if (head < 0) return;
      const length = Number(/content-length: *(\d+)/i.exec(held.latin1Slice(0, head))?.[1] ?? 0);
      const end = head + 4 + length;
      if (held.length < end) return;
      const isStream = held.subarray(head, end).includes('"stream":true');
      held = held.subarray(end);
      socket.write(isStream ? streamed : whole);
    }
  });
});
server.listen(Number(process.argv[2]), "127.0.0.1", 4096, () =>
  process.stdout.write(`listening ${server.address().port}\n`),
);
