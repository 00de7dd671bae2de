import { unreachable } from "../../../core/assert.js";
import type { Holder } from "../../../core/client-key.js";
import type { Clock, Timer } from "../../../core/clock.js";
import { copyInto } from "../../../core/bytes.js";
import { FairTurns } from "../../../core/fair-turns.js";
import { Fault } from "../../../core/fault.js";
import type { LongWorks } from "../../../core/long-works.js";
import type { ItemMemory } from "../kept-response.js";
import type { OwnRequest } from "../own-request.js";
import type { Forms } from "../pair.js";
import type { CallInput, TranslatedRequest } from "../request-translation.js";
import type { Target } from "../side.js";
import type { ReplyFacts } from "../translator.js";
import { beginThread, type Thread, type ThreadListener } from "./thread.js";
import {
  type Answer,
  answerFrom,
  type Done,
  type Question,
  received,
  type Reshaping,
  type Said,
  type Work,
} from "./works.js";

/** What is longer is translated by the thread. Of so much the event loop would be held for some milliseconds. */
export const LONG_BYTES_MIN = 256 * 1024;
/** So much of a text is copied in one turn of the event loop. */
const COPY_BYTES = 1024 * 1024;
/** A thread that nobody needs for so long is ended, which gives back its memory. */
const THREAD_KEPT_MS = 60_000;

const NOTHING = Buffer.alloc(0);

export interface LongTranslationsOptions {
  readonly clock: Clock;
  readonly longWorks: LongWorks;
  readonly begin?: (listener: ThreadListener) => Thread;
}

/** Hears what comes of a translation: one of both, once, in a later turn of the loop. */
export interface TranslationListener<T> {
  onTranslated(made: T): void;
  /** What the translation has thrown. */
  onFailed(thrown: unknown): void;
}

export interface LongRequest {
  readonly forms: Forms;
  readonly body: Buffer;
  readonly target: Target;
  readonly call: CallInput;
}

interface Job {
  readonly holder: Holder;
  readonly body: Buffer;
  /** `copy`: of the body. */
  readonly work: (copy: Uint8Array) => Work;
  readonly memory: ItemMemory | undefined;
  readonly end: (done: Done) => void;
  readonly fail: (thrown: unknown) => void;
  /** What its memory has thrown. */
  refusal?: unknown;
  /** Nobody waits for it any more. */
  isGivenUp: boolean;
}

/**
 * Translates long requests and replies beside the event loop, in a thread that begins with the first of them. It is told
 * one at a time; turns go round between users. What comes of it is what the translation in one go makes, to the byte: it
 * is the same code.
 */
export class LongTranslations {
  readonly #options: LongTranslationsOptions;
  readonly #waiting = new FairTurns<Job>();
  /** Is copied, or the thread works at it. */
  #job: Job | undefined;
  #thread: Thread | undefined;
  #idle: Timer | undefined;

  constructor(options: LongTranslationsOptions) {
    this.#options = options;
  }

  /** Answers how to give it up; its listener then hears nothing. */
  request(
    holder: Holder,
    { forms, body, target, call }: LongRequest,
    listener: TranslationListener<TranslatedRequest>,
  ): () => void {
    const { memory, ...rest } = call;
    const told = { ...rest, remembers: memory !== undefined };
    return this.#add({
      holder,
      body,
      work: (copy) => ({ kind: "REQUEST", forms, body: copy, target, call: told }),
      memory,
      end: (done) => {
        if (done.kind === "REQUEST") listener.onTranslated(done.made);
      },
      fail: (thrown) => {
        listener.onFailed(thrown);
      },
      isGivenUp: false,
    });
  }

  /** As above. What is to be kept of the reply is then in the call's memory. */
  reply(
    holder: Holder,
    facts: ReplyFacts,
    body: Buffer,
    listener: TranslationListener<Buffer>,
  ): () => void {
    const { forms, call, names } = facts;
    const { memory, asked, ...rest } = call;
    // What it was asked for with may be long, and stays here.
    const told = { ...rest, asked: asked && { ...asked, input: NOTHING } };
    return this.#add({
      holder,
      body,
      work: (copy) => ({
        kind: "REPLY",
        forms,
        body: copy,
        call: { ...told, remembers: memory !== undefined },
        names,
      }),
      memory,
      end: (done) => {
        if (done.kind !== "REPLY") return;
        if (done.kept !== undefined && asked !== undefined)
          memory?.keep({ ...asked, ...done.kept });
        listener.onTranslated(done.body);
      },
      fail: (thrown) => {
        listener.onFailed(thrown);
      },
      isGivenUp: false,
    });
  }

  /** As above, of a request in the provider's own language: see `changedRequest`. */
  own(
    holder: Holder,
    { body, memory, ...rest }: OwnRequest,
    listener: TranslationListener<Buffer>,
  ): () => void {
    const request = { ...rest, remembers: memory !== undefined };
    return this.#add({
      holder,
      body,
      work: (copy) => ({ kind: "OWN", body: copy, request }),
      memory,
      end: (done) => {
        if (done.kind === "OWN") listener.onTranslated(done.body);
      },
      fail: (thrown) => {
        listener.onFailed(thrown);
      },
      isGivenUp: false,
    });
  }

  /** As above, of what has another shape than it should: see `reshaped`. */
  reshape(
    holder: Holder,
    { body, ...asked }: Reshaping,
    listener: TranslationListener<Buffer | undefined>,
  ): () => void {
    return this.#add({
      holder,
      body,
      work: (copy) => ({ kind: "RESHAPING", body: copy, asked }),
      memory: undefined,
      end: (done) => {
        if (done.kind === "RESHAPING") listener.onTranslated(done.body);
      },
      fail: (thrown) => {
        listener.onFailed(thrown);
      },
      isGivenUp: false,
    });
  }

  /** Ends the thread, whatever it does. */
  async stop(): Promise<void> {
    this.#idle?.cancel();
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.end();
  }

  #add(job: Job): () => void {
    const place = this.#waiting.add(job.holder, job);
    this.#next();
    return () => {
      job.isGivenUp = true;
      this.#waiting.leave(place);
    };
  }

  #next(): void {
    if (this.#job !== undefined) return;
    const job = this.#waiting.next();
    if (job === undefined) {
      this.#rest();
      return;
    }
    this.#idle?.cancel();
    this.#job = job;
    // It gets ready while the text is copied.
    this.#thread ??= this.#begun();
    this.#thread.keepProcess(true);
    this.#copy(job);
  }

  #rest(): void {
    this.#thread?.keepProcess(false);
    this.#idle = this.#options.clock.setTimer(() => {
      void this.stop();
    }, THREAD_KEPT_MS);
  }

  /** The text stays where it is, for it may be asked for again: of another key, in another language. */
  #copy(job: Job): void {
    const { body, holder } = job;
    const copy = new Uint8Array(body.length);
    let copied = 0;
    this.#options.longWorks.add(holder, () => {
      if (this.#job !== job) return true;
      if (job.isGivenUp) {
        this.#over(job);
        return true;
      }
      copyInto(copy, copied, body.subarray(copied, copied + COPY_BYTES));
      copied += COPY_BYTES;
      if (copied < body.length) return false;
      this.#thread?.tell(job.work(copy));
      return true;
    });
  }

  #begun(): Thread {
    const { begin = beginThread } = this.#options;
    const thread = begin({
      onSaid: (said) => {
        if (this.#thread === thread) this.#hear(said);
      },
      onEnded: (thrown) => {
        if (this.#thread !== thread) return;
        this.#thread = undefined;
        if (this.#job !== undefined) this.#fail(this.#job, thrown);
      },
    });
    return thread;
  }

  #hear(said: Said): void {
    const job = this.#job;
    if (job === undefined) return;
    switch (said.kind) {
      case "ITEM":
      case "CONVERSATION":
        this.#thread?.answer(answerTo(job, said));
        break;
      case "DONE":
        this.#over(job);
        if (!job.isGivenUp) job.end(received(said.done));
        break;
      case "REFUSED": {
        const { code, publicMessage, violations } = said;
        this.#fail(job, job.refusal ?? new Fault(code, publicMessage, { violations }));
        break;
      }
      case "BUG":
        this.#fail(job, said.error);
        break;
      default:
        unreachable(said);
    }
  }

  #fail(job: Job, thrown: unknown): void {
    this.#over(job);
    if (!job.isGivenUp) job.fail(thrown);
  }

  /** The next one has its turn. */
  #over(job: Job): void {
    if (this.#job !== job) return;
    this.#job = undefined;
    this.#next();
  }
}

/** The thread waits for an answer, whatever the memory has against the question: it ends what it does where there is none. */
function answerTo(job: Job, question: Question): Answer {
  if (job.isGivenUp) return undefined;
  try {
    return answerFrom(job.memory, question);
  } catch (thrown) {
    job.refusal = thrown;
    return undefined;
  }
}
