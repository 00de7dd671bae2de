import http from "node:http";
import { Dialect } from "../../proto/gen/latchkey/v1/common_pb.js";
import { Provider_AuthStyle } from "../../proto/gen/latchkey/v1/providers_pb.js";
import type { ServerProcess } from "../../scripts/lib/server-process.js";
import type { Api } from "../../tui/api/services.js";
import { MIXED_APIS, mixedText, type MixedApi, type MixedWay } from "./mixed-provider.js";

/** Keys of each provider: enough that one that has just failed is not needed. */
const KEYS_PER_PROVIDER = 12;

/** In a hundred calls; the first ones of the list are the rarest. */
const SHARES: readonly (readonly [MixedWay, number])[] = [
  ["CUT", 2],
  ["RETRY", 3],
  ["ABORT", 3],
  ["STREAM", 52],
  ["WHOLE", 40],
];

/** What callers saw of their calls. */
export interface MixedSeen {
  readonly calls: Readonly<Record<MixedApi, Record<MixedWay, number>>>;
  /** Calls that went in another way than they should have, in words. */
  readonly wrong: string[];
}

/** Makes a provider of each dialect with keys, and a client key. Returns the client key. */
export async function prepareMixed(api: Api, origin: string): Promise<string> {
  for (const [slug, dialect, path, authStyle] of [
    ["mixed-chat", Dialect.OPENAI, "/v1", Provider_AuthStyle.BEARER],
    ["mixed-anthropic", Dialect.ANTHROPIC, "", Provider_AuthStyle.X_API_KEY],
    ["mixed-gemini", Dialect.GEMINI, "/v1beta", Provider_AuthStyle.X_GOOG_API_KEY],
  ] as const) {
    const { provider } = await api.providers.createProvider({
      slug,
      displayName: slug,
      baseUrl: `${origin}${path}`,
      dialect,
      authStyle,
      modelPatterns: [slug],
    });
    const providerId = provider?.id ?? "";
    await api.providers.upsertModels({ providerId, models: [{ modelId: slug }] });
    for (let i = 0; i < KEYS_PER_PROVIDER; i++) {
      const name = `${slug} ${i}`;
      const secret = `sk-${slug}-${String(i).padStart(24, "0")}`;
      await api.providerKeys.createProviderKey({ providerId, name, secret });
    }
  }
  const { secret } = await api.clientKeys.createClientKey({
    name: "mixed",
    limits: {
      requestsPerMinute: 10_000_000,
      tokensPerMinute: 1_000_000_000_000n,
      concurrency: 100_000,
    },
  });
  return secret;
}

/** Sends `count` calls, some at a time, numbered from `first`. */
export async function sendMixed(options: {
  readonly server: Pick<ServerProcess, "proxyUrl">;
  readonly clientKey: string;
  readonly first: number;
  readonly count: number;
  readonly callers: number;
}): Promise<MixedSeen> {
  const { server, clientKey, first, count, callers } = options;
  const agent = new http.Agent({ keepAlive: true, maxSockets: callers });
  const ways = () => ({ WHOLE: 0, STREAM: 0, RETRY: 0, CUT: 0, ABORT: 0 });
  const seen: MixedSeen = {
    calls: { CHAT: ways(), RESPONSES: ways(), ANTHROPIC: ways(), GEMINI: ways() },
    wrong: [],
  };
  let next = first;
  const work = async (): Promise<void> => {
    while (next < first + count) {
      const number = next++;
      const api = MIXED_APIS[number % MIXED_APIS.length] ?? "CHAT";
      const way = wayOf(number);
      const went = await send({ server, clientKey, agent, api, way, number });
      seen.calls[api][way]++;
      if (went !== WANTED[way]) seen.wrong.push(`${api} ${way} ${number}: ${went}`);
    }
  };
  await Promise.all(Array.from({ length: callers }, work));
  agent.destroy();
  return seen;
}

/** How a call of each way ends for its caller. */
const WANTED: Readonly<Record<MixedWay, string>> = {
  WHOLE: "200 whole",
  RETRY: "200 whole",
  STREAM: "200 whole",
  CUT: "200 cut",
  ABORT: "200 left",
};

/** Spread so that neighbours differ, and the same for the same number. */
function wayOf(number: number): MixedWay {
  let draw = Math.floor((number / MIXED_APIS.length) * 37 + number) % 100;
  for (const [way, share] of SHARES) {
    if (draw < share) return way;
    draw -= share;
  }
  return "WHOLE";
}

interface Sent {
  readonly server: Pick<ServerProcess, "proxyUrl">;
  readonly clientKey: string;
  readonly agent: http.Agent;
  readonly api: MixedApi;
  readonly way: MixedWay;
  readonly number: number;
}

/** Resolves with the status and how the reply ended. */
function send(sent: Sent): Promise<string> {
  const { path, body } = requestOf(sent);
  const payload = JSON.stringify(body);
  return new Promise((resolve) => {
    const req = http.request(
      `${sent.server.proxyUrl}${path}`,
      {
        method: "POST",
        agent: sent.agent,
        headers: {
          authorization: `Bearer ${sent.clientKey}`,
          "content-type": "application/json",
          "content-length": Buffer.byteLength(payload),
        },
      },
      (res) => {
        const status = String(res.statusCode);
        let text = "";
        res.setEncoding("utf8");
        res.on("data", (chunk: string) => {
          text += chunk;
          if (sent.way !== "ABORT" || !text.includes("Hi.")) return;
          req.destroy();
          resolve(`${status} left`);
        });
        res.on("error", () => {
          resolve(`${status} cut`);
        });
        res.on("end", () => {
          resolve(`${status} ${endOf(sent, text)}`);
        });
      },
    );
    req.on("error", (error) => {
      resolve(`no reply: ${error.message}`);
    });
    req.end(payload);
  });
}

/** A stream that was cut ends with an error in the caller's dialect. */
function endOf({ way }: Sent, text: string): string {
  if (way === "WHOLE" || way === "RETRY")
    return text.includes("Hi.") || text.includes("resp_1") ? "whole" : text;
  if (text.includes('"error"')) return "cut";
  return LAST_WORDS.some((word) => text.includes(word)) ? "whole" : `unfinished: ${text}`;
}

const LAST_WORDS = ["data: [DONE]", "response.completed", "message_stop", '"STOP"'];

function requestOf({ api, way, number }: Sent): { path: string; body: object } {
  const stream = way !== "WHOLE" && way !== "RETRY";
  const content = mixedText(way, number);
  const messages = [{ role: "user", content }];
  switch (api) {
    case "CHAT":
      return {
        path: "/v1/chat/completions",
        body: {
          model: "mixed-chat",
          messages,
          ...(stream ? { stream, stream_options: { include_usage: true } } : {}),
        },
      };
    case "RESPONSES":
      return { path: "/v1/responses", body: { model: "mixed-chat", input: content, stream } };
    case "ANTHROPIC":
      return {
        path: "/v1/messages",
        body: { model: "mixed-anthropic", max_tokens: 400, messages, stream },
      };
    case "GEMINI":
      return {
        path: `/v1beta/models/mixed-gemini:${stream ? "streamGenerateContent?alt=sse" : "generateContent"}`,
        body: { contents: [{ role: "user", parts: [{ text: content }] }] },
      };
    default:
      return api satisfies never;
  }
}
