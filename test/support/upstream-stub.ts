import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { settle } from "./fake-clock.js";

/** What the stub received. */
export interface Received {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  /** The credential, whichever header carried it; empty if none. */
  readonly secret: string;
}

/** Plays one request; the default answers a small JSON chat completion. */
export type Script = (received: Received, res: ServerResponse) => void | Promise<void>;

/** A provider of ours on a loopback port: records what arrives and answers as told. */
export interface UpstreamStub {
  readonly origin: string;
  readonly port: number;
  readonly received: Received[];
  /** Connections open now. */
  readonly sockets: ReadonlySet<Socket>;
  /** Answers all further requests in this way. */
  script: Script;
  /** Resolves when the count of received requests has reached `count`. */
  requests(count: number): Promise<void>;
  /** Resolves when a response's connection was closed before it ended, `count` times in all. */
  aborted(count: number): Promise<void>;
  close(): Promise<void>;
}

export const CHAT_REPLY = JSON.stringify({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1_760_000_000,
  model: "gpt-4o",
  choices: [{ index: 0, message: { role: "assistant", content: "Hello." }, finish_reason: "stop" }],
  usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 },
});

/** A whole reply of the Responses API. */
export const RESPONSE = {
  id: "resp_1",
  object: "response",
  created_at: 1,
  status: "completed",
  model: "gpt-5.4",
  output: [
    {
      id: "m",
      type: "message",
      role: "assistant",
      status: "completed",
      content: [{ type: "output_text", text: "Hello.", annotations: [] }],
    },
  ],
  usage: { input_tokens: 3, output_tokens: 2, total_tokens: 5 },
};

export async function startUpstreamStub(
  script: Script = replyJson(200, CHAT_REPLY),
): Promise<UpstreamStub> {
  const received: Received[] = [];
  const sockets = new Set<Socket>();
  const requests = new Counter();
  const aborts = new Counter();
  const stub = { script };
  const play = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const entry = receivedOf(req, await read(req));
    received.push(entry);
    requests.add();
    await stub.script(entry, res);
  };
  const server: Server = createServer((req, res) => {
    res.on("close", () => {
      if (!res.writableFinished) aborts.add();
    });
    void play(req, res);
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${String(port)}`,
    port,
    received,
    sockets,
    get script() {
      return stub.script;
    },
    set script(next: Script) {
      stub.script = next;
    },
    requests: (count) => requests.reached(count),
    aborted: (count) => aborts.reached(count),
    async close() {
      server.closeAllConnections();
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      });
    },
  };
}

/** A whole JSON reply. */
export function replyJson(
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): Script {
  return (_received, res) => {
    res.writeHead(status, {
      "content-type": "application/json",
      "content-length": String(Buffer.byteLength(body)),
      ...headers,
    });
    res.end(body);
  };
}

/** A stream of the given pieces, one write each, then its end. */
export function replyEvents(pieces: readonly (string | Buffer)[], headers = {}): Script {
  return async (_received, res) => {
    res.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", ...headers });
    for (const piece of pieces) {
      res.write(piece);
      await settle();
    }
    res.end();
  };
}

/** The pieces, then the connection breaks. */
export function replyCut(pieces: readonly (string | Buffer)[], headers = {}): Script {
  return async (_received, res) => {
    res.writeHead(200, { "content-type": "text/event-stream", ...headers });
    for (const piece of pieces) {
      await new Promise<void>((resolve) => {
        res.write(piece, () => {
          resolve();
        });
      });
      await settle();
    }
    res.socket?.resetAndDestroy();
  };
}

/** Each script once, then the last one for ever. */
export function inTurn(...scripts: readonly Script[]): Script {
  let at = 0;
  return (received, res) => scripts[Math.min(at++, scripts.length - 1)]?.(received, res);
}

/** Events of an OpenAI chat stream: the texts, the finish, usage if `usage`, and the last one. */
export function chatEvents(texts: readonly string[], usage = false): string[] {
  const chunk = (body: object): string =>
    `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "gpt-4o", ...body })}\n\n`;
  const tail = usage ? { usage: null } : {};
  return [
    ...texts.map((content) =>
      chunk({ choices: [{ index: 0, delta: { content }, finish_reason: null }], ...tail }),
    ),
    chunk({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }], ...tail }),
    ...(usage
      ? [
          chunk({
            choices: [],
            usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 },
          }),
        ]
      : []),
    "data: [DONE]\n\n",
  ];
}

/** Events of an Anthropic message stream. */
export function messageEvents(texts: readonly string[]): string[] {
  const event = (type: string, body: object): string =>
    `event: ${type}\ndata: ${JSON.stringify({ type, ...body })}\n\n`;
  return [
    event("message_start", {
      message: {
        id: "msg_1",
        type: "message",
        role: "assistant",
        model: "claude-sonnet-4-5",
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: {
          input_tokens: 20,
          cache_read_input_tokens: 100,
          cache_creation_input_tokens: 30,
          output_tokens: 1,
        },
      },
    }),
    event("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),
    ...texts.map((text) =>
      event("content_block_delta", { index: 0, delta: { type: "text_delta", text } }),
    ),
    event("content_block_stop", { index: 0 }),
    event("message_delta", {
      delta: { stop_reason: "end_turn", stop_sequence: null },
      usage: { output_tokens: 9 },
    }),
    event("message_stop", {}),
  ];
}

/** Counts, and wakes whoever waits for a count. */
export class Counter {
  #count = 0;
  readonly #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  get count(): number {
    return this.#count;
  }

  add(): void {
    this.#count++;
    for (const each of this.#waiting) if (this.#count >= each.count) each.resolve();
  }

  reached(count: number): Promise<void> {
    if (this.#count >= count) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ count, resolve });
    });
  }
}

function receivedOf(req: IncomingMessage, body: Buffer): Received {
  const bearer = req.headers.authorization?.replace(/^Bearer /, "");
  const other = ["x-api-key", "x-goog-api-key", "api-key"]
    .map((name) => req.headers[name])
    .find((value) => typeof value === "string");
  return {
    method: req.method ?? "",
    url: req.url ?? "",
    rawHeaders: req.rawHeaders,
    headers: req.headers,
    body,
    secret: bearer ?? (typeof other === "string" ? other : ""),
  };
}

function read(req: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      resolve(Buffer.concat(chunks));
    });
    req.on("error", () => undefined);
  });
}
