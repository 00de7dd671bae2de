import http from "node:http";
import type { AddressInfo } from "node:net";
import { replyWords } from "./replies.js";

/** How the sandbox behaves; a demo wants some trouble to look at. */
export interface SandboxOptions {
  /** Share of calls answered 429, 0 to 1. */
  readonly rateLimitedShare: number;
  /** Share of calls answered 500, 0 to 1. */
  readonly failingShare: number;
  /** Time between two words of a reply. */
  readonly wordDelayMs: number;
}

export interface Sandbox {
  readonly origin: string;
  close(): Promise<void>;
}

/** A provider that is none: it speaks the OpenAI and Anthropic dialects and says plausible things. */
export async function startSandboxProvider(options: SandboxOptions): Promise<Sandbox> {
  const server = http.createServer((req, res) => {
    readJson(req).then(
      (body) => answer(req.url ?? "/", body, res, options),
      () => sendJson(res, 400, { error: { message: "the sandbox could not read the body" } }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface AskedFor {
  readonly model: string;
  readonly stream: boolean;
  readonly promptTokens: number;
}

function answer(
  url: string,
  body: unknown,
  res: http.ServerResponse,
  options: SandboxOptions,
): void {
  if (url.endsWith("/models")) {
    sendJson(res, 200, { object: "list", data: [{ id: "sandbox-large", object: "model" }] });
    return;
  }
  const luck = Math.random();
  if (luck < options.rateLimitedShare) {
    res.setHeader("retry-after", "5");
    sendJson(res, 429, { error: { message: "Sandbox rate limit", type: "rate_limit_error" } });
    return;
  }
  if (luck < options.rateLimitedShare + options.failingShare) {
    sendJson(res, 500, { error: { message: "Sandbox stumbled", type: "server_error" } });
    return;
  }
  const asked = readRequest(body);
  const words = replyWords();
  const anthropic = url.includes("/messages");
  if (!asked.stream) {
    const reply = anthropic ? anthropicReply(asked, words) : openaiReply(asked, words);
    setTimeout(() => sendJson(res, 200, reply), options.wordDelayMs * 5);
    return;
  }
  res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  const frames = anthropic ? anthropicFrames(asked, words) : openaiFrames(asked, words);
  sendSlowly(res, frames, options.wordDelayMs);
}

function sendSlowly(res: http.ServerResponse, frames: readonly string[], delayMs: number): void {
  const rest = [...frames];
  const timer = setInterval(() => {
    const frame = rest.shift();
    if (frame === undefined || res.destroyed) {
      clearInterval(timer);
      res.end();
      return;
    }
    res.write(frame);
  }, delayMs);
}

function openaiReply(asked: AskedFor, words: readonly string[]): unknown {
  return {
    id: "chatcmpl-sandbox",
    object: "chat.completion",
    created: Math.floor(Date.now() / 1000),
    model: asked.model,
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: words.join(" ") },
        finish_reason: "stop",
      },
    ],
    usage: openaiUsage(asked, words),
  };
}

function openaiFrames(asked: AskedFor, words: readonly string[]): string[] {
  const chunk = (choices: unknown[], usage: unknown = null): string =>
    `data: ${JSON.stringify({
      id: "chatcmpl-sandbox",
      object: "chat.completion.chunk",
      created: Math.floor(Date.now() / 1000),
      model: asked.model,
      choices,
      usage,
    })}\n\n`;
  return [
    ...words.map((word) =>
      chunk([{ index: 0, delta: { content: `${word} ` }, finish_reason: null }]),
    ),
    chunk([{ index: 0, delta: {}, finish_reason: "stop" }]),
    chunk([], openaiUsage(asked, words)),
    "data: [DONE]\n\n",
  ];
}

function openaiUsage(asked: AskedFor, words: readonly string[]): unknown {
  return {
    prompt_tokens: asked.promptTokens,
    completion_tokens: words.length,
    total_tokens: asked.promptTokens + words.length,
  };
}

function anthropicReply(asked: AskedFor, words: readonly string[]): unknown {
  return {
    id: "msg_sandbox",
    type: "message",
    role: "assistant",
    model: asked.model,
    content: [{ type: "text", text: words.join(" ") }],
    stop_reason: "end_turn",
    stop_sequence: null,
    usage: { input_tokens: asked.promptTokens, output_tokens: words.length },
  };
}

function anthropicFrames(asked: AskedFor, words: readonly string[]): string[] {
  const event = (type: string, data: object): string =>
    `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;
  return [
    event("message_start", {
      message: {
        id: "msg_sandbox",
        type: "message",
        role: "assistant",
        model: asked.model,
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { input_tokens: asked.promptTokens, output_tokens: 0 },
      },
    }),
    event("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),
    ...words.map((word) =>
      event("content_block_delta", { index: 0, delta: { type: "text_delta", text: `${word} ` } }),
    ),
    event("content_block_stop", { index: 0 }),
    event("message_delta", {
      delta: { stop_reason: "end_turn", stop_sequence: null },
      usage: { output_tokens: words.length },
    }),
    event("message_stop", {}),
  ];
}

function readRequest(body: unknown): AskedFor {
  const fields = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  const model = fields["model"];
  return {
    model: typeof model === "string" ? model : "sandbox-large",
    stream: fields["stream"] === true,
    promptTokens: Math.ceil(JSON.stringify(fields["messages"] ?? "").length / 4),
  };
}

async function readJson(req: http.IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString("utf8");
  return text === "" ? {} : JSON.parse(text);
}

function sendJson(res: http.ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  res.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
  });
  res.end(text);
}
