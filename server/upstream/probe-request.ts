import type { Dialect, Provider } from "../core/provider.js";
import type { Secret } from "../core/secret.js";
import { HeaderBlock } from "../http/header-block.js";
import { addAuth } from "./auth.js";
import type { UpstreamRequest } from "./flight.js";

const ACCEPT = "accept: application/json, text/event-stream\r\naccept-encoding: identity\r\n";

/** Where a provider serves an endpoint: the catalogue joins base URL and path. */
export type EndpointPath = (
  provider: Pick<Provider, "baseUrl" | "authStyle" | "dialect">,
  path: string,
  model: string,
) => string;

/** How long a provider has for the answer to a question outside of any call. */
export const PROBE_TIMEOUT_MS = 15_000;
/** The lists of the largest aggregators have about a third of this. */
export const MODEL_LIST_BYTES_MAX = 2 * 1024 * 1024;

/** What a probe asks for. */
export interface ProbeCall {
  readonly provider: Pick<Provider, "baseUrl" | "authStyle" | "dialect">;
  readonly secret: Secret;
  readonly endpointPath: EndpointPath;
  readonly timeoutMs: number;
}

/** Lists the models, as many as come at once. */
export function modelsRequest(call: ProbeCall): UpstreamRequest {
  const path = MODEL_LISTS[call.provider.dialect];
  return request(call, { method: "GET", path, model: "", body: null });
}

/** With the largest page that there is; OpenAI's list has none. */
const MODEL_LISTS: Readonly<Record<Dialect, string>> = {
  OPENAI: "/v1/models",
  ANTHROPIC: "/v1/models?limit=1000",
  GEMINI: "/v1beta/models?pageSize=1000",
};

/** Answers of providers that have no such list. Nothing is held against their keys. */
export function hasNoModelList(httpStatus: number): boolean {
  return httpStatus === 404 || httpStatus === 405 || httpStatus === 501;
}

/** Asks for what stands at a path, which begins with the API's version. */
export function getRequest(call: ProbeCall, path: string): UpstreamRequest {
  return request(call, { method: "GET", path, model: "", body: null });
}

/** The smallest chat there is: one word in, one token out. */
export function chatRequest(call: ProbeCall, model: string, stream: boolean): UpstreamRequest {
  const { path, body } = CHATS[call.provider.dialect](model, stream);
  return request(call, { method: "POST", path, model, body: Buffer.from(JSON.stringify(body)) });
}

const CHATS: Readonly<
  Record<Dialect, (model: string, stream: boolean) => { path: string; body: object }>
> = {
  OPENAI: (model, stream) => ({
    path: "/v1/chat/completions",
    body: { model, messages: [{ role: "user", content: "hi" }], ...(stream ? { stream } : {}) },
  }),
  ANTHROPIC: (model, stream) => ({
    path: "/v1/messages",
    body: {
      model,
      max_tokens: 1,
      messages: [{ role: "user", content: "hi" }],
      ...(stream ? { stream } : {}),
    },
  }),
  GEMINI: (model, stream) => ({
    path: `/v1beta/models/${encodeURIComponent(model)}:${stream ? "streamGenerateContent?alt=sse" : "generateContent"}`,
    body: { contents: [{ role: "user", parts: [{ text: "hi" }] }] },
  }),
};

function request(
  call: ProbeCall,
  what: { method: "GET" | "POST"; path: string; model: string; body: Buffer | null },
): UpstreamRequest {
  const headers = new HeaderBlock(ACCEPT);
  if (what.body !== null) headers.addOwn("content-type: application/json\r\n");
  addAuth(headers, call.secret, call.provider, false);
  return {
    method: what.method,
    path: call.endpointPath(call.provider, what.path, what.model),
    headers,
    body: what.body,
    headTimeoutMs: call.timeoutMs,
    holder: undefined,
  };
}
