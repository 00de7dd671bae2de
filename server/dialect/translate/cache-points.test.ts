import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { type JsonObject, object, objects } from "./json.js";
import type { Form, Target } from "./side.js";
import { translatorFor } from "./translator.js";

const CLAUDE: Target = {
  model: "claude-opus-4-8",
  maxOutput: null,
  providerSlug: "anthropic",
  asksUsage: true,
  session: "session",
};
const GPT: Target = { ...CLAUDE, model: "gpt-5.4", providerSlug: "openai" };
const CALL = { id: "id", nowSeconds: 1, streamed: false, modelAsked: "m", asArray: false };

function asked(from: Form, to: Form, body: JsonObject, target: Target): JsonObject {
  const text = Buffer.from(JSON.stringify(body));
  return object(JSON.parse(translatorFor(from, to)!.request(text, target, CALL).body.toString()))!;
}

/** The blocks of a request in the order in which Anthropic's cache knows them, and the points behind which it keeps them. */
function cacheView(request: JsonObject): { blocks: string[]; points: number[] } {
  const blocks: string[] = [];
  const points: number[] = [];
  const add = (role: unknown, content: unknown): void => {
    for (const block of typeof content === "string"
      ? [{ type: "text", text: content }]
      : objects(content)) {
      const { cache_control, ...said }: JsonObject = block;
      blocks.push(JSON.stringify([role, said]));
      if (cache_control !== undefined) points.push(blocks.length);
    }
  };
  add("tool", request["tools"]);
  add("system", request["system"]);
  for (const { role, content } of objects(request["messages"])) add(role, content);
  return { blocks, points };
}

/** Anthropic's prompt cache: it keeps what ends at a point, and finds it up to twenty blocks before one. */
class PromptCache {
  readonly #kept = new Set<string>();

  /** The number of blocks that are found again. */
  ask(request: JsonObject): number {
    const { blocks, points } = cacheView(request);
    assert.ok(points.length <= 4);
    const prefix = (length: number): string => blocks.slice(0, length).join();
    const found = points.flatMap((point) =>
      Array.from({ length: 20 }, (_, back) => point - back).filter((at) =>
        this.#kept.has(prefix(at)),
      ),
    );
    for (const point of points) this.#kept.add(prefix(point));
    return Math.max(0, ...found);
  }
}

const TOOLS = [{ type: "function", function: { name: "f", parameters: { type: "object" } } }];

/** What an agent and its user say in one go: so many calls at once, answered, and then perhaps another question. */
const rounds = fc.array(
  fc.record({ calls: fc.integer({ min: 0, max: 40 }), says: fc.boolean(), asks: fc.boolean() }),
  { minLength: 1, maxLength: 8 },
);

test("of a conversation that goes on Anthropic reads again all that was asked before, however many calls it made", () => {
  const setups = fc.record({ system: fc.boolean(), tools: fc.boolean(), rounds });
  fc.assert(
    fc.property(setups, (setup) => {
      const cache = new PromptCache();
      const messages: JsonObject[] = setup.system ? [{ role: "system", content: "rules" }] : [];
      messages.push({ role: "user", content: "q" });
      let before = 0;
      const ask = (): void => {
        const body = { messages, ...(setup.tools ? { tools: TOOLS } : {}) };
        const request = asked("CHAT", "MESSAGES", body, CLAUDE);
        assert.equal(cache.ask(request), before);
        before = cacheView(request).blocks.length;
      };
      ask();
      setup.rounds.forEach(({ calls, says, asks }, at) => {
        const ids = Array.from(
          { length: setup.tools ? calls : 0 },
          (_, nth) => `c${String(at)}_${String(nth)}`,
        );
        const tool_calls = ids.map((id) => ({
          id,
          type: "function",
          function: { name: "f", arguments: "{}" },
        }));
        const content = says || ids.length === 0 ? `said ${String(at)}` : null;
        messages.push({ role: "assistant", content, ...(ids.length > 0 ? { tool_calls } : {}) });
        for (const id of ids)
          messages.push({ role: "tool", tool_call_id: id, content: `of ${id}` });
        if (asks || ids.length === 0) messages.push({ role: "user", content: `q ${String(at)}` });
        ask();
      });
    }),
    { numRuns: 40 },
  );
});

test("nothing is cached for a caller who names no session, whose next call may come to another key", () => {
  const { session: _, ...unnamed } = CLAUDE;
  const body = { messages: [{ role: "user", content: "q" }], tools: TOOLS };
  assert.doesNotMatch(JSON.stringify(asked("CHAT", "MESSAGES", body, unnamed)), /cache_control/);
});

test("OpenAI is told the session, and others that imitate it are not", () => {
  const body = { messages: [{ role: "user", content: "q" }], max_tokens: 9 };
  for (const to of ["CHAT", "RESPONSES"] as const) {
    assert.equal(asked("MESSAGES", to, body, GPT)["prompt_cache_key"], "session");
    const other = asked("MESSAGES", to, body, { ...GPT, providerSlug: "groq" });
    assert.equal(other["prompt_cache_key"], undefined);
  }
  const own = { ...body, prompt_cache_key: "mine" };
  assert.equal(asked("CHAT", "RESPONSES", own, GPT)["prompt_cache_key"], "mine");
});
