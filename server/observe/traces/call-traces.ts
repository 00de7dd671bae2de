import type { CallRecord, ReplyFacts } from "../../core/call.js";
import type { Clock } from "../../core/clock.js";
import type { Logger } from "../../core/logger.js";
import type { Random } from "../../core/random.js";
import { spansOf, type CallOrigin, type TracedCall, type TracedProvider } from "./call-spans.js";
import { exportBody } from "./otlp.js";
import type { TraceConfig } from "./trace-config.js";
import { TraceExporter, type ExportCounts, type HttpPost } from "./trace-exporter.js";
import { parseTraceParent } from "./trace-parent.js";

export interface CallTracesOptions {
  readonly config: TraceConfig;
  readonly version: string;
  /** What the proxy port speaks. */
  readonly scheme: "http" | "https";
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly httpPost: HttpPost;
  /** Undefined for a provider that is gone. */
  readonly providerOf: (id: string) => TracedProvider | undefined;
}

const UNIFORM_BYTES = 6;

interface RunningCall {
  readonly origin: CallOrigin;
  /** Undefined until a provider has answered. */
  facts: ReplyFacts | undefined;
}

/**
 * Traces of calls. A call costs an entry in a map while it runs, a look at the end of its reply, and an entry
 * in a queue when it has ended; its spans are made from its record later, when they are sent.
 */
export class CallTraces {
  readonly #options: CallTracesOptions;
  /** Those that are wanted. */
  readonly #running = new Map<string, RunningCall>();
  readonly #exporter: TraceExporter<TracedCall>;

  constructor(options: CallTracesOptions) {
    const { config, scheme, clock, random, logger, httpPost, providerOf } = options;
    this.#options = options;
    const scope = { name: "latchkey", version: options.version };
    this.#exporter = new TraceExporter({
      ...config,
      clock,
      random,
      logger,
      httpPost,
      encode: (calls) => {
        const spans = calls.flatMap((traced) => spansOf(traced, { scheme, random, providerOf }));
        return { body: exportBody(config.resource, scope, spans), spans: spans.length };
      },
      spansIn: ({ call }) => 1 + call.attempts.length,
    });
  }

  get counts(): ExportCounts {
    return this.#exporter.counts;
  }

  /** A call has arrived. `traceparent` is the header as sent, empty if there was none. */
  begun(id: string, request: { method: string; route: string; traceparent: string }): void {
    const { method, route, traceparent } = request;
    const origin = { method, route, parent: parseTraceParent(traceparent) };
    if (this.#isWanted(origin)) this.#running.set(id, { origin, facts: undefined });
  }

  /** A provider has answered a call. `facts` is asked if the call is traced. */
  answered(id: string, facts: () => ReplyFacts): void {
    const running = this.#running.get(id);
    if (running !== undefined) running.facts = facts();
  }

  /** Nothing is left to do for a call, whether it was recorded or not. */
  over(id: string): void {
    this.#running.delete(id);
  }

  /** A call was recorded; its spans are sent in a moment, if its trace is wanted. Never throws. */
  recorded(call: CallRecord): void {
    const running = this.#running.get(call.id);
    if (running !== undefined) this.#exporter.offer({ call, ...running });
  }

  /** Sends what is left, within a few seconds. */
  close(): Promise<void> {
    return this.#exporter.close();
  }

  /** A caller that traces decides for its whole trace; one that does not leaves it to chance. */
  #isWanted({ parent }: CallOrigin): boolean {
    if (parent !== undefined) return parent.sampled;
    const { sampleRatio } = this.#options.config;
    if (sampleRatio >= 1) return true;
    if (sampleRatio <= 0) return false;
    const bytes = this.#options.random.bytes(UNIFORM_BYTES);
    return Buffer.from(bytes).readUIntBE(0, UNIFORM_BYTES) / 2 ** (8 * UNIFORM_BYTES) < sampleRatio;
  }
}
