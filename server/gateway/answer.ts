import type { IncomingMessage, ServerResponse } from "node:http";
import type { Fault } from "../core/fault.js";
import { CODECS } from "../dialect/codecs.js";
import type { Endpoint } from "./endpoints.js";
import type { GatewayLimits } from "./limits.js";
import type { Ticket } from "./ports.js";
import { Relay, type RelayListener, type StreamSource } from "./relay.js";
import { replyFault, replyWhole, REQUEST_ID_HEADER, unreadBody } from "./reply.js";
import type { ReplyHead } from "./reply-head.js";
import type { RequestHead } from "./request-head.js";

export interface AnswerOptions {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly id: string;
  readonly head: RequestHead;
  readonly endpoint: Endpoint;
  readonly limits: GatewayLimits;
}

/** The ways in which one exchange answers its caller; exactly one of them is used. */
export class Answer {
  readonly #options: AnswerOptions;
  /** Set when the call is admitted; its headers go on every answer. */
  ticket: Ticket | undefined;

  constructor(options: AnswerOptions) {
    this.#options = options;
  }

  get begun(): boolean {
    return this.#options.res.headersSent;
  }

  /** Our own refusal, in the caller's dialect. */
  fault(fault: Fault, httpStatus: number): void {
    const { req, res, id, head, endpoint, limits } = this.#options;
    replyFault(res, {
      fault,
      dialect: endpoint.dialect,
      requestId: id,
      httpStatus,
      headers: this.#ticketHeaders(),
      ...unreadBody(req, head, limits.bodyBytesMax),
    });
  }

  /** An answer of our own, JSON text. */
  own(body: string): void {
    const { res, id } = this.#options;
    const headers = ["content-type", "application/json", REQUEST_ID_HEADER, id];
    replyWhole(res, 200, [...headers, ...this.#ticketHeaders()], body);
  }

  /** A provider's whole reply. */
  whole(head: ReplyHead, body: Buffer | string, retryAfterSeconds?: number): void {
    const { res } = this.#options;
    const headers = this.#headers(head);
    if (retryAfterSeconds !== undefined && !headers.includes("retry-after")) {
      headers.push("retry-after", String(retryAfterSeconds));
    }
    // The provider's own date goes on.
    res.sendDate = false;
    replyWhole(res, head.httpStatus, headers, body);
  }

  /** A provider's stream; the head is the caller's. */
  stream(head: ReplyHead, source: StreamSource, listener: RelayListener): Relay {
    const { res, endpoint, limits } = this.#options;
    const events = head.contentType === "text/event-stream";
    const headers = this.#headers(head);
    if (head.contentLength !== undefined && !events) {
      headers.push("content-length", String(head.contentLength));
    }
    res.sendDate = false;
    return new Relay({
      res,
      httpStatus: head.httpStatus,
      headers,
      codec: CODECS[endpoint.dialect],
      events,
      eventBytesMax: limits.eventBytesMax,
      source,
      listener,
    });
  }

  /** Ends what is complete already. */
  end(): void {
    this.#options.res.end();
  }

  /** Closes the connection in the middle of the answer, so that nobody takes it for whole. */
  breakOff(): void {
    this.#options.res.destroy();
  }

  #headers(head: ReplyHead): string[] {
    const headers = head.forward.concat(this.#ticketHeaders());
    headers.push(REQUEST_ID_HEADER, this.#options.id);
    return headers;
  }

  #ticketHeaders(): readonly string[] {
    return this.ticket?.headers ?? [];
  }
}
