import type { ServerResponse } from "node:http";
import {
  CHAT_REPLY,
  chatEvents,
  type Received,
  replyCut,
  replyEvents,
  replyJson,
  type Script,
} from "./upstream-stub.js";

/** Parts of the calls that go wrong; the rest is served. */
export interface ChaosPlan {
  readonly seed: number;
  readonly deadSecret: string;
  /** Answered 429. */
  readonly limited: number;
  /** Answered 5xx, or cut before the first byte of a reply. */
  readonly failing: number;
  /** Streams that are cut after their first events. */
  readonly cutting: number;
}

/** What a chaotic provider did. */
export interface ChaosCounts {
  attempts: number;
  dead: number;
  limited: number;
  failed: number;
  cut: number;
  served: number;
  /** Most attempts that one call needed. */
  attemptsMost: number;
}

/** The body of one call, by whose number the provider draws. */
export function chaosCall(number: number, stream: boolean, model = "m"): string {
  const messages = [{ role: "user", content: `call ${String(number)}` }];
  return JSON.stringify({ model, stream, messages });
}

const EVENTS = chatEvents(["Hel", "lo", "."], true);

/**
 * Plays a provider that limits, fails and cuts at random. What becomes of an attempt follows from the seed,
 * the number of the call and that of the attempt, so a run is the same however its calls overlap.
 */
export class ChaosProvider {
  readonly #plan: ChaosPlan;
  readonly #attempts = new Map<string, number>();
  readonly counts: ChaosCounts = {
    attempts: 0,
    dead: 0,
    limited: 0,
    failed: 0,
    cut: 0,
    served: 0,
    attemptsMost: 0,
  };

  constructor(plan: ChaosPlan) {
    this.#plan = plan;
  }

  readonly script: Script = (received, res) => {
    const text = received.body.toString("utf8");
    const call = /call (\d+)/.exec(text)?.[1] ?? "0";
    const stream = text.includes('"stream":true');
    const attempt = (this.#attempts.get(call) ?? 0) + 1;
    this.#attempts.set(call, attempt);
    const { counts } = this;
    counts.attempts++;
    counts.attemptsMost = Math.max(counts.attemptsMost, attempt);
    return this.#scriptFor(received, stream, Number(call) * 100 + attempt)(received, res);
  };

  #scriptFor(received: Received, stream: boolean, number: number): Script {
    const { seed, deadSecret, limited, failing, cutting } = this.#plan;
    const { counts } = this;
    if (received.secret === deadSecret) {
      counts.dead++;
      return errorReply(401, "invalid_api_key");
    }
    const draw = uniformOf(seed, number);
    const kind = Math.floor(uniformOf(seed + 1, number) * 1000);
    if (draw < limited) {
      counts.limited++;
      return errorReply(429, "rate_limit_exceeded", pick(PACES, kind));
    }
    if (draw < limited + failing) {
      counts.failed++;
      return pick(stream ? STREAM_FAILURES : FAILURES, kind);
    }
    if (stream && draw < limited + failing + cutting) {
      counts.cut++;
      return replyCut(EVENTS.slice(0, 1 + (kind % 3)));
    }
    counts.served++;
    return stream ? replyEvents(EVENTS) : replyJson(200, CHAT_REPLY);
  }
}

/** The ways in which providers say when to come back, or do not. */
const PACES: readonly Readonly<Record<string, string>>[] = [
  { "retry-after": "1" },
  { "retry-after-ms": "150" },
  { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "250ms" },
  {},
];

const FAILURES: readonly Script[] = [
  errorReply(500, "server_error"),
  errorReply(503, "overloaded"),
  errorReply(529, "overloaded_error"),
  (_received, res) => void res.writeHead(502, { "content-type": "text/html" }).end("<html>502"),
  (_received, res) => void res.socket?.resetAndDestroy(),
  (_received, res) => {
    res.writeHead(200, { "content-type": "application/json", "content-length": "500" });
    res.write('{"id":"x"', () => void res.socket?.destroy());
  },
  errorReply(200, "inside"),
];

const STREAM_FAILURES: readonly Script[] = [
  ...FAILURES.slice(0, 5),
  (_received, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.flushHeaders();
    breakOff(res);
  },
  replyEvents(['data: {"error":{"message":"inside","code":"server_error"}}\n\n']),
];

function breakOff(res: ServerResponse): void {
  setImmediate(() => void res.socket?.destroy());
}

function errorReply(status: number, code: string, headers = {}): Script {
  const error = { message: `said ${code}`, type: code, param: null, code };
  return replyJson(status, JSON.stringify({ error }), headers);
}

function pick<T>(from: readonly T[], at: number): T {
  const found = from[at % from.length];
  if (found === undefined) throw new Error("nothing to pick from");
  return found;
}

/** A number from 0 to 1 that depends on nothing but the seed and the place. */
export function uniformOf(seed: number, place: number): number {
  let x = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(place + 1, 0x85ebca6b)) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return ((x ^ (x >>> 15)) >>> 0) / 0x1_0000_0000;
}
