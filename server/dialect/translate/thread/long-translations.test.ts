import assert from "node:assert/strict";
import test, { after } from "node:test";
import fc from "fast-check";
import { CALL } from "../../../../test/support/call-facts.js";
import { FakeClock } from "../../../../test/support/fake-clock.js";
import type { StreamForm } from "../../codec.js";
import type { Holder } from "../../../core/client-key.js";
import { Fault } from "../../../core/fault.js";
import { LongWorks } from "../../../core/long-works.js";
import { type ItemMemory, keptItem, type KeptResponse } from "../kept-response.js";
import type { JsonObject } from "../json.js";
import { changedRequest } from "../own-request.js";
import type { Forms } from "../pair.js";
import { type TranslatedRequest, translateRequest } from "../request-translation.js";
import { translateReply } from "../reply-translation.js";
import type { Dislike, Form, Target } from "../side.js";
import { LongTranslations, type TranslationListener } from "./long-translations.js";
import type { Thread, ThreadListener } from "./thread.js";
import type { Work } from "./works.js";

const FORMS: readonly Form[] = ["CHAT", "RESPONSES", "MESSAGES", "GENERATE"];
const TARGET: Target = { model: "m", maxOutput: 9, providerSlug: "p", asksUsage: true };

const clock = new FakeClock();
const translations = new LongTranslations({ clock, longWorks: new LongWorks() });
after(() => translations.stop());

const holder = (ownerId = "usr"): Holder => ({ ownerId, clientKey: { id: `ck_${ownerId}` } });

/** What comes of a body in the thread. */
function inThread(forms: Forms, body: Buffer, call = CALL): Promise<TranslatedRequest> {
  return new Promise((onTranslated, onFailed) => {
    translations.request(
      holder(),
      { forms, body, target: TARGET, call },
      { onTranslated, onFailed },
    );
  });
}

/** What comes of a step, or how it is refused. */
async function outcome<T>(step: () => T | Promise<T>): Promise<unknown> {
  try {
    return await step();
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown;
    const { code, publicMessage, violations } = thrown;
    return { code, publicMessage, violations };
  }
}

const text = fc.oneof(
  fc.string({ unit: "grapheme" }),
  // Halves of surrogate pairs, which JSON has as escapes.
  fc.string({
    unit: fc.constantFrom("a", '"', "\\", "\n", "\u2028", "é", "漢", "😀", "\ud83d", "\ude00"),
  }),
  fc.constantFrom("", " ", "x-anthropic-billing-header: a", "~held:id:0~", "\uE000n1.0"),
);
const digits = fc.constantFrom("1", "0.5", "1e21", "1.0", "12345678901234567890");
const args = fc.dictionary(text, fc.oneof(text, fc.array(text)), { maxKeys: 3 });

/** JSON text with a number that JavaScript may change. */
function written(body: JsonObject, number: string): string {
  return JSON.stringify(body).replaceAll('"NUMBER"', number);
}

/** Conversations with texts, calls and results in each form; some say what cannot be translated. */
const TURNS: Readonly<Record<Form, fc.Arbitrary<JsonObject>>> = {
  CHAT: fc.oneof(
    text.map((content) => ({ role: "user", content })),
    text.map((content) => ({ role: "system", content })),
    fc.array(text).map((texts) => ({
      role: "user",
      content: texts.map((each) => ({ type: "text", text: each })),
    })),
    fc.tuple(text, args).map(([content, given]) => ({
      role: "assistant",
      content,
      tool_calls: [
        { id: "t", type: "function", function: { name: "f g", arguments: JSON.stringify(given) } },
      ],
    })),
    text.map((content) => ({ role: "tool", tool_call_id: "t", content })),
  ),
  RESPONSES: fc.oneof(
    text.map((content) => ({ role: "user", content })),
    fc
      .tuple(text, text)
      .map(([name, given]) => ({ type: "function_call", call_id: "t", name, arguments: given })),
    text.map((output) => ({ type: "function_call_output", call_id: "t", output })),
    fc.constantFrom("known", "unknown").map((id) => ({ type: "item_reference", id })),
    fc.constant({ type: "no_such_item" }),
  ),
  MESSAGES: fc.oneof(
    text.map((content) => ({ role: "user", content })),
    fc.tuple(text, args).map(([said, input]) => ({
      role: "assistant",
      content: [
        { type: "text", text: said },
        { type: "tool_use", id: "t", name: "f", input: { ...input, n: "NUMBER" } },
      ],
    })),
    text.map((content) => ({
      role: "user",
      content: [{ type: "tool_result", tool_use_id: "t", content }],
    })),
    fc.constant({ role: "nobody", content: "" }),
  ),
  GENERATE: fc.oneof(
    text.map((each) => ({ role: "user", parts: [{ text: each }] })),
    args.map((given) => ({ role: "model", parts: [{ functionCall: { name: "f", args: given } }] })),
    args.map((response) => ({
      role: "user",
      parts: [{ functionResponse: { name: "f", response } }],
    })),
  ),
};

const WRAPPED: Readonly<
  Record<Form, (turns: readonly JsonObject[], system: string) => JsonObject>
> = {
  CHAT: (messages) => ({
    model: "m",
    messages,
    tools: [
      {
        type: "function",
        function: { name: "f g", parameters: { type: "object", maximum: "NUMBER" } },
      },
    ],
  }),
  RESPONSES: (input, instructions) => ({
    model: "m",
    input,
    instructions,
    temperature: "NUMBER",
    previous_response_id: instructions === "" ? undefined : "resp_1",
    tools: [
      { type: "custom", name: "c" },
      { type: "namespace", name: "n", tools: [{ type: "function", name: "f" }] },
    ],
  }),
  MESSAGES: (messages, system) => ({ model: "m", max_tokens: 5, messages, system }),
  GENERATE: (contents, each) => ({ contents, systemInstruction: { parts: [{ text: each }] } }),
};

const KEPT = { role: "user", content: "kept \ud83d" };
const memory: ItemMemory = {
  item: (id) => (id === "known" ? keptItem({ id, ...KEPT }).text : undefined),
  conversation: (id) =>
    id === "resp_1" ? [Buffer.from(JSON.stringify([KEPT])), keptItem(KEPT).text] : undefined,
  keep: () => undefined,
};

for (const caller of FORMS) {
  for (const provider of FORMS.filter((form) => form !== caller)) {
    test(`from ${caller} to ${provider} the thread makes of a request, whatever it says, what is made of it in one go`, async () => {
      const forms = { caller, provider };
      const call = { ...CALL, memory };
      await fc.assert(
        fc.asyncProperty(
          fc.array(TURNS[caller], { maxLength: 6 }),
          text,
          digits,
          fc.option(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }))),
          async (turns, system, number, flaw) => {
            const body = Buffer.from(written(WRAPPED[caller](turns, system), number));
            // No JSON any more, or no UTF-8.
            if (flaw !== null) body[flaw[0] % body.length] = flaw[1];
            const wanted = await outcome(() => translateRequest(forms, body, TARGET, call));
            const sent = Buffer.from(body);
            assert.deepEqual(await outcome(() => inThread(forms, body, call)), wanted);
            assert.deepEqual(body, sent);
          },
        ),
        { numRuns: 60 },
      );
    });
  }
}

const SAID = 'said \ud83d "\\';
const ARGS = JSON.stringify({ file: SAID });

/** What a model says and calls, in each form; then what is no answer. */
const REPLIES: Readonly<Record<Form, readonly JsonObject[]>> = {
  CHAT: [
    {
      id: "c",
      choices: [
        {
          index: 0,
          finish_reason: "tool_calls",
          message: {
            role: "assistant",
            content: SAID,
            tool_calls: [
              { id: "t", type: "function", function: { name: "short", arguments: ARGS } },
            ],
          },
        },
      ],
    },
    { id: "c" },
  ],
  RESPONSES: [
    {
      id: "r",
      object: "response",
      status: "completed",
      output: [
        { type: "message", role: "assistant", content: [{ type: "output_text", text: SAID }] },
        { type: "function_call", call_id: "t", name: "short", arguments: ARGS },
      ],
    },
    { object: "response" },
  ],
  MESSAGES: [
    {
      id: "m",
      type: "message",
      stop_reason: "tool_use",
      content: [
        { type: "text", text: SAID },
        { type: "tool_use", id: "t", name: "short", input: { file: SAID } },
      ],
    },
    { type: "error", error: { type: "api_error", message: "no" } },
  ],
  GENERATE: [
    {
      candidates: [
        {
          finishReason: "STOP",
          content: {
            parts: [{ text: SAID }, { functionCall: { name: "short", args: { file: SAID } } }],
          },
        },
      ],
    },
    {},
  ],
};

for (const caller of FORMS) {
  for (const provider of FORMS.filter((form) => form !== caller)) {
    test(`from ${provider} to ${caller} the thread makes of a reply what is made of it in one go, and as much is kept`, async () => {
      const forms = { caller, provider };
      const names = new Map([["short", "given name"]]);
      const kept: KeptResponse[] = [];
      const keep = (response: KeptResponse): void => void kept.push(response);
      const asked = { previousId: "resp_0", input: Buffer.from("[]") };
      const call = { ...CALL, asked, settings: '{"top_p":1.0}', memory: { ...memory, keep } };
      for (const reply of REPLIES[provider]) {
        const body = Buffer.from(JSON.stringify(reply));
        const wanted = await outcome(() => translateReply(forms, body, call, names));
        const made = await outcome(
          () =>
            new Promise((onTranslated, onFailed) => {
              const listener = { onTranslated, onFailed };
              translations.reply(holder(), { forms, call, names }, body, listener);
            }),
        );
        assert.deepEqual(made, wanted);
      }
      assert.equal(kept.length, caller === "RESPONSES" ? 2 : 0);
      assert.deepEqual(kept[1], kept[0]);
    });
  }
}

test("a request in the provider's own language is put right in the thread as in one go", async () => {
  const thinking = [
    { type: "thinking", thinking: SAID, signature: "~openai:c2ln" },
    { type: "text", text: SAID },
  ];
  const known = { type: "item_reference", id: "msg_call_known" };
  const own: readonly [StreamForm, JsonObject][] = [
    ["MESSAGES", { messages: [{ role: "assistant", content: thinking }] }],
    ["RESPONSES", { input: [known, { role: "user", content: SAID }] }],
    ["RESPONSES", { input: SAID, previous_response_id: "resp_call_1" }],
    ["RESPONSES", { input: SAID, previous_response_id: "resp_call_2" }],
    ["CHAT", { messages: [{ role: "user", content: SAID }], stop: ["x"], max_tokens: 1 }],
  ];
  const dislikes = new Set<Dislike>(["STOP", "OLDER_LIMIT"]);
  const item = (id: string): Buffer | undefined => memory.item(id.replace("msg_call_", ""));
  const conversation = (id: string): readonly Buffer[] | undefined =>
    memory.conversation(id.replace("call_", ""));
  const kept = { ...memory, item, conversation };
  for (const [form, said] of own) {
    const body = Buffer.from(JSON.stringify(said));
    const asked = { body, form, memory: kept, dislikes };
    const request = { ...asked, isOther: true, toolsWithoutThought: true };
    const wanted = await outcome(() => changedRequest(request));
    const made = await outcome(
      () =>
        new Promise((onTranslated, onFailed) => {
          const listener = { onTranslated, onFailed };
          translations.own(holder(), request, listener);
        }),
    );
    assert.deepEqual(made, wanted);
    assert.notDeepEqual(wanted, body);
  }
});

/** A thread that does what a test says. */
class FakeThread implements Thread {
  readonly told: Work[] = [];
  readonly listener: ThreadListener;
  keeps = false;
  ended = false;

  constructor(listener: ThreadListener) {
    this.listener = listener;
  }

  tell(work: Work): void {
    this.told.push(work);
  }

  /** What it works at has come of it. */
  finish(): void {
    const body = Buffer.from(this.#now);
    const learnt = { facts: { usageAsked: false, tools: [] }, names: new Map(), dropped: [] };
    this.listener.onSaid({ kind: "DONE", done: { kind: "REQUEST", made: { body, learnt } } });
  }

  get #now(): Uint8Array {
    return this.told.at(-1)?.body ?? new Uint8Array();
  }

  /** What it works at. */
  get now(): string {
    return Buffer.from(this.#now).toString();
  }

  answer(): void {
    throw new Error("it has asked nothing");
  }

  keepProcess(keeps: boolean): void {
    this.keeps = keeps;
  }

  end(): Promise<void> {
    this.ended = true;
    return Promise.resolve();
  }
}

/** Translations by fake threads, and what is heard of them. */
class World {
  readonly clock = new FakeClock();
  readonly threads: FakeThread[] = [];
  readonly heard: string[] = [];
  readonly longWorks = new LongWorks();
  readonly translations = new LongTranslations({
    clock: this.clock,
    longWorks: this.longWorks,
    begin: (listener) => {
      const thread = new FakeThread(listener);
      this.threads.push(thread);
      return thread;
    },
  });

  get thread(): FakeThread {
    const thread = this.threads.at(-1);
    assert.ok(thread !== undefined);
    return thread;
  }

  ask(name: string, by: Holder = holder()): () => void {
    const listener: TranslationListener<TranslatedRequest> = {
      onTranslated: ({ body }) => void this.heard.push(body.toString()),
      onFailed: (thrown) => void this.heard.push(`${name}: ${String(thrown)}`),
    };
    const forms = { caller: "CHAT", provider: "MESSAGES" } as const;
    const body = Buffer.from(name);
    return this.translations.request(by, { forms, body, target: TARGET, call: CALL }, listener);
  }

  /** Some turns of the event loop. */
  turns(count = 5): void {
    for (let turn = 0; turn < count; turn++) this.longWorks.goOn();
  }

  /** What the thread works at, one after the other, until it has nothing to do. */
  all(): string[] {
    const order: string[] = [];
    for (;;) {
      this.turns();
      const { length } = this.thread.told;
      if (length === order.length) return order;
      order.push(this.thread.now);
      this.thread.finish();
    }
  }
}

test("one text is translated at a time, and turns go round between users", () => {
  const world = new World();
  for (const name of ["a1", "a2", "a3"]) world.ask(name, holder("usr_a"));
  world.ask("b1", holder("usr_b"));
  const order = ["a1", "a2", "b1", "a3"];
  assert.deepEqual(world.all(), order);
  assert.deepEqual(world.heard, order);
  assert.equal(world.threads.length, 1);
});

test("a long text is copied in steps, each in a turn of the loop of its own", () => {
  const world = new World();
  const text = "x".repeat(3 * 1024 * 1024);
  world.ask(text);
  world.turns(2);
  assert.equal(world.thread.told.length, 0);
  world.turns(1);
  assert.equal(world.thread.now, text);
});

test("of what is given up nothing is heard, wherever it is, and the next has its turn", () => {
  const world = new World();
  const atWork = world.ask("at work");
  world.turns();
  const waiting = world.ask("waiting");
  const copied = world.ask("copied");
  world.ask("last");
  waiting();
  atWork();
  world.thread.finish();
  copied();
  world.turns();
  assert.equal(world.thread.now, "last");
  world.thread.finish();
  assert.deepEqual(world.heard, ["last"]);
  assert.equal(world.thread.told.length, 2);
});

test("where the thread ends by itself, one translation fails and another thread does the next", () => {
  const world = new World();
  for (const name of ["one", "two"]) world.ask(name);
  world.turns();
  world.thread.listener.onEnded(new Error("out of memory"));
  assert.deepEqual(world.heard, ["one: Error: out of memory"]);
  assert.deepEqual(world.all(), ["two"]);
  assert.equal(world.threads.length, 2);
  world.threads[0]?.listener.onEnded(new Error("again"));
  assert.equal(world.heard.length, 2);
});

test("a thread that ends before it was told anything is not waited for", () => {
  const world = new World();
  for (const name of ["one", "two"]) world.ask(name);
  world.thread.listener.onEnded(new Error("no such file"));
  assert.deepEqual(world.all(), ["two"]);
  assert.deepEqual(world.heard, ["one: Error: no such file", "two"]);
});

test("the process goes on for a thread that works, and one that does nothing for a minute is ended", () => {
  const world = new World();
  world.ask("one");
  assert.equal(world.thread.keeps, true);
  world.all();
  assert.equal(world.thread.keeps, false);
  world.clock.advance(50_000);
  world.ask("two");
  world.clock.advance(50_000);
  world.all();
  world.clock.advance(59_000);
  assert.equal(world.thread.ended, false);
  world.clock.advance(1_000);
  assert.equal(world.thread.ended, true);
  world.ask("three");
  assert.deepEqual(world.all(), ["three"]);
  assert.deepEqual(world.heard, ["one", "two", "three"]);
  assert.equal(world.threads.length, 2);
});
