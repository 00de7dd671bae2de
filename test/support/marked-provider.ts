import net, { type AddressInfo, type Socket } from "node:net";
import { brotliCompressSync, gzipSync } from "node:zlib";

/** The dialects of marked calls, by which their models are named. */
export const MARKED_DIALECTS = ["openai", "anthropic", "gemini"] as const;
export type MarkedDialect = (typeof MARKED_DIALECTS)[number];

/** Draws a whole number from 0 to below `max`: the same ones in the same order for the same seed. */
export type Draw = (max: number) => number;

export function drawsOf(seed: number): Draw {
  let state = seed >>> 0;
  return (max) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % max;
  };
}

/** What stands in all that belongs to a call, and in nothing else. */
export function markOf(call: number): string {
  return `mark-${String(call)}.`;
}

export function marksIn(text: string): ReadonlySet<number> {
  return new Set([...text.matchAll(/mark-(\d+)\./g)].map(([, digits]) => Number(digits)));
}

/** What the model says in a call. */
export function saidIn(call: number): readonly string[] {
  const draw = drawsOf(call);
  return Array.from({ length: 1 + draw(draw(4) === 0 ? 200 : 12) }, (_each, i) => {
    const filler = "é[DONE] ".repeat(draw(draw(9) === 0 ? 2_000 : 20));
    return `<${markOf(call)}${String(i)}>${filler}`;
  });
}

export function usageOf(call: number): { readonly input: number; readonly output: number } {
  return { input: 1_000 + call, output: 1 + (call % 977) };
}

/** WHOLE is answered, RETRY only when asked a second time, CUT breaks in the middle of its stream. */
export function wayOf(call: number, streamed: boolean): "WHOLE" | "RETRY" | "CUT" {
  if (call % 13 === 5) return "RETRY";
  return streamed && call % 17 === 3 ? "CUT" : "WHOLE";
}

/** A provider of all dialects that cuts its replies wherever it likes, and looks whose marks it is sent. */
export interface MarkedProvider {
  readonly origin: string;
  /** Requests that held anything of another call. */
  readonly wrong: readonly string[];
  close(): void;
}

export async function startMarkedProvider(): Promise<MarkedProvider> {
  const wrong: string[] = [];
  const refused = new Set<number>();
  const sockets = new Set<Socket>();
  const take = (socket: Socket, request: string): void => {
    const call = Number(/^user-agent: mark-(\d+)\./im.exec(request)?.[1] ?? -1);
    for (const mark of marksIn(request)) {
      if (mark !== call) wrong.push(`call ${String(call)} holds a mark of ${String(mark)}`);
    }
    const streamed = /^POST \S*stream/.test(request) || request.includes('"stream":true');
    const way = wayOf(call, streamed);
    if (way === "RETRY" && !refused.has(call)) {
      refused.add(call);
      socket.resetAndDestroy();
      return;
    }
    const { head, body } = replyTo(call, dialectOf(request), streamed);
    const sent = way === "CUT" ? body.subarray(0, Math.floor(body.length * 0.6)) : body;
    writeInPieces(socket, Buffer.concat([head, sent]), drawsOf(call + 1), () => {
      if (way === "CUT") socket.resetAndDestroy();
    });
  };
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    let held = "";
    socket.on("data", (bytes: Buffer) => {
      held += bytes.toString("latin1");
      const headEnd = held.indexOf("\r\n\r\n") + 4;
      const length = Number(/^content-length: (\d+)/im.exec(held)?.[1] ?? 0);
      if (headEnd < 4 || held.length < headEnd + length) return;
      const request = held.slice(0, headEnd + length);
      if (held.length > request.length) wrong.push("a request came before the reply was through");
      held = "";
      take(socket, request);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    origin: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    wrong,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function dialectOf(request: string): MarkedDialect {
  if (request.includes("chat/completions")) return "openai";
  return request.startsWith("POST /v1/messages") ? "anthropic" : "gemini";
}

/** The bytes of a whole reply. */
function replyTo(
  call: number,
  dialect: MarkedDialect,
  streamed: boolean,
): { readonly head: Buffer; readonly body: Buffer } {
  const draw = drawsOf(call + 2);
  const said = saidIn(call);
  const text = streamed ? STREAMS[dialect](call, said) : WHOLES[dialect](call, said.join(""));
  const plain = Buffer.from(text);
  // Of what is packed nothing may be read before it is cut.
  const packing = wayOf(call, streamed) === "CUT" ? 2 : draw(8);
  const body = packing === 0 ? gzipSync(plain) : packing === 1 ? brotliCompressSync(plain) : plain;
  const isChunked = draw(2) === 0;
  const lines = [
    `content-type: ${streamed ? "text/event-stream" : "application/json"}`,
    `etag: ${markOf(call)}`,
    `x-filler: ${"f".repeat(draw(3) === 0 ? draw(14_000) : 10)}`,
    isChunked ? "Transfer-Encoding: chunked" : `Content-Length:${String(body.length)}`,
  ];
  if (packing < 2) lines.push(`content-encoding: ${packing === 0 ? "gzip" : "br"}`);
  if (draw(2) === 0) lines.reverse();
  const interim = draw(9) === 0 ? "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" : "";
  const head = Buffer.from(`${interim}HTTP/1.1 200 OK\r\n${lines.join("\r\n")}\r\n\r\n`);
  return { head, body: isChunked ? Buffer.concat(chunksOf(body, draw)) : body };
}

function chunksOf(body: Buffer, draw: Draw): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < body.length;) {
    const chunk = body.subarray(at, at + 1 + draw(draw(3) === 0 ? 20_000 : 300));
    const extension = draw(5) === 0 ? ";note=x" : "";
    const line = `${chunk.length.toString(16)}${extension}\r\n`;
    chunks.push(Buffer.from(line), chunk, Buffer.from("\r\n"));
    at += chunk.length;
  }
  return [...chunks, Buffer.from(draw(3) === 0 ? "0\r\nx-trailer: t\r\n\r\n" : "0\r\n\r\n")];
}

function writeInPieces(socket: Socket, bytes: Buffer, draw: Draw, done: () => void): void {
  const most = [bytes.length + 1, 16 * 1024, 700][draw(3)] ?? 1;
  let at = 0;
  const next = (): void => {
    socket.write(bytes.subarray(at, (at += 1 + draw(most))));
    if (at < bytes.length) setImmediate(next);
    else done();
  };
  next();
}

const event = (data: object): string => {
  const name = "type" in data ? `event: ${String(data.type)}\n` : "";
  return `${name}data: ${JSON.stringify(data)}\n\n`;
};

function chatUsage(call: number): object {
  const { input, output } = usageOf(call);
  return { prompt_tokens: input, completion_tokens: output, total_tokens: input + output };
}

function candidate(call: number, text: string, isLast: boolean): object {
  const { input, output } = usageOf(call);
  const content = { role: "model", parts: [{ text }] };
  return {
    candidates: [{ content, index: 0, ...(isLast ? { finishReason: "STOP" } : {}) }],
    usageMetadata: { promptTokenCount: input, candidatesTokenCount: output },
    responseId: markOf(call),
  };
}

const message = { id: "msg_1", type: "message", role: "assistant", model: "m" };

const WHOLES: Readonly<Record<MarkedDialect, (call: number, text: string) => string>> = {
  openai: (call, content) => {
    const choices = [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }];
    return JSON.stringify({ id: "1", object: "chat.completion", choices, usage: chatUsage(call) });
  },
  anthropic: (call, text) => {
    const { input: input_tokens, output: output_tokens } = usageOf(call);
    const content = [{ type: "text", text }];
    const usage = { input_tokens, output_tokens };
    return JSON.stringify({ ...message, content, stop_reason: "end_turn", usage });
  },
  gemini: (call, text) => JSON.stringify(candidate(call, text, true)),
};

const STREAMS: Readonly<Record<MarkedDialect, (call: number, said: readonly string[]) => string>> =
  {
    openai: (call, said) => {
      const chunk = (delta: object, finish: string | null): string => {
        const choices = [{ index: 0, delta, finish_reason: finish }];
        return event({ id: "1", object: "chat.completion.chunk", choices });
      };
      const texts = said.map((content) => chunk({ content }, null)).join("");
      const usage = event({ id: "1", choices: [], usage: chatUsage(call) });
      return `${texts}${chunk({}, "stop")}${usage}data: [DONE]\n\n`;
    },
    anthropic: (call, said) => {
      const { input, output } = usageOf(call);
      const usage = { input_tokens: input, output_tokens: 1 };
      const begun = { ...message, content: [], stop_reason: null, usage };
      return [
        { type: "message_start", message: begun },
        { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
        ...said.map((text) => {
          return { type: "content_block_delta", index: 0, delta: { type: "text_delta", text } };
        }),
        { type: "content_block_stop", index: 0 },
        {
          type: "message_delta",
          delta: { stop_reason: "end_turn" },
          usage: { output_tokens: output },
        },
        { type: "message_stop" },
      ]
        .map(event)
        .join("");
    },
    gemini: (call, said) =>
      said.map((text, i) => event(candidate(call, text, i === said.length - 1))).join(""),
  };
