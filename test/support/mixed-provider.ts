import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TokenUsage } from "../../server/core/call.js";

/** The APIs that calls of the mix speak; OpenAI's two share a dialect. */
export const MIXED_APIS = ["CHAT", "RESPONSES", "ANTHROPIC", "GEMINI"] as const;
export type MixedApi = (typeof MIXED_APIS)[number];

/**
 * How calls of the mix go: WHOLE and STREAM are answered, RETRY is refused once and then answered, CUT
 * breaks in the middle of its stream, ABORT streams until the caller leaves.
 */
export const MIXED_WAYS = ["WHOLE", "STREAM", "RETRY", "CUT", "ABORT"] as const;
export type MixedWay = (typeof MIXED_WAYS)[number];

/** What a provider has billed: its own count, which the ledger must equal. */
export interface MixedBill {
  /** Requests, those of refused attempts included. */
  requests: number;
  /** Replies whose usage was sent to the end. */
  answered: number;
  readonly tokens: { -readonly [Part in keyof TokenUsage]: TokenUsage[Part] };
}

/** A provider of all APIs on one loopback port. Its paths carry the way and the number of a call in the text asked. */
export interface MixedProvider {
  readonly origin: string;
  readonly bill: Readonly<Record<MixedApi, MixedBill>>;
  close(): Promise<void>;
}

/** The text of a call's one message, which tells the provider how to answer it. */
export function mixedText(way: MixedWay, number: number): string {
  return `mixed ${way} ${number}.`;
}

export async function startMixedProvider(): Promise<MixedProvider> {
  const bill = Object.fromEntries(
    MIXED_APIS.map((api) => [api, { requests: 0, answered: 0, tokens: noTokens() }]),
  ) as Record<MixedApi, MixedBill>;
  const refused = new Set<string>();
  const server = createServer((req, res) => {
    read(req, (text) => {
      const [, way = "WHOLE", number = "0"] = /mixed ([A-Z]+) (\d+)\./.exec(text) ?? [];
      const api = apiOf(req.url ?? "");
      bill[api].requests++;
      if (way === "RETRY" && !refused.delete(number)) {
        refused.add(number);
        reply(res, 503, '{"error":{"message":"overloaded","type":"server_error"}}');
        return;
      }
      answer(res, { api, way: way as MixedWay, usage: usageOf(api, Number(number)) }, bill[api]);
    });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    bill,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => {
          resolve();
        });
      }),
  };
}

interface Answer {
  readonly api: MixedApi;
  readonly way: MixedWay;
  readonly usage: TokenUsage;
}

function answer(res: ServerResponse, { api, way, usage }: Answer, bill: MixedBill): void {
  const { first, last } = PIECES[api](usage);
  if (way === "WHOLE" || way === "RETRY") {
    reply(res, 200, WHOLE[api](usage));
    charge(bill, usage);
    return;
  }
  res.writeHead(200, { "content-type": "text/event-stream" });
  res.write(first);
  if (way === "ABORT") return;
  setImmediate(() => {
    if (way === "CUT") {
      res.socket?.resetAndDestroy();
      return;
    }
    res.end(last);
    charge(bill, usage);
  });
}

function charge(bill: MixedBill, usage: TokenUsage): void {
  bill.answered++;
  bill.tokens.input += usage.input;
  bill.tokens.output += usage.output;
  bill.tokens.cacheRead += usage.cacheRead;
  bill.tokens.cacheWrite += usage.cacheWrite;
  bill.tokens.reasoning += usage.reasoning;
}

/** Every third call reads from the provider's cache; every part differs from call to call. */
function usageOf(api: MixedApi, number: number): TokenUsage {
  const input = 100 + (number % 977);
  const reasoning = api === "RESPONSES" || api === "GEMINI" ? number % 7 : 0;
  return {
    input,
    output: 5 + (number % 311) + reasoning,
    cacheRead: number % 3 === 0 ? 40 + (number % 53) : 0,
    cacheWrite: api === "ANTHROPIC" ? number % 5 : 0,
    reasoning,
  };
}

function noTokens() {
  return { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, reasoning: 0 };
}

function apiOf(url: string): MixedApi {
  if (url.includes("/responses")) return "RESPONSES";
  if (url.includes("/messages")) return "ANTHROPIC";
  return url.includes("generateContent") || url.includes("streamGenerateContent")
    ? "GEMINI"
    : "CHAT";
}

const CHAT = (usage: TokenUsage) => ({
  prompt_tokens: usage.input,
  completion_tokens: usage.output,
  total_tokens: usage.input + usage.output,
  prompt_tokens_details: { cached_tokens: usage.cacheRead },
});
const RESPONSES = (usage: TokenUsage) => ({
  input_tokens: usage.input,
  input_tokens_details: { cached_tokens: usage.cacheRead },
  output_tokens: usage.output,
  output_tokens_details: { reasoning_tokens: usage.reasoning },
  total_tokens: usage.input + usage.output,
});
const ANTHROPIC = (usage: TokenUsage, output: number) => ({
  input_tokens: usage.input - usage.cacheRead - usage.cacheWrite,
  cache_read_input_tokens: usage.cacheRead,
  cache_creation_input_tokens: usage.cacheWrite,
  output_tokens: output,
});
const GEMINI = (usage: TokenUsage) => ({
  promptTokenCount: usage.input,
  cachedContentTokenCount: usage.cacheRead,
  candidatesTokenCount: usage.output - usage.reasoning,
  thoughtsTokenCount: usage.reasoning,
  totalTokenCount: usage.input + usage.output,
});
const candidates = (text: string, finishReason?: string) => [
  { index: 0, content: { role: "model", parts: [{ text }] }, finishReason },
];
const message = { id: "msg_1", type: "message", role: "assistant", model: "mixed-anthropic" };

/** Whole replies. */
const WHOLE: Readonly<Record<MixedApi, (usage: TokenUsage) => string>> = {
  CHAT: (usage) =>
    JSON.stringify({
      id: "c",
      object: "chat.completion",
      created: 1,
      model: "mixed-chat",
      choices: [
        { index: 0, message: { role: "assistant", content: "Hi." }, finish_reason: "stop" },
      ],
      usage: CHAT(usage),
    }),
  RESPONSES: (usage) =>
    JSON.stringify({
      id: "resp_1",
      object: "response",
      status: "completed",
      model: "mixed-chat",
      output: [],
      usage: RESPONSES(usage),
    }),
  ANTHROPIC: (usage) =>
    JSON.stringify({
      ...message,
      content: [{ type: "text", text: "Hi." }],
      stop_reason: "end_turn",
      usage: ANTHROPIC(usage, usage.output),
    }),
  GEMINI: (usage) =>
    JSON.stringify({ candidates: candidates("Hi.", "STOP"), usageMetadata: GEMINI(usage) }),
};

/** Streams in two pieces; the usage is in the second, but for the input of Anthropic's. */
const PIECES: Readonly<
  Record<MixedApi, (usage: TokenUsage) => { readonly first: string; readonly last: string }>
> = {
  CHAT: (usage) => {
    const chunk = (rest: object) =>
      data({ id: "c", object: "chat.completion.chunk", created: 1, model: "mixed-chat", ...rest });
    const choice = (delta: object, finish: string | null) => [
      { index: 0, delta, finish_reason: finish },
    ];
    return {
      first: chunk({ choices: choice({ content: "Hi." }, null), usage: null }),
      last:
        chunk({ choices: choice({}, "stop"), usage: null }) +
        chunk({ choices: [], usage: CHAT(usage) }) +
        "data: [DONE]\n\n",
    };
  },
  RESPONSES: (usage) => ({
    first: event("response.output_text.delta", { delta: "Hi.", output_index: 0 }),
    last: event("response.completed", {
      response: { id: "resp_1", model: "mixed-chat", status: "completed", usage: RESPONSES(usage) },
    }),
  }),
  ANTHROPIC: (usage) => ({
    first:
      event("message_start", { message: { ...message, content: [], usage: ANTHROPIC(usage, 1) } }) +
      event("content_block_start", { index: 0, content_block: { type: "text", text: "" } }) +
      event("content_block_delta", { index: 0, delta: { type: "text_delta", text: "Hi." } }),
    last:
      event("content_block_stop", { index: 0 }) +
      event("message_delta", {
        delta: { stop_reason: "end_turn" },
        usage: { output_tokens: usage.output },
      }) +
      event("message_stop", {}),
  }),
  GEMINI: (usage) => ({
    first: data({ candidates: candidates("Hi.") }),
    last: data({ candidates: candidates("", "STOP"), usageMetadata: GEMINI(usage) }),
  }),
};

function data(body: object): string {
  return `data: ${JSON.stringify(body)}\n\n`;
}

function event(type: string, body: object): string {
  return `event: ${type}\n${data({ type, ...body })}`;
}

function reply(res: ServerResponse, status: number, body: string): void {
  res.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
  });
  res.end(body);
}

function read(req: IncomingMessage, done: (text: string) => void): void {
  const chunks: Buffer[] = [];
  req.on("data", (chunk: Buffer) => chunks.push(chunk));
  req.on("end", () => {
    done(Buffer.concat(chunks).toString());
  });
}
