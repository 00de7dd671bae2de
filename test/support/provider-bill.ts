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
  /** Of `fresh`, beside what is audio. */
  readonly imageIn: number;
  /** Of `said`, beside what is audio. */
  readonly imageOut: number;
  readonly searches: number;
  /** In which the call was served. */
  readonly tier: BilledTier;
  /** Of a pass that the sums leave out. */
  readonly compactedIn: number;
  readonly compactedOut: number;
}

export type BilledTier = "ORDINARY" | "FLEX" | "PRIORITY" | "FAST";

/** How it is told. */
export interface BillWay {
  /** Where a chat completion tells its tier; an ordinary one need not be told. */
  readonly tierAt: "NOWHERE" | "FIRST" | "BEFORE" | "BEHIND";
  /** A tier that the caller wrote where a response repeats it. */
  readonly decoy: string;
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
  const imageIn = Math.min(bill.imageIn, bill.fresh - audioIn);
  const imageOut = Math.min(bill.imageOut, bill.said - audioOut);
  const media = { audioIn, audioOut, imageIn, imageOut };
  const tier = TIERS[form][bill.tier] === undefined ? "ORDINARY" : bill.tier;
  switch (form) {
    case "MESSAGES":
      return { ...bill, ...NOT_ANTHROPICS, tier };
    case "GENERATE":
      return { ...bill, ...NOT_GOOGLES, ...media, audioRead, tier };
    default:
      return { ...bill, ...NOT_OPENAIS, ...media, audioRead: 0, tier };
  }
}

/** What tiers are called. */
const TIERS: Readonly<Record<BilledForm, Readonly<Partial<Record<BilledTier, string>>>>> = {
  CHAT: { ORDINARY: "default", FLEX: "flex", PRIORITY: "priority", FAST: "fast" },
  RESPONSES: { ORDINARY: "default", FLEX: "flex", PRIORITY: "priority", FAST: "fast" },
  MESSAGES: { ORDINARY: "standard", FAST: "fast" },
  GENERATE: { ORDINARY: "standard", FLEX: "flex", PRIORITY: "SERVICE_TIER_PRIORITY" },
};

const NOT_ANTHROPICS = { audioIn: 0, audioRead: 0, audioOut: 0, imageIn: 0, imageOut: 0 };
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

type Rate = number | null | undefined;

/** In micro-US-dollars, rounded up, searches by themselves. */
export function costOfBill(price: Price, bill: Bill): number {
  const { longContextFrom } = price;
  const isLong = longContextFrom !== null && billed(bill).input > longContextFrom;
  const of = (short: Rate, long: Rate): Rate => (isLong ? long : short);
  const input = of(price.input, price.longContextInput) ?? price.input;
  const output = of(price.output, price.longContextOutput) ?? price.output;
  const read = of(price.cacheRead, price.longContextCacheRead) ?? input;
  const written = of(price.cacheWrite, price.longContextCacheWrite) ?? input;
  const writtenLong =
    (isLong ? price.longContextCacheWriteLong : null) ?? price.cacheWriteLong ?? written;
  const amounts: readonly (readonly [number, number])[] = [
    [bill.fresh - bill.audioIn - bill.imageIn + bill.compactedIn, input],
    [bill.audioIn, price.audioInput ?? input],
    [bill.imageIn, price.imageInput ?? input],
    [bill.read - bill.audioRead, read],
    [bill.audioRead, price.audioCacheRead ?? read],
    [bill.written, written],
    [bill.writtenLong, writtenLong],
    [bill.said - bill.audioOut - bill.imageOut + bill.thought + bill.compactedOut, output],
    [bill.audioOut, price.audioOutput ?? output],
    [bill.imageOut, price.imageOutput ?? output],
  ];
  const tier = price.serviceTiers?.find((each) => each.tier === bill.tier.toLowerCase());
  const isQuick = bill.tier === "PRIORITY" || bill.tier === "FAST";
  const percent = tier?.percent ?? (isQuick ? 200 : 100);
  let sum = 0n;
  for (const [tokens, rate] of amounts) {
    sum += BigInt(tokens) * BigInt(Math.round((rate * percent) / 100));
  }
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
      image_tokens: bill.imageIn,
      cache_write_tokens: bill.written,
    },
  };
  // Where it is as much as the cache, the total does not say which of both it has.
  const { read, written, thought } = bill;
  const isClear = ![read, written, read + written].includes(thought);
  if (hidesThoughts && isClear) {
    const completion_tokens_details = madeOf(bill);
    return { ...usage, completion_tokens: bill.said, completion_tokens_details };
  }
  return { ...usage, completion_tokens_details: { reasoning_tokens: thought, ...madeOf(bill) } };
}

function madeOf({ audioOut, imageOut }: Bill): object {
  return { audio_tokens: audioOut, image_tokens: imageOut };
}

function responseUsage(bill: Bill): object {
  return {
    input_tokens: bill.fresh + bill.read + bill.written,
    input_tokens_details: {
      cached_tokens: bill.read,
      audio_tokens: bill.audioIn,
      image_tokens: bill.imageIn,
      cache_write_tokens: bill.written,
    },
    output_tokens: bill.said + bill.thought,
    output_tokens_details: { reasoning_tokens: bill.thought, ...madeOf(bill) },
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
    // What was paid for beforehand costs nothing more.
    service_tier: "priority",
    speed: TIERS.MESSAGES[bill.tier],
    iterations: isCompacted
      ? [
          { type: "compaction", ...compaction },
          { type: "message", ...pass },
        ]
      : null,
  };
}

function generateUsage(bill: Bill): object {
  const media = (audio: number, images: number) => [
    { modality: "TEXT", tokenCount: 1 },
    { modality: "IMAGE", tokenCount: images },
    { modality: "AUDIO", tokenCount: audio },
  ];
  return {
    promptTokenCount: bill.fresh + bill.read,
    cachedContentTokenCount: bill.read,
    candidatesTokenCount: bill.said,
    thoughtsTokenCount: bill.thought,
    promptTokensDetails: media(bill.audioIn + bill.audioRead, bill.imageIn),
    cacheTokensDetails: media(bill.audioRead, 0),
    candidatesTokensDetails: media(bill.audioOut, bill.imageOut),
    serviceTier: TIERS.GENERATE[bill.tier],
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

function tierAt(place: BillWay["tierAt"], bill: Bill, way: BillWay): object {
  return place === way.tierAt ? { service_tier: TIERS.CHAT[bill.tier] } : {};
}

/** What a response has behind its output, in OpenAI's order. */
function repeated(bill: Bill, { decoy }: BillWay): object {
  return {
    service_tier: TIERS.RESPONSES[bill.tier],
    tools: [{ type: "function", name: "f", parameters: { service_tier: decoy } }],
    usage: responseUsage(bill),
    metadata: { service_tier: decoy },
  };
}

const WHOLE: Readonly<Record<BilledForm, (bill: Bill, way: BillWay) => object>> = {
  CHAT: (bill, way) => ({
    ...CHAT_HEAD,
    ...tierAt("FIRST", bill, way),
    choices: [{ index: 0, message: { role: "assistant", content: TEXT }, finish_reason: "stop" }],
    ...tierAt("BEFORE", bill, way),
    usage: chatUsage(bill, way),
    ...tierAt("BEHIND", bill, way),
    system_fingerprint: "fp_1",
  }),
  RESPONSES: (bill, way) => ({
    ...RESPONSE_HEAD,
    status: "completed",
    output: [ITEM],
    ...repeated(bill, way),
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
        ...(way.tierAt === "NOWHERE" ? {} : { service_tier: TIERS.CHAT[bill.tier] }),
        object: "chat.completion.chunk",
        choices: [{ index: 0, delta, finish_reason: finish }],
        usage,
      });
    const before = way.tellsBefore ? chatUsage({ ...bill, said: 1, audioOut: 0 }, way) : null;
    return (
      chunk({ role: "assistant", content: TEXT }, null, before) +
      chunk({}, "stop", before) +
      data({
        ...CHAT_HEAD,
        ...(way.tierAt === "NOWHERE" ? {} : { service_tier: TIERS.CHAT[bill.tier] }),
        choices: [],
        usage: chatUsage(bill, way),
      }) +
      "data: [DONE]\n\n"
    );
  },
  RESPONSES: (bill, way) => {
    const at = { item_id: "msg_1", output_index: 0, content_index: 0 };
    const ended = { ...RESPONSE_HEAD, status: "completed", output: [ITEM] };
    const response = { ...ended, ...repeated(bill, way) };
    const begun = { ...RESPONSE_HEAD, service_tier: "auto", output: [], usage: null };
    return (
      event("response.created", { response: begun }) +
      event("response.output_item.added", { output_index: 0, item: { ...ITEM, content: [] } }) +
      event("response.output_text.delta", { ...at, delta: TEXT }) +
      event("response.output_item.done", { output_index: 0, item: ITEM }) +
      event("response.completed", { response })
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
      usage: { ...sums, cache_creation, output_tokens: 1, speed: usage["speed"] },
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
