import type { AttemptOutcome } from "../core/call.js";
import type { Principal } from "../core/client-key.js";
import { type Fault, toFault } from "../core/fault.js";
import type { Secret } from "../core/secret.js";
import { CODECS } from "../dialect/codecs.js";
import type { UpstreamFailure } from "../upstream/failure.js";
import { queryWithoutKey } from "./admit.js";
import { Attempt, type AttemptFailure, type AttemptListener } from "./attempt.js";
import { requestFor } from "./attempt-request.js";
import type { CallBook } from "./call-book.js";
import { bodyFor, type CallPlan } from "./call-plan.js";
import type { GatewayContext } from "./context.js";
import { Failover } from "./failover.js";
import type { Match } from "./match.js";
import type { Lease } from "./ports.js";
import type { Relay } from "./relay.js";
import type { ReplyHead } from "./reply-head.js";
import type { RequestHead } from "./request-head.js";

/** Hears what came of the trials. One of the first three begins an answer, or one of the next two ends the call. */
export interface TrialsListener {
  onReply(head: ReplyHead, body: Buffer): void;
  /** `usageAsked`: the stream's usage was asked for by us. */
  onStream(head: ReplyHead, usageAsked: boolean): Relay;
  /** Nothing served the call: the failure that says most, and why no further key could be tried. */
  onExhausted(failure: AttemptFailure | undefined, poolFault: Fault | undefined): void;
  /** No key can serve any call now. */
  onBlocked(fault: Fault): void;
  onBug(thrown: unknown): void;
  onStreamEnd(): void;
  onStreamCut(failure: UpstreamFailure): void;
}

export interface TrialsOptions {
  readonly context: GatewayContext;
  readonly id: string;
  readonly match: Match;
  readonly head: RequestHead;
  readonly query: string;
  readonly plan: CallPlan;
  readonly principal: Principal;
  readonly book: CallBook;
  readonly listener: TrialsListener;
}

/** Tries provider keys for one call, one after the other, until one serves it or enough was tried. */
export class Trials implements AttemptListener {
  readonly #options: Omit<TrialsOptions, "plan">;
  readonly #failover: Failover;
  /** Undefined once nothing more will be tried. */
  #plan: CallPlan | undefined;
  #attempt: Attempt | undefined;
  #leaveRoom: (() => void) | undefined;

  constructor(options: TrialsOptions) {
    this.#options = options;
    this.#plan = options.plan;
    this.#failover = new Failover(options.context.limits);
  }

  /** Of the present attempt; null before its head came. */
  get httpStatus(): number | null {
    return this.#attempt?.httpStatus ?? null;
  }

  /** Tries the next key. */
  next(): void {
    const { context, principal, book, listener } = this.#options;
    const plan = this.#plan;
    if (plan === undefined) return;
    if (!this.#failover.mayGoOn(book.elapsedMs())) {
      listener.onExhausted(this.#failover.failure, undefined);
      return;
    }
    let lease: Lease;
    try {
      const { tried } = this.#failover;
      const { route, affinity } = plan;
      lease = context.pool.lease({ principal, route, tried, affinity });
    } catch (thrown) {
      const fault = toFault(thrown);
      if (!this.#waitForKey(plan, fault)) listener.onExhausted(this.#failover.failure, fault);
      return;
    }
    this.#failover.begin();
    book.openLease(lease);
    this.#open(lease);
  }

  /** A key that will be back in a moment is better than a refusal. */
  #waitForKey(plan: CallPlan, fault: Fault): boolean {
    if (fault.code !== "no_public_token" && fault.code !== "no_own_token") return false;
    const { context, principal, id, book, listener } = this.#options;
    const backMs = context.pool.waitMs(principal, plan.route);
    if (backMs === null) return false;
    const jitter = (id.charCodeAt(id.length - 1) % 32) / 32;
    const waitMs = this.#failover.wait(backMs, book.elapsedMs(), jitter);
    if (waitMs === undefined) return false;
    this.#leaveRoom = context.waitingRoom.enter(waitMs, () => {
      try {
        this.next();
      } catch (thrown) {
        listener.onBug(thrown);
      }
    });
    return this.#leaveRoom !== undefined;
  }

  /** Gives up what is under way. Harmless when nothing is. */
  abort(outcome: AttemptOutcome, detail: string): void {
    this.settle();
    this.#attempt?.abort();
    this.#options.book.closeLease({
      outcome,
      httpStatus: this.httpStatus,
      retryAfterMs: null,
      detail,
    });
  }

  /** The reply has begun: nothing is tried again, and a long stream must not hold its request in memory. */
  settle(): void {
    this.#plan = undefined;
    this.#leaveRoom?.();
    this.#options.head.forward.length = 0;
    this.#attempt?.flight?.forgetRequest();
  }

  /** The caller takes more again. */
  resume(): void {
    this.#attempt?.resume();
  }

  /** The first events of a stream say that the call failed. */
  refuseOpening(events: Buffer): void {
    this.#attempt?.refuseOpening(events);
  }

  /** Opens the secret, which is synchronous but for a key's first call. */
  #open(lease: Lease): void {
    const { upstream, secrets } = this.#options.context;
    try {
      const { url } = upstream.target(lease.target.provider.baseUrl);
      const secret = secrets.open(lease.providerKey, url.origin);
      if (secret instanceof Promise) this.#sendWhenOpen(lease, secret);
      else this.#send(lease, secret, true);
    } catch (thrown) {
      this.#unusable(lease, toFault(thrown));
    }
  }

  #sendWhenOpen(lease: Lease, opening: Promise<Secret>): void {
    const send = (secret: Secret): void => {
      try {
        this.#send(lease, secret, true);
      } catch (thrown) {
        this.onBug(thrown);
      }
    };
    opening.then(send, (thrown: unknown) => {
      this.#unusable(lease, toFault(thrown));
    });
  }

  /** A row that cannot be opened, or an address that is not allowed, must not stop other keys. A locked vault stops all. */
  #unusable(lease: Lease, fault: Fault): void {
    const { context, book, id, listener } = this.#options;
    if (this.#plan === undefined) return;
    const elsewhere = fault.code === "secret_unreadable" || fault.code === "base_url_not_allowed";
    const failure: AttemptFailure = {
      outcome: "UNREACHABLE",
      elsewhere,
      httpStatus: null,
      retryAfterMs: null,
      detail: fault.publicMessage,
      kind: "REFUSED_URL",
      reply: undefined,
    };
    const providerKey = lease.providerKey.id;
    context.logger.warn({ call: id, providerKey, err: fault }, "provider key cannot be used");
    if (fault.code === "secret_unreadable") context.pool.markUnreadable(providerKey);
    book.closeLease(failure);
    if (!elsewhere) {
      listener.onBlocked(fault);
      return;
    }
    this.#failover.failed(providerKey, failure);
    this.next();
  }

  #send(lease: Lease, secret: Secret, askUsage: boolean): void {
    const { context, match, head, query, book } = this.#options;
    const { upstream, usageOption, paths, limits, clock } = context;
    const plan = this.#plan;
    if (plan === undefined) return;
    const { target } = lease;
    const body = bodyFor(plan, match, target, askUsage && usageOption.asks(target.provider));
    const attempt = new Attempt({
      lease,
      secret,
      usageAsked: body.usageAsked,
      streamed: plan.streamed,
      json: match.endpoint.form !== "OTHER",
      codec: CODECS[match.endpoint.dialect],
      dropLimits: (book.ticket?.headers.length ?? 0) > 0,
      limits,
      now: () => clock.now(),
      listener: this,
    });
    this.#attempt = attempt;
    const request = requestFor({
      plan,
      match,
      head,
      query: queryWithoutKey(query),
      target,
      secret,
      body,
      paths,
      limits,
    });
    attempt.flight = upstream.send(upstream.target(target.provider.baseUrl), request, attempt);
  }

  // What an attempt tells.

  onRefused(attempt: Attempt, failure: AttemptFailure): void {
    const { book, listener } = this.#options;
    if (book.closed || this.#plan === undefined) return;
    try {
      if (this.#refusesUsageOption(attempt, failure)) return;
      book.closeLease(failure);
      this.#failover.failed(attempt.options.lease.providerKey.id, failure);
      if (failure.elsewhere || this.#livesElsewhere(failure)) this.next();
      else listener.onExhausted(failure, undefined);
    } catch (thrown) {
      listener.onBug(thrown);
    }
  }

  /** What has an id belongs to the account that made it, and each key may be of another. */
  #livesElsewhere(failure: AttemptFailure): boolean {
    return failure.httpStatus === 404 && this.#options.match.id !== "";
  }

  /** A provider that does not know the option which we added is asked again without it. */
  #refusesUsageOption(attempt: Attempt, failure: AttemptFailure): boolean {
    const { lease, secret, usageAsked } = attempt.options;
    if (!usageAsked || failure.httpStatus !== 400) return false;
    if (!/stream_options|include_usage/.test(failure.reply?.body ?? failure.detail)) return false;
    this.#options.context.usageOption.refusedBy(lease.target.provider);
    this.#send(lease, secret, false);
    return true;
  }

  onReply(_attempt: Attempt, head: ReplyHead, body: Buffer): void {
    this.#options.listener.onReply(head, body);
  }

  onStream(attempt: Attempt, head: ReplyHead): Relay {
    return this.#options.listener.onStream(head, attempt.options.usageAsked);
  }

  onStreamEnd(): void {
    this.#options.listener.onStreamEnd();
  }

  onStreamCut(_attempt: Attempt, failure: UpstreamFailure): void {
    this.#options.listener.onStreamCut(failure);
  }

  onBug(thrown: unknown): void {
    this.#options.listener.onBug(thrown);
  }
}
