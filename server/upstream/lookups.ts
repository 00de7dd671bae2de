import { lookup as systemLookup } from "node:dns";
import { HOUR_MS } from "../core/durations.js";
import type { Clock, Timer } from "../core/clock.js";
import type { Resolve, ResolvedAddress } from "./url-policy.js";

/** So long whoever connects waits for an answer before the last one will do. */
const PATIENCE_MS = 1_000;
/** An older answer says nothing. */
const REMEMBERED_MS = HOUR_MS;
/** Names whose last answer is remembered; of more, the one that was asked for the longest ago is forgotten. */
const NAMES_MAX = 4_096;
/** Connections that wait for one name; more fail at once. */
const WAITING_MAX = 8_192;
/** As the system says that nobody has answered it, which says nothing of the name. */
const UNANSWERED: ReadonlySet<string> = new Set(["EAI_AGAIN", "EAI_FAIL", "ETIMEOUT"]);

type Done = Parameters<Resolve>[1];

interface Answer {
  readonly addresses: readonly ResolvedAddress[];
  /** Monotonic. */
  readonly atMs: number;
}

/**
 * The system's resolver, for names of which some may not be answered for. Node has two threads to ask it with: two names
 * that hang, or one that many connections want, keep all others from being looked up. So a name is asked for once at a
 * time, and where the answer takes long the last one will do: whoever names a dead server harms no provider in use.
 */
export class Lookups {
  readonly #clock: Clock;
  readonly #lookUp: Resolve;
  /** Who waits for a name that is being asked for. */
  readonly #waiting = new Map<string, Set<Done>>();
  readonly #answers = new Map<string, Answer>();

  constructor(options: { readonly clock: Clock; readonly lookUp?: Resolve }) {
    this.#clock = options.clock;
    this.#lookUp = options.lookUp ?? lookUpWithSystem;
  }

  readonly resolve: Resolve = (hostname, done) => {
    const waiting = this.#waiting.get(hostname) ?? new Set();
    if (waiting.size >= WAITING_MAX) {
      done(Object.assign(new Error("too many wait for this name"), { code: "EBUSY" }), []);
      return;
    }
    const last = this.#lastOf(hostname);
    let timer: Timer | undefined;
    const once: Done = (error, addresses) => {
      timer?.cancel();
      waiting.delete(once);
      if (last === undefined || !isUnanswered(error)) done(error, addresses);
      else done(null, last);
    };
    waiting.add(once);
    if (last !== undefined) {
      timer = this.#clock.setTimer(() => {
        once(null, last);
      }, PATIENCE_MS);
    }
    if (this.#waiting.get(hostname) === undefined) this.#ask(hostname, waiting);
  };

  #ask(hostname: string, waiting: Set<Done>): void {
    this.#waiting.set(hostname, waiting);
    this.#lookUp(hostname, (error, addresses) => {
      this.#waiting.delete(hostname);
      if (!isUnanswered(error)) this.#remember(hostname, error === null ? addresses : []);
      for (const done of waiting) done(error, addresses);
    });
  }

  #lastOf(hostname: string): readonly ResolvedAddress[] | undefined {
    const answer = this.#answers.get(hostname);
    const sinceMs = this.#clock.monotonic() - REMEMBERED_MS;
    return answer === undefined || answer.atMs < sinceMs ? undefined : answer.addresses;
  }

  #remember(hostname: string, addresses: readonly ResolvedAddress[]): void {
    this.#answers.delete(hostname);
    if (addresses.length === 0) return;
    this.#answers.set(hostname, { addresses, atMs: this.#clock.monotonic() });
    if (this.#answers.size <= NAMES_MAX) return;
    const [oldest = ""] = this.#answers.keys();
    this.#answers.delete(oldest);
  }
}

function isUnanswered(error: Error | null): boolean {
  return error !== null && "code" in error && UNANSWERED.has(String(error.code));
}

/** The system's, each time anew. */
export function lookUpWithSystem(...[hostname, done]: Parameters<Resolve>): void {
  systemLookup(hostname, { all: true }, done);
}
