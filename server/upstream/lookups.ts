import { lookup as systemLookup, Resolver } from "node:dns";
import { HOUR_MS } from "../core/durations.js";
import type { Clock, Timer } from "../core/clock.js";
import type { OnResolved, Resolve, ResolvedAddress } from "./url-policy.js";

/** So long whoever connects waits for an answer before the last one will do, or name servers are asked past the system. */
const PATIENCE_MS = 1_000;
/** An older answer says nothing. */
const REMEMBERED_MS = HOUR_MS;
/** Names whose last answer is remembered; of more, the one that was asked for the longest ago is forgotten. */
const NAMES_MAX = 4_096;
/** Names that the system is asked for at a time: so many threads does Node have for it. */
const ASKED_MAX = 2;
/** How long a name server that is asked past the system may take, each time that it is. */
const SERVER_TIMEOUT_MS = 2_000;
const SERVER_TRIES = 2;
/** Connections that wait for one name; more fail at once. */
const WAITING_MAX = 8_192;
/** Codes for a look-up that nobody answered, or that this host could not make, which says nothing about the name. */
const UNANSWERED: ReadonlySet<string> = new Set([
  "EAI_AGAIN",
  "EAI_FAIL",
  "ETIMEOUT",
  "ESERVFAIL",
  "EMFILE",
  "ENFILE",
]);

type Said = Parameters<OnResolved>;

interface Answer {
  readonly addresses: readonly ResolvedAddress[];
  /** Monotonic. */
  readonly atMs: number;
}

/** A name that is being asked for. */
interface Question {
  readonly hostname: string;
  readonly waiting: Set<OnResolved>;
  /** Until name servers are asked past the system. */
  readonly timer: Timer;
  /** They have answered; that of the system is still to come. */
  isAnswered: boolean;
}

/**
 * The system's resolver, for names of which some may not be answered for. Node has two threads to ask it with: two names
 * that hang, or one that many connections want, keep all others from being looked up. So a name is asked for once at a
 * time, and where the answer takes long the last one will do, or that of the name servers themselves, whom to ask takes
 * no thread. What they cannot know, as names of the hosts file, keeps its turn with the system; what they do not answer
 * either gives it up. So whoever names dead servers harms no provider.
 */
export class Lookups {
  readonly #clock: Clock;
  readonly #lookUp: Resolve;
  readonly #askServers: Resolve;
  readonly #questions = new Map<string, Question>();
  /** Those that the system is not asked yet, the first in turn first. */
  readonly #queue = new Set<Question>();
  readonly #answers = new Map<string, Answer>();
  #asked = 0;

  constructor(options: {
    readonly clock: Clock;
    readonly lookUp?: Resolve;
    readonly askServers?: Resolve;
  }) {
    this.#clock = options.clock;
    this.#lookUp = options.lookUp ?? lookUpWithSystem;
    this.#askServers = options.askServers ?? askNameServers;
  }

  readonly resolve: Resolve = (hostname, done) => {
    const { waiting, isAnswered } = this.#questions.get(hostname) ?? this.#begin(hostname);
    if (waiting.size >= WAITING_MAX) {
      done(Object.assign(new Error("too many wait for this name"), { code: "EBUSY" }), []);
      return;
    }
    const last = this.#lastOf(hostname);
    if (isAnswered && last !== undefined) {
      done(null, last);
      return;
    }
    let timer: Timer | undefined;
    const once: OnResolved = (error, addresses) => {
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
    this.#askNext();
  };

  #begin(hostname: string): Question {
    const timer = this.#clock.setTimer(() => {
      this.#askServers(hostname, (...said) => {
        this.#onServersAnswer(question, said);
      });
    }, PATIENCE_MS);
    const question: Question = { hostname, waiting: new Set(), timer, isAnswered: false };
    this.#questions.set(hostname, question);
    this.#queue.add(question);
    return question;
  }

  /** The system is asked for as many names as it may be. */
  #askNext(): void {
    for (const question of this.#queue) {
      if (this.#asked >= ASKED_MAX) return;
      this.#queue.delete(question);
      this.#asked++;
      this.#lookUp(question.hostname, (...said) => {
        this.#asked--;
        question.timer.cancel();
        this.#questions.delete(question.hostname);
        this.#tell(question, said);
        this.#askNext();
      });
    }
  }

  /** Of what they do not know the system may know, and what they do not answer is none of its turns worth. */
  #onServersAnswer(question: Question, said: Said): void {
    const [error] = said;
    if (this.#questions.get(question.hostname) !== question) return;
    const isQueued = this.#queue.has(question);
    if (error !== null && !(isQueued && isUnanswered(error))) return;
    question.isAnswered = true;
    if (this.#queue.delete(question)) this.#questions.delete(question.hostname);
    this.#tell(question, said);
  }

  #tell({ hostname, waiting }: Question, [error, addresses]: Said): void {
    if (!isUnanswered(error)) this.#remember(hostname, error === null ? addresses : []);
    for (const done of waiting) done(error, addresses);
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

/** The system's resolver, asked each time. */
export function lookUpWithSystem(hostname: string, done: OnResolved): void {
  systemLookup(hostname, { all: true }, done);
}

/** Asks the name servers that the system would ask: no thread waits for them. */
function askNameServers(hostname: string, done: OnResolved): void {
  const resolver = new Resolver({ timeout: SERVER_TIMEOUT_MS, tries: SERVER_TRIES });
  resolver.resolve4(hostname, (error, found) => {
    if (error === null) {
      done(null, addressesOf(found, 4));
    } else if (isUnanswered(error)) {
      done(error, []);
    } else {
      resolver.resolve6(hostname, (error6, found6) => {
        done(error6, error6 === null ? addressesOf(found6, 6) : []);
      });
    }
  });
}

function addressesOf(found: readonly string[], family: 4 | 6): ResolvedAddress[] {
  return found.map((address) => ({ address, family }));
}
