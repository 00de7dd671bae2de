import type { IncomingMessage, ServerResponse } from "node:http";
import type { Fault } from "../core/fault.js";
import { CODECS } from "../dialect/codecs.js";
import { UsageStripper } from "../dialect/usage-strip.js";
import type { Endpoint } from "./endpoints.js";
import type { GatewayLimits } from "./limits.js";
import type { Ticket } from "./ports.js";
import { Relay, type RelayListener } from "./relay.js";
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

  /** A provider's whole reply, byte for byte. */
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

  /** A provider's stream. `usageAsked`: its usage was asked for by us and does not go on. */
  stream(head: ReplyHead, usageAsked: boolean, listener: RelayListener): Relay {
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
      form: endpoint.form,
      events,
      eventBytesMax: limits.eventBytesMax,
      strip: usageAsked && events ? new UsageStripper() : undefined,
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
    return [...head.forward, REQUEST_ID_HEADER, this.#options.id, ...this.#ticketHeaders()];
  }

  #ticketHeaders(): readonly string[] {
    const headers = this.ticket?.headers;
    return headers === undefined || headers.length === 0 ? [] : headers.flat();
  }
}
