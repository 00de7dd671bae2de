import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { CALL } from "../../../test/support/call-facts.js";
import type { JsonObject } from "./json.js";
import { chatSide } from "./chat/side.js";
import { generateSide } from "./generate/side.js";
import { messagesSide } from "./messages/side.js";
import type { Reply, ReplyPart, SaidStep, StreamStep } from "./reply.js";
import { responsesSide } from "./responses/side.js";
import type { Form, Side, Target } from "./side.js";
import { SseEvents } from "./sse-events.js";
import { translatorFor } from "./translator.js";

const CLAUDE: Target = {
  model: "claude-sonnet-4-5",
  maxOutput: null,
  providerSlug: "anthropic",
  asksUsage: true,
};
const GPT: Target = { model: "gpt-4o", maxOutput: null, providerSlug: "openai", asksUsage: true };

/** Text that Anthropic takes: something visible in it, and no blanks at its end. */
const said = fc.string({ unit: "grapheme" }).map((text) => `${text.trimEnd()}.`);
const argsObject = fc.dictionary(fc.string({ maxLength: 5 }), fc.jsonValue({ maxDepth: 1 }));

interface Exchange {
  readonly ask: string;
  readonly answer: string;
  readonly calls: readonly JsonObject[];
}

const exchange: fc.Arbitrary<Exchange> = fc.record({
  ask: said,
  answer: said,
  calls: fc.array(argsObject as fc.Arbitrary<JsonObject>, { maxLength: 3 }),
});

function chatOf(system: string, exchanges: readonly Exchange[]): JsonObject[] {
  const messages: JsonObject[] = [{ role: "system", content: system }];
  exchanges.forEach(({ ask, answer, calls }, turn) => {
    const tool_calls = calls.map((args, at) => ({
      id: `call_${String(turn)}_${String(at)}`,
      type: "function",
      function: { name: `tool${String(at)}`, arguments: JSON.stringify(args) },
    }));
    messages.push({ role: "user", content: ask });
    if (tool_calls.length === 0) messages.push({ role: "assistant", content: answer });
    else messages.push({ role: "assistant", content: answer, tool_calls });
    for (const { id } of tool_calls) {
      messages.push({ role: "tool", tool_call_id: id, content: `result of ${id}` });
    }
    // Two turns of the user would be joined, which is no loss but hard to compare.
    if (tool_calls.length > 0) messages.push({ role: "assistant", content: "Done." });
  });
  messages.push({ role: "user", content: "And?" });
  return messages;
}

test("a conversation comes back whole from chat to messages and back", () => {
  fc.assert(
    fc.property(said, fc.array(exchange, { maxLength: 4 }), (system, exchanges) => {
      const messages = chatOf(system, exchanges);
      const body = Buffer.from(JSON.stringify({ model: "m", messages }));
      const there = translatorFor("CHAT", "MESSAGES")!.request(body, CLAUDE, CALL);
      const back = translatorFor("MESSAGES", "CHAT")!.request(there.body, GPT, CALL);
      assert.deepEqual(JSON.parse(back.body.toString()).messages, messages);
    }),
  );
});

const signature = fc.constantFrom("sig1==", "sig2==").map((value) => ({
  origin: "ANTHROPIC" as const,
  value,
}));

const part: fc.Arbitrary<ReplyPart> = fc.oneof(
  said.map((text) => ({ kind: "TEXT" as const, text })),
  fc.record({
    kind: fc.constant("THINKING" as const),
    text: said,
    signature,
    redacted: fc.constant(false),
  }),
  fc.record({
    kind: fc.constant("TOOL_CALL" as const),
    id: fc.uuid(),
    name: fc.constantFrom("a", "b"),
    args: argsObject.map((args) => JSON.stringify(args)),
    signature: fc.constant(undefined),
  }),
);

/** The steps in which a provider would stream a reply, its texts cut in pieces. */
function stepsOf(parts: readonly ReplyPart[], pieceChars: number): SaidStep[] {
  const steps: SaidStep[] = [{ kind: "START", id: "r", model: "m", usage: USAGE }];
  for (const each of parts) {
    const text = each.kind === "TOOL_CALL" ? each.args : each.text;
    if (each.kind === "TOOL_CALL") {
      steps.push({ kind: "OPEN", block: { ...each } });
    } else steps.push({ kind: "OPEN", block: { kind: each.kind } });
    const characters = Array.from(text);
    for (let at = 0; at < characters.length; at += pieceChars) {
      steps.push({ kind: "DELTA", text: characters.slice(at, at + pieceChars).join("") });
    }
    if (each.kind === "THINKING" && each.signature !== undefined) {
      steps.push({ kind: "SIGN", signature: each.signature });
    }
    steps.push({ kind: "CLOSE" });
  }
  steps.push({ kind: "END", stop: stopOf(parts), usage: USAGE });
  return steps;
}

const USAGE = { input: 9, output: 5, cacheRead: 3, cacheWrite: 0, reasoning: 2 };

function stopOf(parts: readonly ReplyPart[]) {
  const calls = parts.some((each) => each.kind === "TOOL_CALL");
  return { kind: calls ? ("TOOL_CALLS" as const) : ("END" as const), sequence: undefined };
}

/** What of a reply must survive: the text of each kind in its order, calls, reason and usage. */
function essence({ parts, stop, usage }: Reply) {
  const texts = (kind: ReplyPart["kind"]) =>
    parts.flatMap((each) => (each.kind === kind && "text" in each ? [each.text] : [])).join("");
  const calls = parts.flatMap((each) =>
    each.kind === "TOOL_CALL"
      ? [{ id: each.id, name: each.name, args: JSON.parse(each.args === "" ? "{}" : each.args) }]
      : [],
  );
  return { text: texts("TEXT"), thinking: texts("THINKING"), calls, stop: stop.kind, usage };
}

/** The reply that the steps of a stream amount to. */
function replyOf(steps: readonly StreamStep[]): Reply {
  const parts: ReplyPart[] = [];
  for (const step of steps) {
    const open = parts.at(-1);
    if (step.kind === "OPEN" && step.block.kind === "TOOL_CALL") {
      parts.push({ ...step.block, args: "" });
    } else if (step.kind === "OPEN" && step.block.kind === "THINKING") {
      parts.push({ kind: "THINKING", text: "", signature: undefined, redacted: false });
    } else if (step.kind === "OPEN") parts.push({ kind: "TEXT", text: "" });
    else if (step.kind === "DELTA" && open !== undefined) {
      parts[parts.length - 1] =
        open.kind === "TOOL_CALL"
          ? { ...open, args: open.args + step.text }
          : { ...open, text: open.text + step.text };
    }
  }
  const last = steps.at(-1);
  if (last?.kind !== "END") throw new Error("the stream has no end");
  return { id: "r", model: "m", parts, stop: last.stop, usage: last.usage };
}

/** The smallest request of each form. */
const REQUESTS: Readonly<Record<Form, JsonObject>> = {
  CHAT: { messages: [], stream_options: { include_usage: true } },
  RESPONSES: { input: "x" },
  MESSAGES: { max_tokens: 1, messages: [] },
  GENERATE: {
    contents: [{ parts: [{ text: "x" }] }],
    generationConfig: { thinkingConfig: { includeThoughts: true } },
  },
};

const SIDES: readonly Side[] = [chatSide, responsesSide, messagesSide, generateSide];

for (const caller of SIDES) {
  for (const provider of SIDES) {
    if (caller === provider) continue;
    const name = `${caller.form} on ${provider.form}`;
    test(`${name}: a stream says the same as the whole reply, wherever it is cut`, () => {
      const body = Buffer.from(JSON.stringify(REQUESTS[caller.form]));
      const translator = translatorFor(caller.form, provider.form)!;
      fc.assert(
        fc.property(
          fc.array(part, { maxLength: 5 }),
          fc.integer({ min: 1, max: 7 }),
          fc.integer({ min: 1, max: 300 }),
          (parts, pieceChars, cutBytes) => {
            const reply = { id: "r", model: "m", parts, stop: stopOf(parts), usage: USAGE };
            const translation = translator.request(body, GPT, CALL);
            const whole = Buffer.from(JSON.stringify(provider.writeReply(reply, CALL)));
            const told = JSON.parse(translation.reply(whole).toString()) as JsonObject;
            const writer = provider.streamWriter(CALL);
            const events = stepsOf(parts, pieceChars).map((step) => writer.push(step));
            const text = Buffer.from(events.join(""));
            const stream = translation.stream();
            const pieces: Buffer[] = [];
            for (let at = 0; at < text.length; at += cutBytes) {
              pieces.push(stream.push(text.subarray(at, at + cutBytes)));
            }
            pieces.push(stream.end());
            const reader = caller.streamReader(CALL);
            const steps = [
              ...new SseEvents().push(Buffer.concat(pieces)).flatMap((each) => reader.push(each)),
              ...reader.end(),
            ];
            assert.deepEqual(essence(replyOf(steps)), essence(caller.readReply(told, CALL)));
            assert.deepEqual(essence(replyOf(steps)), essence(reply));
          },
        ),
        { numRuns: 50 },
      );
    });
  }
}
