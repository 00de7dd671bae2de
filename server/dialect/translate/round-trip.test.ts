import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { JsonObject } from "./json.js";
import { chatSide } from "./chat/side.js";
import { messagesSide } from "./messages/side.js";
import type { ReplyPart, StreamStep } from "./reply.js";
import type { CallFacts, Side, Target } from "./side.js";
import { translatorFor } from "./translator.js";

const CALL: CallFacts = {
  id: "call",
  nowSeconds: 1,
  streamed: true,
  modelAsked: "m",
  usageAsked: true,
  tools: [],
  asArray: false,
};
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
function stepsOf(parts: readonly ReplyPart[], pieceChars: number): StreamStep[] {
  const steps: StreamStep[] = [{ kind: "START", id: "r", model: "m", usage: USAGE }];
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

const USAGE = { input: 9, output: 5, cacheRead: 3, cacheWrite: 1, reasoning: 2 };

function stopOf(parts: readonly ReplyPart[]) {
  const calls = parts.some((each) => each.kind === "TOOL_CALL");
  return { kind: calls ? ("TOOL_CALLS" as const) : ("END" as const), sequence: undefined };
}

/** What of a reply must survive: the text of each kind in its order, calls and reasons. */
function essence(side: Side, reply: JsonObject) {
  const { parts, stop, usage } = side.readReply(reply, CALL);
  const texts = (kind: ReplyPart["kind"]) =>
    parts.flatMap((each) => (each.kind === kind && "text" in each ? [each.text] : [])).join("");
  const calls = parts.flatMap((each) =>
    each.kind === "TOOL_CALL" ? [[each.id, each.name, JSON.stringify(JSON.parse(each.args))]] : [],
  );
  return { text: texts("TEXT"), thinking: texts("THINKING"), calls, stop: stop.kind, usage };
}

/** A reply put together again from a stream, by the side that reads such streams. */
function assembled(side: Side, text: Buffer, cutBytes: number): JsonObject {
  const other = side.form === "CHAT" ? "MESSAGES" : "CHAT";
  const body = Buffer.from(
    JSON.stringify({ messages: [], stream_options: { include_usage: true } }),
  );
  // Through the other side and back, so that both directions are cut anywhere.
  const there = translatorFor(other, side.form)!.request(body, GPT, CALL).stream();
  const back = translatorFor(side.form, other)!.request(body, GPT, CALL).stream();
  const reader = side.streamReader(CALL);
  const steps: StreamStep[] = [];
  for (let at = 0; at < text.length; at += cutBytes) {
    const again = back.push(there.push(text.subarray(at, at + cutBytes)));
    for (const data of again.toString().split("\n\n")) {
      const from = data.indexOf("data: ");
      if (from >= 0) steps.push(...reader.push({ name: "", data: data.slice(from + 6) }));
    }
  }
  return side.writeReply(replyOf(steps), CALL);
}

function replyOf(steps: readonly StreamStep[]) {
  const parts: ReplyPart[] = [];
  const last = steps.at(-1);
  assert.equal(last?.kind, "END");
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
  if (last?.kind !== "END") throw new Error("no end");
  return { id: "r", model: "m", parts, stop: last.stop, usage: last.usage };
}

for (const side of [chatSide, messagesSide]) {
  test(`a stream of ${side.form} says the same as the whole reply, there and back, wherever it is cut`, () => {
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 5 }),
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 1, max: 300 }),
        (parts, pieceChars, cutBytes) => {
          const whole = side.writeReply(
            { id: "r", model: "m", parts, stop: stopOf(parts), usage: USAGE },
            CALL,
          );
          const writer = side.streamWriter(CALL);
          const text = stepsOf(parts, pieceChars).map((step) => writer.push(step));
          const streamed = assembled(side, Buffer.from(text.join("")), cutBytes);
          assert.deepEqual(essence(side, streamed), essence(side, whole));
        },
      ),
    );
  });
}
