import type { Holder } from "../core/client-key.js";
import { heaviestKey } from "../core/heaviest.js";

/** A connection whose caller has more to read than it takes. */
export interface UnreadAnswer {
  /** Whose it is. */
  readonly holder: Holder;
  /** Ends the connection and drops what waits on it. */
  giveUp(): void;
}

/**
 * The answers that callers have not read yet. They take memory for as long as their callers like, so there is a bound:
 * beyond it the user with most of them loses the oldest one of the client key that has most. What one user leaves unread
 * must not take the room of others.
 */
export class UnreadAnswers {
  readonly #bytesMax: number;
  /** Each with its bytes, the oldest first. */
  readonly #answers = new Map<UnreadAnswer, number>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** So many bytes wait on a connection now, instead of what was said before. */
  set(answer: UnreadAnswer, bytes: number): void {
    this.#bytes += bytes - (this.#answers.get(answer) ?? 0);
    this.#answers.set(answer, bytes);
    while (this.#bytes > this.#bytesMax && this.#giveUpOne());
  }

  /** Its caller has read it, or is gone. */
  delete(answer: UnreadAnswer): void {
    const bytes = this.#answers.get(answer);
    if (bytes === undefined) return;
    this.#answers.delete(answer);
    this.#bytes -= bytes;
  }

  #giveUpOne(): boolean {
    const keyId = heaviestKey(this.#answers, ({ holder }) => holder);
    for (const answer of this.#answers.keys()) {
      if (answer.holder.clientKey.id !== keyId) continue;
      this.delete(answer);
      answer.giveUp();
      return true;
    }
    return false;
  }
}
