import type { TokenUsage } from "../../server/core/call.js";
import type { Price } from "../../server/core/provider.js";

/** What a provider bills for one call, each token in one member alone, but for audio, which is among the others. */
export interface Bill {
  readonly fresh: number;
  readonly read: number;
  readonly written: number;
  /** Lives for an hour. */
  readonly writtenLong: number;
  readonly said: number;
  readonly thought: number;
  /** Of `fresh`. */
  readonly audioIn: number;
  /** Of `read`. */
  readonly audioRead: number;
  /** Of `said`. */
  readonly audioOut: number;
  readonly searches: number;
  /** Of a pass that the sums leave out. */
  readonly compactedIn: number;
  readonly compactedOut: number;
}

/** How it is told. */
export interface BillWay {
  /** Which numbers the end of a message stream has. */
  readonly end: "OUTPUT" | "ALL" | "NULLS";
  /** A smaller count comes first. */
  readonly tellsBefore: boolean;
  /** What was thought stands in the total alone. */
  readonly hidesThoughts: boolean;
  /** In which a stream is sent. */
  readonly pieces: number;
}

export type BilledForm = "CHAT" | "RESPONSES" | "MESSAGES" | "GENERATE";

export function formOf(url: string): BilledForm {
  if (url.includes("/chat/completions")) return "CHAT";
  if (url.includes("/responses")) return "RESPONSES";
  return url.includes("/messages") ? "MESSAGES" : "GENERATE";
}

/** As much of a bill as a form has words for. */
export function known(form: BilledForm, bill: Bill): Bill {
  const audioIn = Math.min(bill.audioIn, bill.fresh);
  const audioOut = Math.min(bill.audioOut, bill.said);
  const audioRead = Math.min(bill.audioRead, bill.read);
  switch (form) {
    case "MESSAGES":
      return { ...bill, audioIn: 0, audioRead: 0, audioOut: 0 };
    case "GENERATE":
      return { ...bill, ...NOT_GOOGLES, audioIn, audioRead, audioOut };
    default:
      return { ...bill, ...NOT_OPENAIS, audioIn, audioRead: 0, audioOut };
  }
}

const NOT_OPENAIS = { writtenLong: 0, searches: 0, compactedIn: 0, compactedOut: 0 };
const NOT_GOOGLES = { ...NOT_OPENAIS, written: 0 };

export function billed(bill: Bill): TokenUsage {
  const cacheWrite = bill.written + bill.writtenLong;
  return {
    input: bill.fresh + bill.read + cacheWrite + bill.compactedIn,
    output: bill.said + bill.thought + bill.compactedOut,
    cacheRead: bill.read,
    cacheWrite,
    reasoning: bill.thought,
  };
}

/** In micro-US-dollars, rounded up, searches by themselves. */
export function costOfBill(price: Price, bill: Bill): number {
  const amounts: readonly (readonly [number, number | null | undefined])[] = [
    [bill.fresh - bill.audioIn + bill.compactedIn, price.input],
    [bill.audioIn, price.audioInput],
    [bill.read - bill.audioRead, price.cacheRead],
    [bill.audioRead, price.audioCacheRead],
    [bill.written, price.cacheWrite],
    [bill.writtenLong, price.cacheWriteLong],
    [bill.said - bill.audioOut + bill.thought + bill.compactedOut, price.output],
    [bill.audioOut, price.audioOutput],
  ];
  let sum = 0n;
  for (const [tokens, rate] of amounts) sum += BigInt(tokens) * BigInt(rate ?? 0);
  const searches = BigInt(bill.searches) * BigInt(price.webSearches ?? 0);
  return Number(up(sum, 1_000_000n) + up(searches, 1000n));
}

function up(sum: bigint, by: bigint): bigint {
  return (sum + by - 1n) / by;
}

export function wholeReply(form: BilledForm, bill: Bill, way: BillWay): string {
  return JSON.stringify(WHOLE[form](known(form, bill), way));
}

/** A stream cut into pieces anywhere, also within a letter. */
export function streamPieces(form: BilledForm, bill: Bill, way: BillWay): Buffer[] {
  const all = Buffer.from(STREAM[form](known(form, bill), way));
  const length = Math.ceil(all.length / way.pieces);
  return Array.from({ length: way.pieces }, (_, at) =>
    all.subarray(at * length, (at + 1) * length),
  );
}

const TEXT = "Grüße 😀";

function chatUsage(bill: Bill, { hidesThoughts }: BillWay): object {
  const prompt_tokens = bill.fresh + bill.read + bill.written;
  const output = bill.said + bill.thought;
  const usage = {
    prompt_tokens,
    completion_tokens: output,
    total_tokens: prompt_tokens + output,
    prompt_tokens_details: {
      cached_tokens: bill.read,
      audio_tokens: bill.audioIn,
      cache_write_tokens: bill.written,
    },
  };
  // Where it is as much as the cache, the total does not say which of both it has.
  const { read, written, thought } = bill;
  const isClear = ![read, written, read + written].includes(thought);
  if (hidesThoughts && isClear) {
    const completion_tokens_details = { audio_tokens: bill.audioOut };
    return { ...usage, completion_tokens: bill.said, completion_tokens_details };
  }
  const details = { reasoning_tokens: thought, audio_tokens: bill.audioOut };
  return { ...usage, completion_tokens_details: details };
}

function responseUsage(bill: Bill): object {
  return {
    input_tokens: bill.fresh + bill.read + bill.written,
    input_tokens_details: {
      cached_tokens: bill.read,
      audio_tokens: bill.audioIn,
      cache_write_tokens: bill.written,
    },
    output_tokens: bill.said + bill.thought,
    output_tokens_details: { reasoning_tokens: bill.thought, audio_tokens: bill.audioOut },
  };
}

function messageUsage(bill: Bill): object {
  const pass = {
    input_tokens: bill.fresh,
    output_tokens: bill.said + bill.thought,
    cache_read_input_tokens: bill.read,
    cache_creation_input_tokens: bill.written + bill.writtenLong,
  };
  const cache_creation = {
    ephemeral_5m_input_tokens: bill.written,
    ephemeral_1h_input_tokens: bill.writtenLong,
  };
  const compaction = { input_tokens: bill.compactedIn, output_tokens: bill.compactedOut };
  const isCompacted = bill.compactedIn + bill.compactedOut > 0;
  return {
    ...pass,
    cache_creation,
    output_tokens_details: { thinking_tokens: bill.thought },
    server_tool_use: { web_search_requests: bill.searches },
    iterations: isCompacted
      ? [
          { type: "compaction", ...compaction },
          { type: "message", ...pass },
        ]
      : null,
  };
}

function generateUsage(bill: Bill): object {
  const audio = (tokenCount: number) => [
    { modality: "TEXT", tokenCount: 1 },
    { modality: "AUDIO", tokenCount },
  ];
  return {
    promptTokenCount: bill.fresh + bill.read,
    cachedContentTokenCount: bill.read,
    candidatesTokenCount: bill.said,
    thoughtsTokenCount: bill.thought,
    promptTokensDetails: audio(bill.audioIn + bill.audioRead),
    cacheTokensDetails: audio(bill.audioRead),
    candidatesTokensDetails: audio(bill.audioOut),
  };
}

const CHAT_HEAD = { id: "c", object: "chat.completion", created: 1, model: "m" };
const MESSAGE_HEAD = { id: "msg_1", type: "message", role: "assistant", model: "m" };
const ITEM = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  status: "completed",
  content: [{ type: "output_text", text: TEXT, annotations: [] }],
};
const RESPONSE_HEAD = { id: "resp_1", object: "response", created_at: 1, model: "m", error: null };

const WHOLE: Readonly<Record<BilledForm, (bill: Bill, way: BillWay) => object>> = {
  CHAT: (bill, way) => ({
    ...CHAT_HEAD,
    choices: [{ index: 0, message: { role: "assistant", content: TEXT }, finish_reason: "stop" }],
    usage: chatUsage(bill, way),
  }),
  RESPONSES: (bill) => ({
    ...RESPONSE_HEAD,
    status: "completed",
    output: [ITEM],
    usage: responseUsage(bill),
  }),
  MESSAGES: (bill) => ({
    ...MESSAGE_HEAD,
    content: [{ type: "text", text: TEXT }],
    stop_reason: "end_turn",
    usage: messageUsage(bill),
  }),
  GENERATE: (bill) => ({
    candidates: [
      { index: 0, content: { role: "model", parts: [{ text: TEXT }] }, finishReason: "STOP" },
    ],
    usageMetadata: generateUsage(bill),
  }),
};

const STREAM: Readonly<Record<BilledForm, (bill: Bill, way: BillWay) => string>> = {
  CHAT: (bill, way) => {
    const chunk = (delta: object, finish: string | null, usage: object | null) =>
      data({
        ...CHAT_HEAD,
        object: "chat.completion.chunk",
        choices: [{ index: 0, delta, finish_reason: finish }],
        usage,
      });
    const before = way.tellsBefore ? chatUsage({ ...bill, said: 1, audioOut: 0 }, way) : null;
    return (
      chunk({ role: "assistant", content: TEXT }, null, before) +
      chunk({}, "stop", before) +
      data({ ...CHAT_HEAD, choices: [], usage: chatUsage(bill, way) }) +
      "data: [DONE]\n\n"
    );
  },
  RESPONSES: (bill) => {
    const at = { item_id: "msg_1", output_index: 0, content_index: 0 };
    const response = { ...RESPONSE_HEAD, status: "completed", output: [ITEM] };
    return (
      event("response.created", { response: { ...RESPONSE_HEAD, output: [], usage: null } }) +
      event("response.output_item.added", { output_index: 0, item: { ...ITEM, content: [] } }) +
      event("response.output_text.delta", { ...at, delta: TEXT }) +
      event("response.output_item.done", { output_index: 0, item: ITEM }) +
      event("response.completed", { response: { ...response, usage: responseUsage(bill) } })
    );
  },
  MESSAGES: (bill, way) => {
    const usage = messageUsage(bill) as Record<string, unknown>;
    const { cache_creation, iterations, ...end } = usage;
    const { input_tokens, cache_read_input_tokens, cache_creation_input_tokens } = usage;
    const sums = { input_tokens, cache_read_input_tokens, cache_creation_input_tokens };
    const nulls = Object.fromEntries(Object.keys(sums).map((name) => [name, null]));
    const { input_tokens: _, cache_read_input_tokens: __, ...others } = end;
    const { cache_creation_input_tokens: ___, ...output } = others;
    const last = { ALL: end, NULLS: { ...end, ...nulls }, OUTPUT: output }[way.end];
    const message = {
      ...MESSAGE_HEAD,
      content: [],
      usage: { ...sums, cache_creation, output_tokens: 1 },
    };
    const text = { type: "text_delta", text: TEXT };
    return (
      event("message_start", { message }) +
      event("content_block_start", { index: 0, content_block: { type: "text", text: "" } }) +
      event("ping", {}) +
      event("content_block_delta", { index: 0, delta: text }) +
      event("content_block_stop", { index: 0 }) +
      (way.tellsBefore ? event("message_delta", { delta: {}, usage: { output_tokens: 1 } }) : "") +
      event("message_delta", {
        delta: { stop_reason: "end_turn" },
        usage: { ...last, iterations },
      }) +
      event("message_stop", {})
    );
  },
  GENERATE: (bill, way) => {
    const part = (text: string, more: object) => ({
      candidates: [{ index: 0, content: { role: "model", parts: [{ text }] }, ...more }],
    });
    const before = { usageMetadata: generateUsage({ ...bill, said: 1, audioOut: 0 }) };
    return (
      data({ ...part(TEXT, {}), ...(way.tellsBefore ? before : {}) }) +
      data({ ...part("", { finishReason: "STOP" }), usageMetadata: generateUsage(bill) })
    );
  },
};

function data(body: object): string {
  return `data: ${JSON.stringify(body)}\n\n`;
}

function event(type: string, body: object): string {
  return `event: ${type}\n${data({ type, ...body })}`;
}
