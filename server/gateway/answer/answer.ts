import type { Fault } from "../../core/fault.js";
import { CODECS } from "../../dialect/codecs.js";
import type { HeaderBlock } from "../../http/header-block.js";
import type { ExchangeOptions } from "../exchange-options.js";
import type { Ticket } from "../ports.js";
import { Relay } from "../reply/relay.js";
import type { RelayListener, StreamSource } from "../reply/relay-options.js";
import {
  asksForPatience,
  jsonHeaders,
  answerFault,
  requestIdLine,
  retryAfterLine,
} from "./own-answers.js";
import { isEvents, type ReplyHead } from "../reply/reply-head.js";

/**
 * Seconds where a provider fails without a word of when to come back, and its key does not rest for it. SDKs left to
 * themselves try again within one.
 */
const UNTOLD_SECONDS = 1;

/** What an answer needs of its exchange. */
export type AnswerOptions = Pick<ExchangeOptions, "context" | "id" | "match" | "turn">;

/** The ways in which one exchange answers its caller; exactly one of them is used. */
export class Answer {
  readonly #options: AnswerOptions;
  readonly #book: { readonly ticket: Ticket | undefined };

  /** `book` has the ticket once the call is admitted; its headers go on every answer from then on. */
  constructor(options: AnswerOptions, book: { readonly ticket: Ticket | undefined }) {
    this.#options = options;
    this.#book = book;
  }

  get begun(): boolean {
    return this.#options.turn.begun;
  }

  /** Our own refusal, in the caller's dialect. */
  fault(fault: Fault, httpStatus: number): void {
    const { turn, id, match } = this.#options;
    const { dialect } = match.endpoint;
    const headers = this.#ticketLines();
    answerFault(turn, { fault, dialect, requestId: id, httpStatus, headers });
  }

  /** An answer of our own, JSON text. */
  own(body: string): void {
    const { turn, id } = this.#options;
    const headers = jsonHeaders(id);
    headers.addOwn(this.#ticketLines());
    turn.whole(200, headers, body);
  }

  /** A provider's whole reply. */
  whole(head: ReplyHead, body: Buffer | string, retryAfterSeconds?: number): void {
    const headers = this.#headers(head);
    const saysWhen = retryAfterSeconds !== undefined || asksForPatience(head.httpStatus);
    if (saysWhen && !headers.has("retry-after")) {
      headers.addOwn(retryAfterLine(retryAfterSeconds ?? UNTOLD_SECONDS));
    }
    this.#options.turn.whole(head.httpStatus, headers, body);
  }

  /** A provider's stream; the head is the caller's. */
  stream(head: ReplyHead, source: StreamSource, listener: RelayListener): Relay {
    const { turn, match, context } = this.#options;
    const events = isEvents(head);
    const headers = this.#headers(head);
    // Of elements an error may get shorter on its way, and what is edited has another length.
    const isAsItCame = !events && !source.elements && source.edit === undefined;
    const length = isAsItCame ? head.contentLength : undefined;
    return new Relay({
      turn,
      httpStatus: head.httpStatus,
      headers,
      codec: CODECS[match.endpoint.dialect],
      events,
      eventBytesMax: context.limits.eventBytesMax,
      length,
      source,
      listener,
    });
  }

  /** Ends what is complete already. */
  end(): void {
    this.#options.turn.end();
  }

  /** Closes the connection in the middle of the answer, so that nobody takes it for whole. */
  breakOff(): void {
    this.#options.turn.breakOff();
  }

  #ticketLines(): string {
    return this.#book.ticket?.headers ?? "";
  }

  #headers(head: ReplyHead): HeaderBlock {
    const headers = head.forward.copy();
    headers.addOwn(this.#ticketLines());
    headers.addOwn(requestIdLine(this.#options.id));
    return headers;
  }
}
