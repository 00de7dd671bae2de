import type { Turn } from "../../caller/turn.js";
import { ReusedPlace } from "../../core/reused-place.js";
import type { Problem, StreamWatch } from "../../dialect/codec.js";
import { ElementGate } from "../../dialect/json-array.js";
import { EventGate, isWholeEvent, lastBoundary, lastEventStart } from "../../dialect/sse.js";
import { BEHIND_BYTES_MAX } from "../../dialect/tail.js";
import { isComment, mayTellError } from "../../dialect/told-errors.js";
import type { ReplyPart } from "../estimate/counted.js";
import type { UpstreamFailure } from "../../upstream/failure.js";
import type { SecretSieve } from "../../upstream/redact.js";
import type { OnRecord } from "../record-round.js";
import type { RelayOptions } from "./relay-options.js";
import { StreamOpening } from "./stream-opening.js";

/** A stream is no quieter: load balancers and agents take one for dead after 20 to 100 seconds. */
const QUIET_MAX_MS = 15_000;
/** After so much of a stream that is translated others have their turn: it may be thousands of events, each of them work. */
const TURN_BYTES = 32 * 1024;
/** Most streams hold less, and say nothing of it. */
const HELD_STEP_BYTES = 16 * 1024;
const ANOTHER_BEGAN: UpstreamFailure = {
  kind: "CUT",
  detail: "the provider began another reply inside the first",
};
const BLANK_LINE = Buffer.from("\n\n");
const COLON = 0x3a;

/**
 * Passes one stream to the caller as it is read, with back-pressure. What is read goes this way:
 *
 * - the gate lets whole events through (`EventGate`);
 * - the first of them are held until they say something, for a stream that opens with an error can still be tried
 *   elsewhere (`StreamOpening`);
 * - the watch looks at them, and the edit changes them where the caller speaks another language (`#passOn`);
 * - they are written, the first with the head, the last once the call is on record.
 */
export class Relay {
  readonly #options: RelayOptions;
  /** Undefined for bytes of any kind. */
  readonly #gate: EventGate | ElementGate | undefined;
  readonly #watch: StreamWatch;
  readonly #opening: StreamOpening;
  #headSent = false;
  #begun = false;
  /** Set with the last event. */
  #ending: OnRecord | undefined;
  /** Nothing goes on any more. */
  #closed = false;
  /** While an event goes on in pieces, as one does that is too large to be held. */
  #sieve: SecretSieve | undefined;
  /** The caller has more to read than it takes. */
  #stalled = false;
  /** The last event went on without the blank line behind it. */
  #unclosed = false;
  /** Where long pieces of it are put, once there were any. */
  #place: ReusedPlace | undefined;
  #bytes = 0;
  /** Of the provider's events. */
  #readBytes = 0;
  /** Of what is translated, since others had their turn; these have it while it is too much. */
  #turnBytes = 0;
  /** Steps of what is held, as last told. */
  #heldSteps = 0;
  /** At the last look: how much had gone on, and since when no more had. */
  #quietBytes = -1;
  #quietSinceMs = 0;

  constructor(options: RelayOptions) {
    this.#options = options;
    const { codec, form, events } = options.source;
    this.#gate = gateFor(options);
    this.#watch = codec.watch(form, events);
    this.#opening = new StreamOpening(this.#watch);
  }

  /** Of the response that the provider may go on with; empty where it makes none. */
  get keptResponseId(): string {
    return this.#options.source.form === "RESPONSES" ? this.#watch.keptId : "";
  }

  /** Body bytes that went to the caller. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of what the model said so far, roughly: most of a stream is framing. */
  textBytes(): number {
    const inAll = this.#watch.saidBytes?.();
    return inAll ?? Math.ceil(this.#readBytes * this.#watch.textShare());
  }

  /** What has gone to the caller of a reply that is not complete. What a provider counts when it has stopped is all. */
  part(): ReplyPart {
    const given = this.#watch.usage();
    const isAll = given !== undefined && this.#watch.facts().finishReasons.length > 0;
    return { given, textBytes: isAll ? 0 : this.textBytes() };
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

  // What is read.

  /** Takes a piece of the body; false when the caller is slower than the provider, and the tap is opened later. */
  push(piece: Buffer): boolean {
    if (this.#closed) return true;
    const gate = this.#gate;
    const events = gate === undefined ? piece : gate.push(piece);
    if (gate?.midEvent === true) this.#sieve ??= this.#options.source.trip.sieve();
    if (events !== undefined) this.#pass(events);
    this.#tellHeld();
    if (this.#translates) this.#giveTurn(piece.length);
    return !this.#stalled;
  }

  get #translates(): boolean {
    const { edit } = this.#options.source;
    return edit !== undefined && edit.keepsNothing !== true;
  }

  #giveTurn(bytes: number): void {
    const before = this.#turnBytes;
    this.#turnBytes += bytes;
    if (this.#turnBytes < TURN_BYTES || before >= TURN_BYTES) return;
    this.#options.source.tap?.pause();
    setImmediate(readOn, this);
  }

  /** Others have had their turn. */
  readOn(): void {
    this.#turnBytes = 0;
    if (!this.#stalled) this.#options.source.tap?.resume();
  }

  /**
   * As `push`, for a long piece that is there during this call only; false if it takes none of it. What goes on of it is
   * put where the long piece before it was. Of that nobody reads any more: neither the caller's connection, which has sent
   * it, nor the watch, which keeps nothing besides so long a piece. Whatever may make another keep it is asked here,
   * before and after it goes on.
   */
  pushLent(piece: Buffer): boolean {
    if (this.#closed || !this.#mayReuse || !this.#options.turn.holdsNothing) return false;
    const gate = this.#gate instanceof EventGate ? this.#gate : undefined;
    const end = gate === undefined ? piece.length : toldEnd(piece, gate.heldBytes);
    if (end < BEHIND_BYTES_MAX) return false;
    this.#place ??= new ReusedPlace();
    this.#watch.lookBack?.();
    this.#pass(this.#place.put(piece.subarray(0, end), gate?.rest()));
    if (end < piece.length) this.push(Buffer.from(piece.subarray(end)));
    else this.#tellHeld();
    if (!this.#mayReuse || this.#opening.isHolding) this.#place.leave();
    return true;
  }

  /** What goes on is held by nobody but the watch and the caller's connection. */
  get #mayReuse(): boolean {
    if (this.#options.source.elements || this.#translates) return false;
    // The last event waits for the record of its call; of an event that goes on in pieces, the sieve holds some.
    return this.#ending === undefined && this.#sieve === undefined;
  }

  /** The provider's stream has ended, and what is left of it goes on if it is an event. */
  pushRest(): void {
    const rest = this.#gate?.rest();
    if (rest === undefined || this.#closed) return;
    const { events } = this.#options.source;
    // Providers may leave out the blank line after the last event; half of one says nothing.
    if (events && !isWholeEvent(rest)) return;
    this.#pass(rest);
    this.#unclosed = events;
  }

  /** What is held changes with every read, and is told where that matters. */
  #tellHeld(): void {
    if (this.#closed) return;
    const { edit, unpacker } = this.#options.source;
    const ofGate = this.#gate?.heldBytes ?? 0;
    const ofEdit = (edit?.keptBytes ?? 0) + (unpacker?.keptBytes ?? 0);
    const bytes = ofGate + this.#opening.heldBytes + this.#watch.keptBytes + ofEdit;
    const steps = Math.floor(bytes / HELD_STEP_BYTES);
    if (steps === this.#heldSteps) return;
    this.#heldSteps = steps;
    this.#options.listener.onHeld(steps * HELD_STEP_BYTES);
  }

  // What goes on.

  #pass(events: Buffer): void {
    if (this.#opening.isHolding) this.#passFirst(events);
    else {
      this.#opening.look(events);
      this.#passOn(events);
    }
  }

  #passFirst(events: Buffer): void {
    const opening = this.#opening;
    const isSaid = opening.hold(events);
    const mayHold =
      opening.heldBytes <= this.#options.eventBytesMax && this.#gate?.midEvent !== true;
    if (!isSaid && mayHold) return;
    const first = opening.release() ?? events;
    if (opening.says !== "ERROR" || !this.#isRefused(first)) this.#passOn(first);
  }

  /** The stream opens with an error. True if the call is tried elsewhere, and nothing of this stream goes on. */
  #isRefused(events: Buffer): boolean {
    const { codec, form, events: isEvents, trip } = this.#options.source;
    const watch = codec.watch(form, isEvents);
    watch.push(events);
    this.#closed = trip.refuseOpening(watch.failure() ?? "");
    return this.#closed;
  }

  #passOn(events: Buffer): void {
    // A translation sees for itself what it reads.
    const brokenAt = this.#options.source.edit === undefined ? this.#watch.brokenAt?.(events) : -1;
    if (brokenAt === undefined || brokenAt < 0) this.#write(events);
    else this.#breakAt(brokenAt, events);
  }

  #breakAt(brokenAt: number, events: Buffer): void {
    if (brokenAt > 0) this.#write(events.subarray(0, brokenAt));
    this.#closed = true;
    this.#options.source.trip.onFail(ANOTHER_BEGAN);
  }

  /** The events are nobody else's from here on, and may be changed. */
  #write(given: Buffer): void {
    const { source, length, turn } = this.#options;
    const { edit } = source;
    const events = edit?.trim === undefined ? given : edit.trim(given);
    if (!this.#saysNothing(events)) {
      this.#watch.push(events);
      this.#readBytes += events.length;
    }
    const written = edit === undefined ? events : edit.push(events);
    if (!this.#headSent && this.#isRefusedByEdit()) return;
    const out = this.#withoutSecret(written);
    const isLast = this.#isFinished || this.#bytes + out.length === length;
    if (out.length === 0 && !isLast) return;
    this.#writeHead();
    if (!this.#begun) this.#begin();
    this.#bytes += out.length;
    if (isLast) this.#writeLast(out);
    else turn.write(out);
  }

  /** Comments keep a connection open, for minutes and many of them: nobody is billed for them, nor is what was said before forgotten. */
  #saysNothing(events: Buffer): boolean {
    return this.#options.source.events && this.#sieve === undefined && isComment(events);
  }

  /** A provider may echo its key in what it says of a failure, and no caller may learn that. */
  #withoutSecret(written: Buffer): Buffer {
    const { trip } = this.#options.source;
    if (this.#sieve !== undefined) return this.#sieved(this.#sieve, written);
    return this.#tellsFailure(written) ? trip.withoutSecret(written) : written;
  }

  /** What a large event tells is known too late. */
  #sieved(sieve: SecretSieve, written: Buffer): Buffer {
    const out = sieve.push(written);
    if (this.#gate?.midEvent === true) return out;
    this.#sieve = undefined;
    return Buffer.concat([out, sieve.rest()]);
  }

  #tellsFailure(written: Buffer): boolean {
    if (this.#options.source.edit?.failure !== undefined) return true;
    return this.#gate !== undefined && mayTellError(written);
  }

  #writeLast(out: Buffer): void {
    this.#onRecord((turn) => {
      turn.write(out);
    });
  }

  /** As `#isRefused`, where only a reader of the events can tell. */
  #isRefusedByEdit(): boolean {
    const { edit, trip } = this.#options.source;
    const failure = edit?.failure;
    if (failure?.opening !== true) return false;
    this.#closed = trip.refuseOpening(failure.error);
    return this.#closed;
  }

  /** Tells that a reply begins, once it does: what goes to the caller may as well be an error. */
  #begin(): void {
    const isError = this.#options.source.edit?.failure?.opening === true;
    if (this.#opening.says !== "REPLY" || isError) return;
    this.#begun = true;
    this.#options.listener.onBegun();
  }

  /** Takes a look now and then: the caller of a stream that says nothing gets its head, and later signs of life. */
  lookAt(nowMs: number): void {
    this.#sendHead();
    if (this.#bytes !== this.#quietBytes) {
      this.#quietBytes = this.#bytes;
      this.#quietSinceMs = nowMs;
    } else if (nowMs - this.#quietSinceMs >= QUIET_MAX_MS) {
      this.#quietSinceMs = nowMs;
      this.#tellAlive();
    }
  }

  /** Between two events, and only to a caller that reads. */
  #tellAlive(): void {
    const { events, codec, turn } = this.#options;
    const isMidEvent = this.#gate?.midEvent === true;
    if (!events || isMidEvent || this.#closed || this.#stalled) return;
    if (codec.signOfLife !== undefined) turn.write(codec.signOfLife);
  }

  /** Sends the head, with what has been held back of the first events. */
  #sendHead(): void {
    if (this.#headSent) return;
    this.#writeHead();
    this.#options.turn.flushHead();
    // What it says is known: nothing of a reply.
    const held = this.#opening.release();
    if (held !== undefined) this.#passOn(held);
  }

  #writeHead(): void {
    if (this.#headSent) return;
    const { turn, httpStatus, headers, length, listener } = this.#options;
    listener.onFirstByte();
    turn.begin(httpStatus, headers, length);
    this.#headSent = true;
    headers.clear();
  }

  // Back-pressure.

  /** The caller has more to read than it takes: nothing more is read until it is drained. */
  full(): void {
    this.#stalled = true;
    this.#options.source.tap?.pause();
  }

  /** The caller takes more again. */
  drained(): void {
    this.#stalled = false;
    if (this.#turnBytes < TURN_BYTES) this.#options.source.tap?.resume();
  }

  // The end.

  /** Of a stream that has ended: false when it broke off although its framing is whole. */
  get isComplete(): boolean {
    return this.#isFinished || this.#watch.completeWithout() || this.failure !== undefined;
  }

  /** The last event has passed, and not only a piece of it. */
  get #isFinished(): boolean {
    return this.#watch.finished && this.#gate?.midEvent !== true;
  }

  /**
   * The provider's stream has ended, and its last has been passed on. Answers true when it is complete, and the
   * caller's stream has been ended with it.
   */
  end(): boolean {
    if (!this.isComplete) return false;
    this.#writeHead();
    this.#closed = true;
    const last = this.#last();
    this.#bytes += last?.length ?? 0;
    this.#onRecord((turn) => {
      turn.end(last);
    });
    return true;
  }

  #last(): Buffer | undefined {
    const said = joined(this.#sieve?.rest(), this.#options.source.edit?.end());
    return this.#lacksBlankLine ? joined(said, BLANK_LINE) : said;
  }

  /** SDKs throw away an event that nothing follows, but for Google's: that is how they know its last word of an error. */
  get #lacksBlankLine(): boolean {
    const isTranslated = this.#options.source.edit?.errorEvents !== undefined;
    return this.#unclosed && !isTranslated && this.failure === undefined;
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
}

function readOn(relay: Relay): void {
  relay.readOn();
}

/** Where the events end that are whole in a piece, behind some bytes of the first one; 0 where they may say nothing. */
function toldEnd(piece: Buffer, heldBytes: number): number {
  const end = lastBoundary(piece);
  const last = lastEventStart(piece, end);
  const mayBeComment = piece[last] === COLON || (last === 0 && heldBytes > 0);
  return mayBeComment ? 0 : end;
}

function joined(first: Buffer | undefined, last: Buffer | undefined): Buffer | undefined {
  if (first === undefined || last === undefined) return first ?? last;
  return Buffer.concat([first, last]);
}

function gateFor({ source, eventBytesMax }: RelayOptions): EventGate | ElementGate | undefined {
  if (source.events) return new EventGate(eventBytesMax);
  return source.elements ? new ElementGate(eventBytesMax) : undefined;
}
