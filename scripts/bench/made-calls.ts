import { type Attempt, type CallRecord, NO_TOKENS } from "../../server/core/call.js";
import { IdSource } from "../../server/core/ids.js";
import type { Dialect } from "../../server/core/provider.js";

/** How many of each there are, in proportions of an installation of some hundred people. */
export const CLIENT_KEYS = 400;
export const OWNERS = 120;
export const PROVIDER_KEYS = 60;
export const PROVIDERS = 8;
const MODELS = 40;
/** A caller uses few of the models and is served by few of the provider keys. */
const MODELS_PER_CLIENT_KEY = 4;
const PROVIDER_KEYS_PER_MODEL = 3;
const ERROR_SHARE = 0.03;
const RETRY_SHARE = 0.04;

const DIALECTS: readonly (readonly [Dialect, string])[] = [
  ["OPENAI", "/v1/chat/completions"],
  ["OPENAI", "/v1/responses"],
  ["ANTHROPIC", "/v1/messages"],
  ["GEMINI", "/v1beta/models/generateContent"],
];

/** Makes the same plausible calls for the same seed, evenly over a stretch of time, oldest first. */
export class MadeCalls {
  readonly #random: () => number;
  readonly #ids: IdSource;
  #nowMs = 0;

  constructor(seed: number) {
    this.#random = pseudoRandom(seed);
    this.#ids = new IdSource({
      clock: { now: () => this.#nowMs, monotonic: () => this.#nowMs, setTimer: noTimer },
      random: { bytes: (count) => this.#bytes(count) },
    });
  }

  /** A call that began at `startedAt`, milliseconds since the epoch; times must not fall. */
  next(startedAt: number): CallRecord {
    const random = this.#random;
    this.#nowMs = Math.floor(startedAt);
    // The square makes a few keys do most of the work, as people do.
    const client = Math.floor(random() ** 2 * CLIENT_KEYS);
    const model = (client * 7 + Math.floor(random() ** 2 * MODELS_PER_CLIENT_KEY)) % MODELS;
    const providerKey =
      (model * PROVIDER_KEYS_PER_MODEL + Math.floor(random() * PROVIDER_KEYS_PER_MODEL)) %
      PROVIDER_KEYS;
    const failed = random() < ERROR_SHARE;
    const [dialect, endpoint] = DIALECTS[model % DIALECTS.length] ?? ["OPENAI", "/"];
    const latencyMs = 200 + Math.floor(random() ** 3 * 20_000);
    const input = 50 + Math.floor(random() ** 3 * 20_000);
    const output = Math.floor(random() ** 2 * 2_000);
    return {
      id: this.#ids.next("call"),
      startedAt: this.#nowMs,
      clientKeyId: clientKeyId(client),
      clientKeyKind: client % 10 === 0 ? "SUPER" : "STANDARD",
      ownerId: ownerId(client % OWNERS),
      providerKeyId: providerKeyId(providerKey),
      providerId: providerId(providerKey % PROVIDERS),
      modelAsked: modelName(model),
      modelServed: modelName(model),
      endpoint,
      dialect,
      streamed: random() < 0.7,
      status: failed ? "ERROR" : "SUCCESS",
      httpStatus: failed ? 502 : 200,
      errorCode: failed ? "upstream_unreachable" : null,
      errorMessage: failed ? "The provider could not be reached: connection reset." : null,
      latencyMs,
      ttfbMs: failed ? null : Math.floor(latencyMs / 4),
      requestBytes: 300 + input * 4,
      responseBytes: 200 + output * 5,
      tokens: failed
        ? NO_TOKENS
        : { input, output, cacheRead: Math.floor(input / 2), cacheWrite: 0, reasoning: 0 },
      costMicros: failed || model === 0 ? null : input * 2 + output * 10,
      usageSource: failed ? "NONE" : "PROVIDER",
      ip: `10.${client % 200}.4.${client % 250}`,
      attempts: this.#attempts(providerKey, latencyMs, failed),
    };
  }

  #attempts(providerKey: number, latencyMs: number, failed: boolean): Attempt[] {
    const attempt = (key: number, part: Partial<Attempt>): Attempt => ({
      providerKeyId: providerKeyId(key),
      providerId: providerId(key % PROVIDERS),
      startedMs: 1,
      durationMs: latencyMs,
      httpStatus: 200,
      outcome: "OK",
      detail: "",
      ...part,
    });
    const last = attempt(
      providerKey,
      failed ? { httpStatus: null, outcome: "UNREACHABLE", detail: "connection reset" } : {},
    );
    if (this.#random() >= RETRY_SHARE) return [last];
    const first = attempt((providerKey + 1) % PROVIDER_KEYS, {
      durationMs: 150,
      httpStatus: 429,
      outcome: "RATE_LIMITED",
      detail: "rate limit reached",
    });
    return [first, last];
  }

  #bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => Math.floor(this.#random() * 256));
  }
}

/** The id of a client key by its number; lower numbers have more calls. */
export const clientKeyId = kept((number) => `ck_${padded(number)}`);
/** The id of a provider key by its number. */
export const providerKeyId = kept((number) => `pk_${padded(number)}`);
/** The id of an owner by its number. */
export const ownerId = kept((number) => `usr_${padded(number)}`);
/** The id of a provider by its number. */
export const providerId = kept((number) => `prv_${padded(number)}`);
/** The name of a model by its number. */
export const modelName = kept((number) => `model-${String(number).padStart(2, "0")}-2026`);

/** One text for each number, as a server has one for each of its records. */
function kept(textOf: (number: number) => string): (number: number) => string {
  const texts = new Map<number, string>();
  return (number) => {
    let text = texts.get(number);
    if (text === undefined) texts.set(number, (text = textOf(number)));
    return text;
  };
}

function padded(number: number): string {
  return String(number).padStart(26, "0");
}

/** Mulberry32: small, quick, and the same everywhere. */
function pseudoRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function noTimer(): never {
  throw new Error("ids set no timers");
}
