import type { Clock, Timer } from "../../core/clock.js";
import type { Logger } from "../../core/logger.js";
import type { Random } from "../../core/random.js";

/** Sends one POST and gives the whole reply; rejects when none came. */
export type HttpPost = (request: {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly timeoutMs: number;
}) => Promise<{ readonly status: number; readonly body: Uint8Array }>;

/** Calls in one export: few enough that making its JSON holds up the event loop for about a millisecond. */
export const EXPORT_CALLS_MAX = 64;
/** Calls that may wait for the collector; further ones are dropped and counted. */
export const QUEUED_CALLS_MAX = 4096;
/** Longest time that a call waits for others to go with it. */
export const EXPORT_INTERVAL_MS = 1000;
/** Before the second try of an export, doubled with each further one. */
const RETRY_MIN_MS = 1000;
const RETRY_MAX_MS = 30_000;
/** What is left at the end is given up after so long. */
export const FLUSH_MS = 5000;

/** Statuses after which OTLP asks to try again; any other failure is final for that export. */
const RETRIED = new Set([429, 502, 503, 504]);

export interface TraceExporterOptions<T> {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** For one export. */
  readonly timeoutMs: number;
  readonly httpPost: HttpPost;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** The body of an export and the number of spans in it. Not called before it is sent. */
  readonly encode: (calls: readonly T[]) => { readonly body: Uint8Array; readonly spans: number };
  /** The number of spans that a call would have made. */
  readonly spansIn: (call: T) => number;
}

/** What became of the spans since the start, by reason where they were dropped. */
export interface ExportCounts {
  readonly exported: number;
  readonly dropped: Readonly<Record<DropReason, number>>;
  /** Calls that wait to be exported. */
  readonly queued: number;
}

export type DropReason = "queue_full" | "refused" | "shutdown";

/** Where nothing is traced. */
export const NO_EXPORTS: ExportCounts = {
  exported: 0,
  dropped: { queue_full: 0, refused: 0, shutdown: 0 },
  queued: 0,
};

interface Export {
  readonly body: Uint8Array;
  readonly spans: number;
}

/**
 * Sends finished calls as spans to an OTLP endpoint, in batches, one export at a time. The queue is bounded:
 * a collector that is slow or away costs spans, never calls. A failure is logged once, and once more when
 * exports go through again.
 */
export class TraceExporter<T> {
  readonly #options: TraceExporterOptions<T>;
  #queue: T[] = [];
  #timer: Timer | undefined;
  #wake: (() => void) | undefined;
  #running: Promise<void> | undefined;
  /** The export that is on its way; undefined once it was given up. */
  #sending: Export | undefined;
  #failing = false;
  #closed = false;
  #exported = 0;
  readonly #dropped: Record<DropReason, number> = { ...NO_EXPORTS.dropped };

  constructor(options: TraceExporterOptions<T>) {
    this.#options = options;
  }

  get counts(): ExportCounts {
    return { exported: this.#exported, dropped: this.#dropped, queued: this.#queue.length };
  }

  /** Takes a call; never throws and never waits. */
  offer(call: T): void {
    if (this.#closed) {
      this.#drop("shutdown", this.#options.spansIn(call));
      return;
    }
    if (this.#queue.length >= QUEUED_CALLS_MAX) {
      this.#drop("queue_full", this.#options.spansIn(call));
      return;
    }
    this.#queue.push(call);
    if (this.#running !== undefined) return;
    if (this.#queue.length >= EXPORT_CALLS_MAX) this.#start();
    else this.#timer ??= this.#options.clock.setTimer(() => this.#start(), EXPORT_INTERVAL_MS);
  }

  /** Sends what is left, within a few seconds; takes no more calls. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // From now on nothing is tried twice.
    this.#wake?.();
    let late: Timer | undefined;
    const deadline = new Promise<void>((resolve) => {
      late = this.#options.clock.setTimer(resolve, FLUSH_MS);
    });
    this.#start();
    await Promise.race([this.#running, deadline]);
    late?.cancel();
    this.#drop("shutdown", this.#sending?.spans ?? 0);
    this.#sending = undefined;
    for (const call of this.#queue) this.#drop("shutdown", this.#options.spansIn(call));
    this.#queue = [];
    const { shutdown } = this.#dropped;
    if (shutdown > 0)
      this.#options.logger.warn({ spans: shutdown }, "spans were not delivered before the end");
  }

  #start(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#queue.length > 0 && !this.#closed) this.#start();
    });
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      const calls = this.#queue.splice(0, EXPORT_CALLS_MAX);
      let batch: Export;
      try {
        batch = this.#options.encode(calls);
      } catch (error) {
        this.#failed("spans could not be made", { err: error });
        for (const call of calls) this.#drop("refused", this.#options.spansIn(call));
        continue;
      }
      await this.#deliver(batch);
    }
  }

  /** Until the collector has taken or refused it, or there is no time left. */
  async #deliver(batch: Export): Promise<void> {
    this.#sending = batch;
    for (let tries = 0; ; tries++) {
      const again = await this.#send(batch);
      if (!again || this.#sending === undefined) break;
      if (this.#closed) {
        this.#drop("shutdown", batch.spans);
        break;
      }
      await this.#wait(Math.min(RETRY_MIN_MS * 2 ** Math.min(tries, 10), RETRY_MAX_MS));
    }
    this.#sending = undefined;
  }

  /** True when the same export should be tried again later. */
  async #send({ body, spans }: Export): Promise<boolean> {
    const { url, headers, timeoutMs, httpPost } = this.#options;
    let reply: Awaited<ReturnType<HttpPost>>;
    try {
      reply = await httpPost({ url, headers, body, timeoutMs });
    } catch (error) {
      this.#failed("the trace collector cannot be reached", { reason: reasonOf(error) });
      return true;
    }
    const { status } = reply;
    if (status >= 200 && status < 300) {
      const rejected = Math.min(rejectedIn(reply.body), spans);
      this.#exported += spans - rejected;
      if (rejected === 0) this.#succeeded();
      else {
        this.#drop("refused", rejected);
        this.#failed("the trace collector refuses spans", { status, rejected });
      }
      return false;
    }
    if (RETRIED.has(status)) {
      this.#failed("the trace collector is busy", { status });
      return true;
    }
    this.#failed("the trace collector refuses exports", { status });
    this.#drop("refused", spans);
    return false;
  }

  /** Shorter or longer by up to a quarter, so that several servers do not come back all at once. */
  #wait(delayMs: number): Promise<void> {
    const { clock, random } = this.#options;
    const spread = 0.75 + (random.bytes(1)[0] ?? 0) / 510;
    return new Promise((resolve) => {
      const timer = clock.setTimer(() => this.#wake?.(), delayMs * spread);
      this.#wake = () => {
        this.#wake = undefined;
        timer.cancel();
        resolve();
      };
    });
  }

  #drop(reason: DropReason, spans: number): void {
    this.#dropped[reason] += spans;
  }

  #failed(message: string, fields: Record<string, unknown>): void {
    if (this.#failing) return;
    this.#failing = true;
    const { url, logger } = this.#options;
    logger.warn({ endpoint: url, ...fields }, `${message}; calls go on without traces`);
  }

  #succeeded(): void {
    if (!this.#failing) return;
    this.#failing = false;
    this.#options.logger.info({ dropped: this.#dropped }, "traces are delivered again");
  }
}

/** The code says what is wrong and holds nothing of the request. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}

/** Spans that a collector did not take although it answered with success. */
function rejectedIn(body: Uint8Array): number {
  if (body.length === 0) return 0;
  try {
    const reply = JSON.parse(Buffer.from(body).toString("utf8")) as {
      partialSuccess?: { rejectedSpans?: unknown };
    } | null;
    const rejected = Number(reply?.partialSuccess?.rejectedSpans ?? 0);
    return Number.isSafeInteger(rejected) && rejected > 0 ? rejected : 0;
  } catch {
    // Some collectors answer with plain words, or in binary: the status says that all is well.
    return 0;
  }
}
