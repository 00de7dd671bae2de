import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { responseEvents } from "../support/response-stream.js";
import {
  type Received,
  type Script,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import type { TestGateway } from "./fixture.js";
import { startResponsesOnly } from "./responses-only.js";
import { anthropicClient, openaiClient } from "./sdk-clients.js";

// A provider of OpenAI's Responses API whose stream breaks off, wherever that is: what becomes of callers of every
// language, as their SDKs read it, and of the record.

const ARGUMENTS = [
  ['{"city":"Zü', 'rich","days":[1', ",2]}"],
  ['{"city":"東', '京"', ',"days":[]}'],
];
const WHOLE_CALLS = ARGUMENTS.map((pieces) => JSON.parse(pieces.join("")) as unknown);
const USAGE = {
  input_tokens: 31,
  input_tokens_details: { cached_tokens: 5 },
  output_tokens: 47,
  total_tokens: 78,
};
const ANSWER = responseEvents(
  [
    { kind: "THOUGHT", pieces: ["**Ich** – ", "想", " nach"], sealed: "gAAAAsealed==" },
    { kind: "TEXT", pieces: ["Grüße 🌍", ", ich ", "sehe nach."] },
    { kind: "CALLS", calls: ARGUMENTS },
  ],
  USAGE,
);
const REFUSAL = responseEvents(
  [{ kind: "REFUSAL", pieces: ["Das kann ", "ich nicht 😀."] }],
  USAGE,
);
const PARAMETERS = { type: "object", properties: { city: { type: "string" } } };

let stub: UpstreamStub;
let gateway: TestGateway;

before(async () => {
  stub = await startUpstreamStub();
  gateway = await startResponsesOnly(stub);
});

after(async () => {
  await gateway.close();
  await stub.close();
});

/** What a caller's SDK takes for finished; asking throws where it is told that the answer is none. */
interface Answer {
  /** Why the model stopped, in the caller's language; undefined where it says nothing of that. */
  reason?: string | undefined;
  /** The arguments of calls that are whole. */
  readonly calls: unknown[];
  readonly tokens: { input?: number | undefined; output?: number | undefined };
}

type Ask = (answer: Answer) => Promise<void>;

const HI = [{ role: "user" as const, content: "hi" }];
const USER = { model: "m", stream: true } as const;

const askChat: Ask = async (answer) => {
  const tool = { type: "function", function: { name: "look", parameters: PARAMETERS } } as const;
  const stream = await openaiClient(gateway).chat.completions.create({
    ...USER,
    messages: HI,
    tools: [tool],
    stream_options: { include_usage: true },
  });
  const texts: string[] = [];
  for await (const { choices, usage } of stream) {
    for (const { index, function: part } of choices[0]?.delta.tool_calls ?? []) {
      texts[index] = (texts[index] ?? "") + (part?.arguments ?? "");
    }
    answer.reason = choices[0]?.finish_reason ?? answer.reason;
    if (answer.reason !== undefined && answer.calls.length === 0) {
      for (const text of texts) answer.calls.push(JSON.parse(text));
    }
    answer.tokens.input = usage?.prompt_tokens;
    answer.tokens.output = usage?.completion_tokens;
  }
};

const askResponses: Ask = async (answer) => {
  const tool = { type: "function", name: "look", parameters: PARAMETERS, strict: false } as const;
  const stream = await openaiClient(gateway).responses.create({
    ...USER,
    input: "hi",
    tools: [tool],
  });
  for await (const event of stream) {
    if (event.type === "response.output_item.done" && event.item.type === "function_call") {
      answer.calls.push(JSON.parse(event.item.arguments));
    }
    if (event.type !== "response.completed") continue;
    answer.reason = event.response.status;
    answer.tokens.input = event.response.usage?.input_tokens;
    answer.tokens.output = event.response.usage?.output_tokens;
  }
};

const askMessages: Ask = async (answer) => {
  const stream = await anthropicClient(gateway).messages.create({
    ...USER,
    max_tokens: 99,
    messages: HI,
    tools: [{ name: "look", input_schema: { ...PARAMETERS, type: "object" } }],
  });
  let text: string | undefined;
  for await (const event of stream) {
    if (event.type === "content_block_start") {
      text = event.content_block.type === "tool_use" ? "" : undefined;
    } else if (event.type === "content_block_delta" && event.delta.type === "input_json_delta") {
      text += event.delta.partial_json;
    } else if (event.type === "content_block_stop" && text !== undefined) {
      answer.calls.push(JSON.parse(text));
    } else if (event.type === "message_delta") {
      answer.reason = event.delta.stop_reason ?? undefined;
      answer.tokens.input =
        (event.usage.input_tokens ?? 0) + (event.usage.cache_read_input_tokens ?? 0);
      answer.tokens.output = event.usage.output_tokens;
    }
  }
};

interface Piece {
  readonly error?: object;
  readonly candidates?: readonly {
    readonly finishReason?: string;
    readonly content: { readonly parts: readonly { functionCall?: { args: unknown } }[] };
  }[];
  readonly usageMetadata?: { readonly promptTokenCount: number; candidatesTokenCount: number };
}

function readPiece({ error, candidates, usageMetadata }: Piece, answer: Answer): void {
  if (error !== undefined) throw new Error(JSON.stringify(error));
  for (const { functionCall } of candidates?.[0]?.content.parts ?? []) {
    if (functionCall !== undefined) answer.calls.push(functionCall.args);
  }
  answer.reason = candidates?.[0]?.finishReason ?? answer.reason;
  answer.tokens.input = usageMetadata?.promptTokenCount;
  answer.tokens.output = usageMetadata?.candidatesTokenCount;
}

/** Google's SDK reads each event as JSON, and an array when all of it is there. */
function askGemini(asArray: boolean): Ask {
  return async (answer) => {
    const declared = [{ functionDeclarations: [{ name: "look", parameters: PARAMETERS }] }];
    const path = `/v1beta/models/m:streamGenerateContent${asArray ? "" : "?alt=sse"}`;
    const body = { contents: [{ role: "user", parts: [{ text: "hi" }] }], tools: declared };
    const response = await gateway.post(path, body);
    const text = await response.text();
    if (!response.ok) throw new Error(text);
    const events = text.split(/\r?\n\r?\n/).filter((event) => event !== "");
    const json = asArray ? text : `[${events.map((event) => event.replace(/^data: /, "")).join()}]`;
    for (const piece of JSON.parse(json) as Piece[]) readPiece(piece, answer);
  };
}

const CALLERS: Readonly<Record<string, Ask>> = {
  "chat completions": askChat,
  responses: askResponses,
  messages: askMessages,
  "Gemini's events": askGemini(false),
  "Gemini's array": askGemini(true),
};

/** The first bytes of a stream, and then its end: with the framing whole, or with a reset. */
function brokenAt(bytes: Buffer, isClean: boolean): Script {
  return (_received: Received, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    if (isClean) res.end(bytes);
    else res.write(bytes, () => setImmediate(() => res.socket?.resetAndDestroy()));
  };
}

/** Behind each event, and inside of it: in the middle of a letter of several bytes where it has one. */
function placesIn(events: readonly string[]): number[] {
  const places: number[] = [];
  let from = 0;
  for (const event of events) {
    const bytes = Buffer.from(event);
    const inLetter = bytes.findIndex((byte) => (byte & 0xc0) === 0x80);
    places.push(from + (inLetter < 0 ? bytes.length >> 1 : inLetter), from + bytes.length);
    from += bytes.length;
  }
  return places;
}

async function ask(caller: Ask, script: Script) {
  stub.script = script;
  const { sink, pool } = gateway;
  const count = sink.records.length + 1;
  const tried = pool.outcomes.length;
  const answer: Answer = { calls: [], tokens: {} };
  const thrown = await caller(answer).then(
    () => undefined,
    (reason: unknown) => String(reason),
  );
  const record = await sink.record(count);
  return { answer, thrown, record, outcomes: pool.outcomes.slice(tried) };
}

/** How calls end whose stream breaks off: before anything of a reply has come, and behind that. */
const BROKEN = {
  UNHEARD: { errorCode: "upstream_error", outcomes: ["CUT", "CUT"], usageSource: "NONE" },
  HEARD: { errorCode: "stream_cut", outcomes: ["CUT"], usageSource: "PARTIAL" },
} as const;

for (const [name, caller] of Object.entries(CALLERS)) {
  for (const [what, events] of [
    ["an answer", ANSWER],
    ["a refusal", REFUSAL],
  ] as const) {
    test(`wherever ${what} of the Responses API breaks off, a caller of ${name} takes it for no whole one`, async () => {
      const bytes = Buffer.from(events.join(""));
      const places = placesIn(events).slice(0, -1);
      let heardBefore = false;
      for (const [at, place] of places.entries()) {
        const isClean = at % 4 < 2;
        const script = brokenAt(bytes.subarray(0, place), isClean);
        const { answer, thrown, record, outcomes } = await ask(caller, script);
        const where = `${String(place)} of ${String(bytes.length)}, clean: ${String(isClean)}`;
        assert.ok(thrown !== undefined, `${where}: taken for whole: ${JSON.stringify(answer)}`);
        assert.equal(answer.reason, undefined, where);
        assert.deepEqual(answer.calls, WHOLE_CALLS.slice(0, answer.calls.length), where);
        const { errorCode, usageSource, tokens, status } = record;
        const heard = errorCode === "stream_cut";
        assert.deepEqual(
          { errorCode, usageSource, outcomes },
          heard ? BROKEN.HEARD : BROKEN.UNHEARD,
          where,
        );
        assert.equal(status, "ERROR");
        assert.ok(heard || !heardBefore, where);
        heardBefore = heard;
        if (heard)
          assert.ok(
            tokens.input > 0 && tokens.output < 2 * 47,
            `${where}: ${String(tokens.output)}`,
          );
      }
      assert.ok(heardBefore);
    });

    test(`${what} of the Responses API that ends with its last event is whole to a caller of ${name}`, async () => {
      const bytes = Buffer.from(events.join(""));
      for (const [end, isClean] of [
        [bytes.length, true],
        [bytes.length, false],
        // Without the blank line behind it.
        [bytes.length - 1, true],
        [bytes.length - 2, true],
      ] as const) {
        const { answer, thrown, record, outcomes } = await ask(
          caller,
          brokenAt(bytes.subarray(0, end), isClean),
        );
        assert.equal(thrown, undefined);
        assert.notEqual(answer.reason, undefined);
        assert.deepEqual(answer.calls, what === "an answer" ? WHOLE_CALLS : []);
        assert.deepEqual(answer.tokens, { input: 31, output: 47 });
        assert.deepEqual(
          [record.errorCode, record.usageSource, record.tokens.output, record.tokens.cacheRead],
          [null, "PROVIDER", 47, 5],
        );
        assert.deepEqual(outcomes, ["OK"]);
      }
    });
  }
}
