import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { Turn } from "../../server/caller/turn.js";
import type { ParsedRequest } from "../../server/caller/request-head.js";
import { Secret } from "../../server/core/secret.js";
import type { DialectCodec, StreamForm, StreamWatch } from "../../server/dialect/codec.js";
import { CODECS } from "../../server/dialect/codecs.js";
import { UsageStripper } from "../../server/dialect/usage-strip.js";
import { OnRecord } from "../../server/gateway/record-round.js";
import { Relay } from "../../server/gateway/reply/relay.js";
import { HeaderBlock } from "../../server/http/header-block.js";
import { SecretSieve } from "../../server/upstream/redact.js";
import { type Draw, drawsOf } from "../support/marked-provider.js";

const STREAMS = 160;
const READ_BYTES = 32 * 1024;
/** Shorter than some of the events, which go on in pieces then. */
const EVENT_BYTES_MAX = 100_000;
const SECRET = "sk-upstream-00000000000000000000";
const POISON = 0xee;

/** A caller's connection that keeps what it is given, and looks at it only when it sends it, as the system does. */
class SlowSocket {
  sent = "";
  /** Where the long pieces were that it was given. */
  readonly places = new Set<ArrayBufferLike>();
  writableLength = 0;
  writableNeedDrain = false;
  readonly #waits: (Buffer | string)[] = [];
  #isFull = false;

  cork(): void {}
  uncork(): void {}

  write(bytes: Buffer | string): boolean {
    this.#waits.push(bytes);
    if (bytes.length >= 16 * 1024) this.places.add((bytes as Buffer).buffer);
    this.writableLength += bytes.length;
    if (!this.#isFull) this.#send();
    else if (this.writableLength >= 16 * 1024) this.writableNeedDrain = true;
    return !this.writableNeedDrain;
  }

  fill(): void {
    this.#isFull = true;
  }

  /** True where that lets more be written. */
  drain(): boolean {
    const wasStopped = this.writableNeedDrain;
    this.#isFull = false;
    this.writableNeedDrain = false;
    this.#send();
    return wasStopped;
  }

  #send(): void {
    for (const bytes of this.#waits.splice(0)) this.sent += bytes.toString("latin1");
    this.writableLength = 0;
  }
}

interface Said {
  readonly dialect: keyof typeof CODECS;
  readonly form: StreamForm;
  readonly events: boolean;
  readonly elements: boolean;
  readonly strips: boolean;
  readonly length: number | undefined;
  readonly body: Buffer;
  /** Where its last word ends, and a read with it. What comes behind that is none of it. */
  readonly end: number;
}

/** One stream on its way, and what is known of it. */
class Way {
  readonly socket = new SlowSocket();
  readonly relay: Relay;
  /** Is shown copies of what the relay's watch is shown, so that nothing can be written over what it keeps. */
  readonly #other: StreamWatch;
  /** When its last event is shown to be on record. */
  readonly record = new OnRecord();
  lent = 0;

  constructor({ dialect, form, events, elements, strips, length }: Said) {
    const turn = turnOn(this.socket);
    const other = CODECS[dialect].watch(form, events);
    this.#other = other;
    const codec: DialectCodec = {
      ...CODECS[dialect],
      watch: () => shadowed(CODECS[dialect].watch(form, events), other),
    };
    this.relay = new Relay({
      turn,
      httpStatus: 200,
      headers: new HeaderBlock(),
      codec,
      events,
      eventBytesMax: EVENT_BYTES_MAX,
      length,
      source: {
        codec,
        form,
        events,
        elements,
        edit: strips ? new UsageStripper() : undefined,
        tap: undefined,
        unpacker: undefined,
        trip: {
          refuseOpening: () => false,
          onFail: () => undefined,
          withoutSecret: (bytes) => bytes,
          sieve: () => new SecretSieve(new Secret(SECRET)),
        },
      },
      listener: {
        onFirstByte: () => undefined,
        onBegun: () => undefined,
        onLastEvent: () => this.record,
        onHeld: () => undefined,
        onBug: (thrown) => {
          throw thrown;
        },
      },
    });
    turn.listener = {
      callerLeft: () => undefined,
      requestRefused: () => undefined,
      onFull: () => {
        this.relay.full();
      },
      onDrained: () => undefined,
    };
  }

  /** As a connection to a provider does: lends a piece of the buffer that all of them read into. */
  lend(piece: Buffer): void {
    const shared = Buffer.from(piece);
    if (this.relay.pushLent(shared)) {
      this.lent++;
      shared.fill(POISON);
    } else this.relay.push(Buffer.from(piece));
  }

  drain(): void {
    if (this.socket.drain()) this.relay.drained();
  }

  /** What its watch keeps is what it was shown. */
  check(where: string): void {
    assert.deepEqual(toldBy(this.relay.watch), toldBy(this.#other), where);
  }

  end(): unknown {
    this.relay.pushRest();
    const ended = this.relay.end();
    const { bytes, begun, failure, headSent } = this.relay;
    const { usage, facts, finished } = toldBy(this.relay.watch);
    return { ended, bytes, begun, failure, headSent, usage, facts, finished };
  }
}

function toldBy(watch: StreamWatch) {
  return {
    usage: watch.usage(),
    facts: watch.facts(),
    failure: watch.failure(),
    said: watch.saidBytes?.(),
    share: watch.textShare(),
    kept: watch.keptBytes,
    keptId: watch.keptId,
    madeIn: watch.madeIn?.(),
    finished: watch.finished,
    complete: watch.completeWithout(),
  };
}

function shadowed(watch: StreamWatch, other: StreamWatch): StreamWatch {
  const push = watch.push.bind(watch);
  watch.push = (events) => {
    push(events);
    other.push(Buffer.from(events));
  };
  const lookBack = watch.lookBack?.bind(watch);
  watch.lookBack = () => {
    lookBack?.();
    other.lookBack?.();
  };
  return watch;
}

function turnOn(socket: SlowSocket): Turn {
  const connection = {
    socket: socket as unknown as Socket,
    common: { connection: () => "", date: () => "" } as never,
    requestInHand: true,
    draining: false,
    onMuchWritten: () => undefined,
    onUnframed: () => undefined,
    onAnswered: () => undefined,
    breakOff: () => undefined,
  };
  // A body without chunks, for these are cut as the pieces come.
  const lines = { persistent: true, expectation: "" };
  const parsed = { minor: 0, method: "POST", lines };
  return new Turn(connection, parsed as unknown as ParsedRequest, -1);
}

const KINDS = [
  "chat",
  "stripped chat",
  "messages",
  "responses",
  "gemini",
  "elements",
  "bytes",
  "file",
] as const;
type Kind = (typeof KINDS)[number];

function saidIn(kind: Kind, draw: Draw): Said {
  return {
    dialect: kind === "messages" ? "ANTHROPIC" : FORMS[kind] === "GENERATE" ? "GEMINI" : "OPENAI",
    form: FORMS[kind],
    events: kind in WORDS || kind === "stripped chat",
    elements: kind === "elements",
    strips: kind === "stripped chat",
    ...bodyOf(kind, draw),
  };
}

function bodyOf(kind: Kind, draw: Draw): Pick<Said, "body" | "end" | "length"> {
  if (kind === "elements") {
    const element = (): string => JSON.stringify({ text: textOf(draw, draw(900)) });
    const body = Buffer.from(`[${Array.from({ length: 300 }, element).join(",\n")}]`);
    return { body, end: body.length, length: undefined };
  }
  if (kind !== "bytes" && kind !== "file") return { ...eventsOf(kind, draw), length: undefined };
  const body = Buffer.from(textOf(draw, 200_000), "latin1");
  return { body, end: body.length, length: kind === "file" ? body.length : undefined };
}

const FORMS: Readonly<Record<Kind, StreamForm>> = {
  chat: "CHAT",
  "stripped chat": "CHAT",
  messages: "MESSAGES",
  responses: "RESPONSES",
  gemini: "GENERATE",
  elements: "GENERATE",
  bytes: "OTHER",
  file: "CHAT",
};

function textOf(draw: Draw, lengthMin: number): string {
  let text = "";
  while (text.length < lengthMin) text += `${String(draw(1_000_000))} ${"\\n{}"[draw(4)] ?? ""}`;
  return text;
}

/** Events of every length, with what stands between them in the wild, and the last word of each kind. */
function eventsOf(kind: Kind, draw: Draw): Pick<Said, "body" | "end"> {
  const lineEnds = draw(3) === 0 ? "\r\n\r\n" : "\n\n";
  const event = (value: unknown): string => `data: ${JSON.stringify(value)}${lineEnds}`;
  const { opened, delta, last } = WORDS[kind] ?? CHAT;
  let text = opened(textOf(draw, draw(60_000)))
    .map(event)
    .join("");
  const count = 20 + draw(120);
  for (let i = 0; i < count; i++) {
    const dice = draw(60);
    if (dice < 3) text += `: alive${lineEnds}`.repeat(1 + draw(9_000));
    if (dice === 3) text += `: ${textOf(draw, draw(40_000))}${lineEnds}`;
    if (dice < 8) text += event({ type: "response.output_item.done", item: { text: "again" } });
    const [said, isLong] = [textOf(draw, draw(dice < 20 ? 3_000 : 800)), dice === 8];
    text += event(delta(isLong ? `${said}${SECRET}`.repeat(1 + draw(60)) : said));
  }
  const told = last.map(event).join("");
  // Some are cut before their last word.
  if (draw(4) > 0) text += kind.endsWith("chat") ? `${told}data: [DONE]${lineEnds}` : told;
  const end = text.length;
  if (draw(4) === 0) text += event(delta("more")).repeat(2_000);
  return { body: Buffer.from(text, "latin1"), end };
}

interface Words {
  /** `asked`: what some tell again of their request. */
  readonly opened: (asked: string) => readonly unknown[];
  readonly delta: (text: string) => unknown;
  readonly last: readonly unknown[];
}

const chunk = (delta: object, reason: string | null): object => ({
  id: "chatcmpl-1",
  object: "chat.completion.chunk",
  choices: [{ index: 0, delta, finish_reason: reason }],
  usage: null,
});
const CHAT: Words = {
  opened: () => [],
  delta: (content) => chunk({ content }, null),
  last: [
    chunk({}, "stop"),
    { id: "chatcmpl-1", choices: [], usage: { prompt_tokens: 3, completion_tokens: 4 } },
  ],
};
const WORDS: Readonly<Partial<Record<Kind, Words>>> = {
  chat: CHAT,
  messages: {
    opened: () => [{ type: "message_start", message: { id: "m", usage: { input_tokens: 7 } } }],
    delta: (text) => ({ type: "content_block_delta", index: 0, delta: { text } }),
    last: [
      { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 5 } },
      { type: "message_stop" },
    ],
  },
  responses: {
    opened: (asked) =>
      ["response.created", "response.in_progress"].map((type) => ({
        type,
        response: { id: "resp_1", instructions: asked },
      })),
    delta: (delta) => ({ type: "response.output_text.delta", delta }),
    last: [
      {
        type: "response.completed",
        response: {
          id: "resp_1",
          status: "completed",
          usage: { input_tokens: 3, output_tokens: 4 },
        },
      },
    ],
  },
  gemini: {
    opened: () => [],
    delta: (text) => ({ candidates: [{ content: { parts: [{ text }] } }] }),
    last: [
      {
        candidates: [{ finishReason: "STOP" }],
        usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 4 },
      },
    ],
  },
};

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("a stream whose pieces are lent goes on, and is understood, as one whose pieces are given", async () => {
  const lent = new Map<Kind, number>();
  for (let seed = 0; seed < STREAMS; seed++) {
    const draw = drawsOf(seed);
    const kind = KINDS[seed % KINDS.length] ?? "chat";
    const said = saidIn(kind, draw);
    const [lends, gives] = [new Way(said), new Way(said)];
    for (let at = 0; at < said.body.length;) {
      const length = draw(4) === 0 ? 1 + draw(READ_BYTES) : READ_BYTES;
      const to = at < said.end ? Math.min(at + length, said.end) : at + length;
      const piece = said.body.subarray(at, to);
      at = to;
      const where = `stream ${String(seed)}, ${kind}, at ${String(at)}`;
      if (draw(3) === 0) lends.socket.fill();
      lends.lend(piece);
      gives.relay.push(Buffer.from(piece));
      lends.check(where);
      // Seldom two reads come within one tick.
      if (draw(10) > 0) await tick();
      if (draw(20) === 0) for (const { relay } of [lends, gives]) relay.lookAt(at);
      if (draw(8) === 0) for (const { record } of [lends, gives]) record.settle(true);
      if (draw(2) > 0) continue;
      await tick();
      lends.drain();
      // More of one may wait for the record of the call, with the last event that it came with.
      const [more, less] = [lends.socket.sent, gives.socket.sent];
      assert.ok(more.startsWith(less) || less.startsWith(more), where);
    }
    assert.deepEqual(lends.end(), gives.end(), `stream ${String(seed)}, ${kind}`);
    for (const { record } of [lends, gives]) record.settle(true);
    await tick();
    lends.drain();
    assert.ok(
      lends.socket.sent === gives.socket.sent,
      `the end of stream ${String(seed)}, ${kind}`,
    );
    lent.set(kind, (lent.get(kind) ?? 0) + lends.lent);
  }
  for (const kind of KINDS) {
    const pieces = lent.get(kind) ?? 0;
    assert.ok(kind === "elements" ? pieces === 0 : pieces > 20, `${kind}: ${String(pieces)}`);
  }
});

test("the long pieces of a stream take one place, also where usage is taken out of each event", async () => {
  const text = `data: ${JSON.stringify(chunk({ content: "y".repeat(1_000) }, null))}\n\n`;
  const events = Buffer.from(text.repeat(READ_BYTES / text.length));
  for (const strips of [false, true]) {
    const kind = { dialect: "OPENAI", form: "CHAT", events: true, elements: false } as const;
    const way = new Way({ ...kind, strips, length: undefined, body: events, end: events.length });
    way.relay.push(Buffer.from(text));
    for (let i = 0; i < 10; i++) {
      await tick();
      way.lend(events);
    }
    await tick();
    assert.deepEqual([way.lent, way.socket.places.size], [10, 1]);
    assert.equal(way.socket.sent.includes("usage"), !strips);
  }
});
