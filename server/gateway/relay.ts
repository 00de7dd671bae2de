import type { ServerResponse } from "node:http";
import type { DialectCodec, Problem, StreamForm, StreamWatch } from "../dialect/codec.js";
import { EventGate } from "../dialect/sse.js";
import type { UsageStripper } from "../dialect/usage-strip.js";

/** What a relay tells of the stream that goes through it. */
export interface RelayListener {
  /** The first events say that the call failed, and nothing has gone to the caller: it may be tried elsewhere. */
  onOpeningError(events: Buffer): void;
  /** The first bytes are about to go to the caller. */
  onFirstByte(): void;
  /**
   * The last event is about to go to the caller: what must be on record first is recorded now. False when
   * that failed, and the caller must not take the stream for finished.
   */
  onLastEvent(): boolean;
}

export interface RelayOptions {
  readonly res: ServerResponse;
  readonly httpStatus: number;
  /** Names and values in turn, ready to send. */
  readonly headers: readonly string[];
  readonly codec: DialectCodec;
  readonly form: StreamForm;
  /** The reply is server-sent events; otherwise any bytes. */
  readonly events: boolean;
  readonly eventBytesMax: number;
  /** Takes out usage that the caller did not ask for. */
  readonly strip: UsageStripper | undefined;
  readonly listener: RelayListener;
}

/**
 * Passes one stream to the caller as it is read, with back-pressure. Its head waits for the first event,
 * so that a stream which opens with an error can still be tried elsewhere, and head and first event leave
 * in one write.
 */
export class Relay {
  readonly #options: RelayOptions;
  readonly #gate: EventGate | undefined;
  readonly #watch: StreamWatch;
  #headSent = false;
  #ending: boolean | undefined;
  #waiting = false;
  #bytes = 0;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#gate = options.events ? new EventGate(options.eventBytesMax) : undefined;
    // Other replies end where their framing says so.
    this.#watch = options.codec.watch(options.events ? options.form : "OTHER");
  }

  /** Body bytes that went to the caller. */
  get bytes(): number {
    return this.#bytes;
  }

  get headSent(): boolean {
    return this.#headSent;
  }

  get watch(): StreamWatch {
    return this.#watch;
  }

  /** Takes a read; false when the caller is slower than the provider. */
  push(chunk: Buffer): boolean {
    const events = this.#gate === undefined ? chunk : this.#gate.push(chunk);
    return events === undefined || this.#pass(events);
  }

  /**
   * The provider's stream has ended. Answers true when it is complete, and the caller's stream has been
   * ended with it; false when it broke off although its framing is whole.
   */
  end(): boolean {
    const rest = this.#gate?.rest();
    // Providers may leave out the blank line after the last event. It does not wait for a slow caller.
    if (rest !== undefined) this.#pass(rest);
    const watch = this.#watch;
    if (!watch.finished && !watch.completeWithout() && !watch.failed()) return false;
    this.sendHead();
    if (!this.#mayEnd()) this.#options.res.destroy();
    else this.#options.res.end();
    return true;
  }

  /** Calls `resume` when the caller has read what was written. */
  whenDrained(resume: () => void): void {
    if (this.#waiting) return;
    this.#waiting = true;
    this.#options.res.once("drain", () => {
      this.#waiting = false;
      resume();
    });
  }

  /** Sends the head now, without waiting for a first event. */
  sendHead(): void {
    if (this.#headSent) return;
    this.#headSent = true;
    const { res, httpStatus, headers, listener } = this.#options;
    listener.onFirstByte();
    res.writeHead(httpStatus, [...headers]);
    res.flushHeaders();
  }

  /**
   * Ends a stream that broke off so that no caller takes it for finished: with an error event where one can
   * be read, else by closing the connection in the middle.
   */
  cut(problem: Problem): void {
    const { res, codec, events } = this.#options;
    if (!events || this.#gate?.midEvent === true) {
      res.destroy();
      return;
    }
    const text = codec.streamError(problem);
    this.#bytes += Buffer.byteLength(text);
    res.end(text);
  }

  #pass(events: Buffer): boolean {
    const { codec, listener, strip, res } = this.#options;
    if (!this.#headSent && this.#options.events && codec.opensWithError(events)) {
      listener.onOpeningError(events);
      return true;
    }
    this.#watch.push(events);
    const out = strip === undefined ? events : strip.apply(events);
    if (out.length === 0 && !this.#watch.finished) return true;
    this.#writeHead();
    this.#bytes += out.length;
    if (this.#watch.finished && !this.#mayEnd()) {
      res.destroy();
      return true;
    }
    return out.length === 0 || res.write(out);
  }

  #writeHead(): void {
    if (this.#headSent) return;
    this.#headSent = true;
    const { res, httpStatus, headers, listener } = this.#options;
    listener.onFirstByte();
    res.writeHead(httpStatus, [...headers]);
  }

  #mayEnd(): boolean {
    this.#ending ??= this.#options.listener.onLastEvent();
    return this.#ending;
  }
}
