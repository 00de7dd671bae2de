import type { StreamForm } from "./codec.js";
import {
  type JsonObject,
  list,
  number,
  object,
  objects,
  parseJson,
  parseObject,
  string,
  writeJson,
} from "./translate/json.js";
import { SseEvents } from "./translate/sse-events.js";

// Some providers stream although nobody asked for it. SDKs that wait for a reply make nothing of events, so these become
// the reply that the provider would have sent: the other way round than `reply-events`.

/** The whole reply that a complete stream of a form says; undefined for what says none. */
export function wholeOfEvents(stream: Buffer, form: StreamForm): Buffer | undefined {
  const join = JOINS[form];
  if (join === undefined) return undefined;
  try {
    const source = new SseEvents();
    const events = [...source.push(stream), ...source.rest()].flatMap(({ data }) =>
      objects([parseObject(data)]),
    );
    const reply = join(events);
    return reply === undefined ? undefined : Buffer.from(writeJson(reply));
  } catch {
    // Too long to be one event, or a call whose arguments are no JSON.
    return undefined;
  }
}

type Join = (events: readonly JsonObject[]) => JsonObject | undefined;

const JOINS: Readonly<Partial<Record<StreamForm, Join>>> = {
  CHAT: joinChat,
  RESPONSES: joinResponse,
  MESSAGES: joinMessage,
  GENERATE: joinGenerated,
};

/** The last event holds all of it, but for some providers' items: those are where each of them ends. */
function joinResponse(events: readonly JsonObject[]): JsonObject | undefined {
  const all = events.map((event) => object(event["response"]));
  const response = all.findLast((each) => each !== undefined);
  if (response === undefined || list(response["output"]).length > 0) return response;
  const ended = events.filter(({ type }) => type === "response.output_item.done");
  return { ...response, output: ended.flatMap(({ item }) => objects([item])) };
}

function joinMessage(events: readonly JsonObject[]): JsonObject | undefined {
  let message = object(events.find(({ type }) => type === "message_start")?.["message"]);
  if (message === undefined) return undefined;
  for (const { type, delta, usage } of events) {
    if (type !== "message_delta") continue;
    const counted: JsonObject = { ...object(message["usage"]), ...object(usage) };
    message = { ...message, ...object(delta), usage: counted };
  }
  return { ...message, content: blocksOf(events) };
}

function blocksOf(events: readonly JsonObject[]): JsonObject[] {
  /** By their numbers, of which some providers leave out such as stand for what is not told. */
  const blocks = new Map<unknown, JsonObject>();
  /** The inputs of tools, which come as pieces of JSON. */
  const inputs = new Map<JsonObject, string>();
  for (const { type, index, content_block, delta: given } of events) {
    if (type === "content_block_start") blocks.set(index, { ...object(content_block) });
    const block = blocks.get(index);
    if (type !== "content_block_delta" || block === undefined) continue;
    const delta = object(given) ?? {};
    const piece = string(delta["partial_json"]);
    if (piece === undefined) addDelta(block, delta);
    else inputs.set(block, (inputs.get(block) ?? "") + piece);
  }
  for (const [block, input] of inputs) if (input !== "") block["input"] = parseJson(input);
  return [...blocks.values()];
}

function addDelta(block: JsonObject, { type: _type, ...delta }: JsonObject): void {
  const { citation, ...said } = delta;
  if (citation !== undefined) block["citations"] = [...list(block["citations"]), citation];
  for (const [name, text] of Object.entries(said)) {
    block[name] = name === "signature" ? text : joined(block[name], text);
  }
}

/** Chunks of a chat, or of one of the older completions. */
function joinChat(chunks: readonly JsonObject[]): JsonObject | undefined {
  const [first] = chunks.filter((chunk) => Array.isArray(chunk["choices"]));
  if (first === undefined) return undefined;
  const choices = new Map<number, JsonObject>();
  let reply: JsonObject = {};
  for (const { choices: given, ...rest } of chunks) {
    reply = { ...reply, ...said(rest) };
    for (const choice of objects(given)) {
      const index = number(choice["index"]) ?? 0;
      choices.set(index, withChunk(choices.get(index) ?? { index }, choice));
    }
  }
  const isText = first["object"] === "text_completion";
  const kind = isText ? "text_completion" : "chat.completion";
  const inOrder = [...choices]
    .toSorted(([a], [b]) => a - b)
    .map(([, choice]) => numberless(choice));
  return { ...reply, object: kind, choices: inOrder };
}

function withChunk(choice: JsonObject, chunk: JsonObject): JsonObject {
  const { delta, message, text, logprobs, index: _index, ...rest } = chunk;
  const more = object(delta) ?? object(message);
  const known = object(choice["message"]) ?? { role: "assistant", content: null };
  return {
    ...choice,
    ...said(rest),
    ...(text === undefined ? {} : { text: joined(choice["text"], text) }),
    ...(more === undefined ? {} : { message: withDelta(known, more) }),
    ...(object(logprobs) === undefined
      ? {}
      : { logprobs: withLists(object(choice["logprobs"]) ?? {}, object(logprobs) ?? {}) }),
  };
}

function withDelta(message: JsonObject, { tool_calls, role, ...delta }: JsonObject): JsonObject {
  const out: JsonObject = { ...message, role: string(role) ?? message["role"] };
  for (const [name, piece] of Object.entries(said(delta))) out[name] = joined(out[name], piece);
  if (list(tool_calls).length > 0) {
    out["tool_calls"] = objects(tool_calls).reduce(withCall, objects(message["tool_calls"]));
  }
  return out;
}

/** A new id at a known index is a new call: some providers have one index for all, and some do not begin with 0. */
function withCall(calls: JsonObject[], piece: JsonObject): JsonObject[] {
  const id = string(piece["id"]) ?? "";
  const index = number(piece["index"]);
  const at = calls.findLastIndex((call) => index === undefined || call["index"] === index);
  const known = calls[at];
  if (known === undefined || (id !== "" && known["id"] !== id)) return [...calls, piece];
  const called = object(known["function"]) ?? {};
  const { arguments: args, ...rest } = object(piece["function"]) ?? {};
  const text = joined(called["arguments"], args);
  const whole = { ...said(piece), ...known, function: { ...rest, ...called, arguments: text } };
  return calls.with(at, whole);
}

/** A choice whose calls have no index, as in a whole reply. */
function numberless(choice: JsonObject): JsonObject {
  const message = object(choice["message"]);
  const calls = objects(message?.["tool_calls"]);
  if (calls.length === 0) return choice;
  const tool_calls = calls.map(({ index: _index, ...call }) => call);
  return { ...choice, message: { ...message, tool_calls } };
}

function withLists(known: JsonObject, more: JsonObject): JsonObject {
  const out = { ...known };
  for (const [name, each] of Object.entries(more)) {
    out[name] = Array.isArray(each) ? [...list(out[name]), ...list(each)] : each;
  }
  return out;
}

/** Each event is a reply of its own, with the next parts of what is said. */
function joinGenerated(replies: readonly JsonObject[]): JsonObject | undefined {
  if (!replies.some((each) => "candidates" in each || "promptFeedback" in each)) return undefined;
  const candidates = new Map<number, JsonObject>();
  let reply: JsonObject = {};
  for (const { candidates: given, ...rest } of replies) {
    reply = { ...reply, ...rest };
    for (const { content, ...candidate } of objects(given)) {
      const index = number(candidate["index"]) ?? 0;
      const known = candidates.get(index) ?? {};
      const parts = objects(object(content)?.["parts"]);
      const before = object(known["content"]) ?? {};
      const all = parts.reduce(withPart, objects(before["parts"]));
      candidates.set(index, {
        ...known,
        ...candidate,
        content: { ...before, ...object(content), parts: all },
      });
    }
  }
  return candidates.size === 0 ? reply : { ...reply, candidates: [...candidates.values()] };
}

/** Text that goes on is one part, as in a reply; what is signed ends with its signature. */
function withPart(parts: JsonObject[], part: JsonObject): JsonObject[] {
  const last = parts.at(-1);
  const goesOn =
    string(last?.["text"]) !== undefined &&
    string(part["text"]) !== undefined &&
    last?.["thought"] === part["thought"] &&
    last?.["thoughtSignature"] === undefined;
  if (last === undefined || !goesOn) return [...parts, part];
  return [...parts.slice(0, -1), { ...last, ...part, text: joined(last["text"], part["text"]) }];
}

/** Of members that say something. */
function said(members: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(members).filter(([, member]) => member !== null && member !== undefined),
  );
}

/** Texts and lists go on; of anything else the last word counts. */
function joined(before: unknown, more: unknown): unknown {
  if (typeof before === "string" && typeof more === "string") return before + more;
  if (Array.isArray(before) && Array.isArray(more)) return [...list(before), ...list(more)];
  return more ?? before;
}
