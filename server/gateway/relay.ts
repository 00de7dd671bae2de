import type { Turn } from "../caller/turn.js";
import type {
  DialectCodec,
  Opening,
  Problem,
  StreamEdit,
  StreamForm,
  StreamWatch,
} from "../dialect/codec.js";
import { Pieces } from "../core/pieces.js";
import { EventGate, isWholeEvent } from "../dialect/sse.js";
import type { HeaderBlock } from "../http/header-block.js";
import type { OnRecord } from "./record-round.js";

/** Most streams hold less, and say nothing of it. */
const HELD_STEP_BYTES = 16 * 1024;

/** What a relay tells of the stream that goes through it. */
export interface RelayListener {
  /** The first bytes are about to go to the caller. */
  onFirstByte(): void;
  /** What goes to the caller is the beginning of a reply, and no error. */
  onBegun(): void;
  /** The last event is about to go to the caller: what must be on record first is recorded now. */
  onLastEvent(): OnRecord;
  /** So many bytes of the stream are held now, in steps. */
  onHeld(bytes: number): void;
  onBug(thrown: unknown): void;
}

/** A provider's stream, and what becomes of it on its way. */
export interface StreamSource {
  readonly codec: DialectCodec;
  readonly form: StreamForm;
  /** Server-sent events; otherwise any bytes. */
  readonly events: boolean;
  /** Undefined where every byte goes on as it is. */
  readonly edit: StreamEdit | undefined;
  /** Stops it and lets it flow again. */
  readonly tap: { pause(): void; resume(): void } | undefined;
  /** Undefined where it comes plain. */
  readonly unpacker: { readonly keptBytes: number } | undefined;
  /** Where it comes from. */
  readonly trip: StreamOrigin;
}

/** Hears of a stream that opens with an error, as long as nothing has gone to the caller. */
export interface StreamOrigin {
  /**
   * The first events say that the call failed; `error` as `StreamWatch.failure` tells it. Answers true when it is
   * tried elsewhere, so that nothing of this stream may go on.
   */
  refuseOpening(error: string): boolean;
}

export interface RelayOptions {
  readonly turn: Turn;
  readonly httpStatus: number;
  /** Let go when they are sent, for a stream may be long. */
  readonly headers: HeaderBlock;
  /** Of the caller's dialect. */
  readonly codec: DialectCodec;
  /** The caller gets server-sent events; otherwise any bytes. */
  readonly events: boolean;
  readonly eventBytesMax: number;
  /** Bytes of the body as the head says, with which the caller has all of it; undefined where its end is marked. */
  readonly length: number | undefined;
  readonly source: StreamSource;
  readonly listener: RelayListener;
}

/**
 * Passes one stream to the caller as it is read, with back-pressure. Its head waits for the first event that
 * says something of a reply, so that a stream which opens with an error can still be tried elsewhere, and head
 * and first events leave in one write.
 */
export class Relay {
  readonly #options: RelayOptions;
  readonly #gate: EventGate | undefined;
  readonly #watch: StreamWatch;
  #headSent = false;
  /** Some of the reply has come, so that no more is held back. */
  #opened = false;
  /** What it opened with. */
  #opening: Opening = "NOTHING";
  #begun = false;
  /** What has come and says nothing of a reply yet. */
  readonly #held = new Pieces();
  #ending: OnRecord | undefined;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  /** The caller has more to read than it takes. */
  #stalled = false;
  /** Nothing goes on any more. */
  #closed = false;
  /** The last event went on without the blank line behind it. */
  #unclosed = false;
  #bytes = 0;
  /** Of the provider's events. */
  #readBytes = 0;
  /** Steps of what is held, as last told. */
  #heldSteps = 0;

  constructor(options: RelayOptions) {
    this.#options = options;
    const { codec, form, events } = options.source;
    this.#gate = events ? new EventGate(options.eventBytesMax) : undefined;
    this.#watch = codec.watch(form, events);
  }

  /** Body bytes that went to the caller. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of what the model said so far, roughly: most of a stream is framing. */
  textBytes(): number {
    return Math.ceil(this.#readBytes * this.#watch.textShare());
  }

  /** Some of a reply has gone to the caller. */
  get begun(): boolean {
    return this.#begun;
  }

  get headSent(): boolean {
    return this.#headSent;
  }

  get watch(): StreamWatch {
    return this.#watch;
  }

  /** The error that the provider told in its stream, as a watch gives it; undefined if it told none. */
  get failure(): string | undefined {
    return this.#options.source.edit?.failure?.error ?? this.#watch.failure();
  }

  /**
   * Takes a piece of the body; false when the caller is slower than the provider, and the tap is opened later.
   * What one read brought in many pieces goes on as one, at the end of the tick.
   */
  push(chunk: Buffer): boolean {
    if (this.#pending.length === 0) process.nextTick(flushLater, this);
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    return !this.#stalled;
  }

  /** As `flush`, from the tick's end: what goes wrong there fails this stream alone. */
  flushOnTick(): void {
    try {
      this.flush();
      this.#tellHeld();
    } catch (thrown) {
      this.#options.listener.onBug(thrown);
    }
  }

  /** What is held changes with every read, and is told where that matters. */
  #tellHeld(): void {
    if (this.#closed) return;
    const { edit, unpacker } = this.#options.source;
    const ofGate = this.#gate?.heldBytes ?? 0;
    const ofEdit = (edit?.keptBytes ?? 0) + (unpacker?.keptBytes ?? 0);
    const bytes = ofGate + this.#held.bytes + this.#watch.keptBytes + ofEdit;
    const steps = Math.floor(bytes / HELD_STEP_BYTES);
    if (steps === this.#heldSteps) return;
    this.#heldSteps = steps;
    this.#options.listener.onHeld(steps * HELD_STEP_BYTES);
  }

  /** Passes on what has come. */
  flush(): void {
    const pending = this.#pending;
    const first = pending[0];
    if (first === undefined) return;
    const all = pending.length === 1 ? first : Buffer.concat(pending, this.#pendingBytes);
    this.#pending = [];
    this.#pendingBytes = 0;
    if (this.#closed) return;
    const events = this.#gate === undefined ? all : this.#gate.push(all);
    if (events !== undefined) this.#pass(events);
  }

  /** Passes on what has come, the last of it: the provider's stream has ended. */
  flushLast(): void {
    this.flush();
    const rest = this.#gate?.rest();
    // Providers may leave out the blank line after the last event; half of one says nothing.
    if (rest === undefined || this.#closed || !isWholeEvent(rest)) return;
    this.#pass(rest);
    this.#unclosed = true;
  }

  /** Of a stream that has ended: false when it broke off although its framing is whole. */
  get isComplete(): boolean {
    const watch = this.#watch;
    return watch.finished || watch.completeWithout() || this.failure !== undefined;
  }

  /**
   * The provider's stream has ended, and its last has been passed on. Answers true when it is complete, and the
   * caller's stream has been ended with it.
   */
  end(): boolean {
    if (!this.isComplete) return false;
    this.#writeHead();
    this.#closed = true;
    const last = this.#options.source.edit?.end();
    this.#bytes += last?.length ?? 0;
    this.#onRecord((turn) => {
      turn.end(last);
    });
    return true;
  }

  /** Sends the head now, with what has been held back of the first events. */
  sendHead(): void {
    if (this.#headSent) return;
    this.#writeHead();
    this.#options.turn.flushHead();
    this.#opened = true;
    // What it says is known: nothing of a reply.
    const held = this.#takeHeld();
    if (held !== undefined) this.#passOn(held);
  }

  /**
   * Ends a stream that broke off so that no caller takes it for finished: with an error event where one can
   * be read, else by closing the connection in the middle.
   */
  cut(problem: Problem): void {
    this.#closed = true;
    const { turn, events, source } = this.#options;
    // What was edited went on in whole events.
    const midEvent = source.edit === undefined && this.#gate?.midEvent === true;
    if (!events || midEvent) {
      turn.breakOff();
      return;
    }
    const error = this.#errorEvents(problem);
    const text = Buffer.from(this.#unclosed ? `\n\n${error}` : error);
    this.#bytes += text.length;
    turn.end(text);
  }

  #errorEvents(problem: Problem): string {
    const { codec, source } = this.#options;
    const translated = source.edit?.errorEvents?.(problem);
    return translated ?? this.#watch.errorEvents?.(problem) ?? codec.streamError(problem);
  }

  #pass(read: Buffer): void {
    const events = this.#opened ? this.#goOn(read) : this.#open(read);
    if (events !== undefined) this.#passOn(events);
  }

  /** The head may have gone before the stream said anything. */
  #goOn(read: Buffer): Buffer {
    if (this.#opening === "NOTHING") this.#opening = this.#watch.opening(read);
    return read;
  }

  #passOn(events: Buffer): void {
    const { source } = this.#options;
    this.#watch.push(events);
    this.#readBytes += events.length;
    const out = source.edit === undefined ? events : source.edit.push(events);
    const failure = source.edit?.failure;
    if (!this.#headSent && failure?.opening === true) {
      this.#closed = source.trip.refuseOpening(failure.error);
      if (this.#closed) return;
    }
    if (out.length === 0 && !this.#watch.finished) return;
    this.#writeHead();
    if (!this.#begun) this.#begin();
    this.#bytes += out.length;
    if (this.#watch.finished || this.#bytes === this.#options.length) {
      this.#onRecord(() => {
        this.#write(out);
      });
    } else this.#write(out);
  }

  /** What the stream opens with, once it goes on to the caller; undefined as long as it is held, or goes nowhere. */
  #open(read: Buffer): Buffer | undefined {
    const opening = this.#watch.opening(read);
    this.#held.push(read);
    const mayHold =
      this.#held.bytes <= this.#options.eventBytesMax && this.#gate?.midEvent !== true;
    if (opening === "NOTHING" && mayHold) return undefined;
    this.#opened = true;
    this.#opening = opening;
    const events = this.#takeHeld() ?? read;
    return opening === "ERROR" && this.#isRefused(events) ? undefined : events;
  }

  #begin(): void {
    if (this.#opening !== "REPLY" || this.#options.source.edit?.failure?.opening === true) return;
    this.#begun = true;
    this.#options.listener.onBegun();
  }

  #isRefused(events: Buffer): boolean {
    const { source } = this.#options;
    const watch = source.codec.watch(source.form, source.events);
    watch.push(events);
    this.#closed = source.trip.refuseOpening(watch.failure() ?? "");
    return this.#closed;
  }

  #takeHeld(): Buffer | undefined {
    if (this.#held.bytes === 0) return undefined;
    const held = this.#held.whole();
    this.#held.clear();
    return held;
  }

  #write(out: Buffer): void {
    this.#options.turn.write(out);
  }

  /** The caller has more to read than it takes: nothing more is read until it is drained. */
  full(): void {
    this.#stalled = true;
    this.#options.source.tap?.pause();
  }

  /** The caller takes more again. */
  drained(): void {
    this.#stalled = false;
    this.#options.source.tap?.resume();
  }

  #writeHead(): void {
    if (this.#headSent) return;
    this.#headSent = true;
    const { turn, httpStatus, headers, length, listener } = this.#options;
    listener.onFirstByte();
    turn.begin(httpStatus, headers, length);
    headers.clear();
  }

  /** What the last event brings goes to the caller once the call is on record: now, or in a moment and in order. */
  #onRecord(send: (turn: Turn) => void): void {
    this.#ending ??= this.#options.listener.onLastEvent();
    const { turn } = this.#options;
    this.#ending.when((isRecorded) => {
      if (turn.over) return;
      try {
        if (isRecorded) send(turn);
        else this.#breakOff();
      } catch (thrown) {
        this.#options.listener.onBug(thrown);
      }
    });
  }

  #breakOff(): void {
    this.#closed = true;
    this.#options.turn.breakOff();
  }
}

function flushLater(relay: Relay): void {
  relay.flushOnTick();
}
