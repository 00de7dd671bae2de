import type { AttemptOutcome, TokenUsage } from "../core/call.js";
import type { Principal } from "../core/client-key.js";
import { type Fault, toFault } from "../core/fault.js";
import type { Lease } from "../core/lease.js";
import type { RouteTarget } from "../core/provider.js";
import type { Secret } from "../core/secret.js";
import { NAMED } from "../dialect/kept-ids.js";
import type { CallInput } from "../dialect/translate/translator.js";
import type { UpstreamFailure } from "../upstream/failure.js";
import { withOwnResults } from "../dialect/batch-results.js";
import { queryWithoutKey } from "./admit.js";
import { Attempt } from "./attempt.js";
import type { AttemptListener } from "./attempt-options.js";
import { type AttemptFailure, backIn, refusesUsageOption, unusable } from "./attempt-failure.js";
import { requestFor } from "./attempt-request.js";
import { batchShown, makesBatch, whenKept, whenRemovable } from "./batch-calls.js";
import type { CallBook } from "./call-book.js";
import { asArray, bodyFor, type BodyInput, type CallPlan, type TargetBody } from "./call-plan.js";
import type { GatewayContext } from "./context.js";
import { Failover } from "./failover.js";
import type { Match } from "./match.js";
import { ProviderTask } from "./provider-task.js";
import type { Relay, StreamSource } from "./relay.js";
import { filesMissing, ReplyFiles } from "./reply-files.js";
import type { ReplyHead } from "./reply-head.js";
import type { RequestHead } from "./request-head.js";
import { lacksPath } from "./passages.js";
import { CallThing } from "./thing.js";
import type { TrialsListener } from "./trials-listener.js";

export interface TrialsOptions {
  readonly context: GatewayContext;
  readonly id: string;
  readonly match: Match;
  readonly head: RequestHead;
  readonly query: string;
  /** Where the call comes from. */
  readonly ip: string;
  /** How the caller reaches this server, where that matters. */
  readonly origin: string | undefined;
  readonly principal: Principal;
  readonly book: CallBook;
  readonly listener: TrialsListener;
}

/** Ways of asking that one key may refuse. */
const OTHERWISE_MAX = 3;

/** Tries provider keys for one call, one after the other, until one serves it or enough was tried. */
export class Trials implements AttemptListener {
  readonly #options: TrialsOptions;
  readonly #failover: Failover;
  /** Since the begin of the call: it may have come slowly, or have waited for its turn. */
  readonly #begunMs: number;
  /** With the request's body; undefined once nothing more will be tried. */
  #plan: CallPlan | undefined;
  #attempt: Attempt | undefined;
  #leaveRoom: (() => void) | undefined;
  /** How often the lent key was asked in another way. */
  #otherwise = 0;
  /** What the call is about or goes on from, in a provider's account. */
  readonly #thing: CallThing;
  #relay: Relay | undefined;
  /** What the lent key's provider has begun for this call. */
  #task: ProviderTask | undefined;
  /** What the reply names and the answer has to hold. */
  #files: ReplyFiles | undefined;

  constructor(options: TrialsOptions, plan: CallPlan) {
    this.#options = options;
    this.#plan = plan;
    this.#thing = new CallThing(options, plan);
    this.#failover = new Failover(options.context.limits, options.context.pool);
    this.#begunMs = options.book.elapsedMs();
  }

  /** Of the present attempt; null before its head came. */
  get httpStatus(): number | null {
    return this.#attempt?.httpStatus ?? null;
  }

  /** Tries the first key; with a call that removes a batch and its results, once what that used is known. */
  begin(): void {
    whenRemovable(this.#options, () => {
      this.next();
    });
  }

  /** Tries the next key. */
  next(): void {
    const { context, principal, book } = this.#options;
    const endpoint = this.#options.match.endpoint.path;
    const plan = this.#plan;
    if (plan === undefined) return;
    const { home } = this.#thing;
    if (!this.#failover.mayGoOn(this.#elapsedMs())) {
      this.#giveUp(plan, home, undefined);
      return;
    }
    let lease: Lease;
    try {
      const { tried } = this.#failover;
      const { route, affinity } = plan;
      lease = context.pool.lease({ principal, route, tried, affinity, home, endpoint });
    } catch (thrown) {
      const fault = toFault(thrown);
      if (!this.#waitForKey(plan, home, fault)) this.#giveUp(plan, home, fault);
      return;
    }
    this.#failover.begin();
    this.#task = undefined;
    this.#otherwise = 0;
    book.openLease(lease);
    this.#open(lease);
  }

  /** When to come back is for the pool to say, which knows the limits of all keys and not the last one's alone. */
  #giveUp(plan: CallPlan, home: string, fault: Fault | undefined): void {
    const { context, principal, listener } = this.#options;
    const { failure } = this.#failover;
    const isLimited = failure?.outcome === "RATE_LIMITED";
    const backMs = isLimited ? context.pool.waitMs(principal, plan.route, home) : null;
    listener.onExhausted(isLimited && backMs !== null ? backIn(failure, backMs) : failure, fault);
  }

  /** Milliseconds since the first key was looked for. */
  #elapsedMs(): number {
    return this.#options.book.elapsedMs() - this.#begunMs;
  }

  /** A key that will be back in a moment is better than a refusal. */
  #waitForKey(plan: CallPlan, home: string, fault: Fault): boolean {
    if (fault.code !== "no_public_token" && fault.code !== "no_own_token") return false;
    const { context, principal, id, listener } = this.#options;
    const backMs = context.pool.waitMs(principal, plan.route, home, this.#failover.refused);
    if (backMs === null) return false;
    const jitter = (id.charCodeAt(id.length - 1) % 32) / 32;
    const waitMs = this.#failover.wait(backMs, this.#elapsedMs(), jitter);
    if (waitMs === undefined) return false;
    this.#leaveRoom = context.waitingRoom.enter(principal, waitMs, () => {
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
    if (makesBatch(this.#options, this.#attempt)) {
      this.#plan = undefined;
    } else {
      this.settle();
      this.#attempt?.abort();
    }
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
    this.#task?.leave();
    this.#files?.leave();
    this.#options.head.forward.clear();
    this.#attempt?.flight?.forgetRequest();
  }

  /** The first events of a stream say that the call failed. False where no other key would do better. */
  refuseOpening(error: string): boolean {
    return this.#attempt?.refuseOpening(error) === true;
  }

  /** A stream that had begun said that the call failed: the key hears of it as of any failure. */
  failedInside(error: string): void {
    const failure = this.#attempt?.failedInside(error);
    if (failure !== undefined) this.#options.book.closeLease(failure);
  }

  /** Opens the secret, which is synchronous but for a key's first call. */
  #open(lease: Lease): void {
    const { upstream, secrets } = this.#options.context;
    try {
      const { url } = upstream.target(lease.target.provider.baseUrl);
      const secret = secrets.open(lease.providerKey, url.origin);
      if (secret instanceof Promise) this.#sendWhenOpen(lease, secret);
      else this.#send(lease, secret);
    } catch (thrown) {
      this.#unusable(lease, toFault(thrown));
    }
  }

  #sendWhenOpen(lease: Lease, opening: Promise<Secret>): void {
    const send = (secret: Secret): void => {
      try {
        this.#send(lease, secret);
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
    const failure = unusable(fault.publicMessage, elsewhere);
    const providerKey = lease.providerKey.id;
    context.logger.warn({ call: id, providerKey, err: fault }, "provider key cannot be used");
    if (fault.code === "secret_unreadable") context.pool.markUnreadable(providerKey);
    book.closeLease(failure);
    if (!elsewhere) {
      listener.onBlocked(fault);
      return;
    }
    this.#failover.failed(lease, failure);
    this.next();
  }

  #send(lease: Lease, secret: Secret): void {
    const { context, id, match, head, query, principal, book } = this.#options;
    const { upstream, usageOption, paths, limits } = context;
    const plan = this.#plan;
    if (plan === undefined) return;
    const { target } = lease;
    const passage = context.passages.to(match.endpoint, target, plan.streamed);
    if (passage === undefined) throw new Error("a target was leased that cannot serve the call");
    const asksUsage = usageOption.asks(target.provider);
    const body = this.#bodyFor({
      plan,
      match,
      passage,
      target,
      asksUsage,
      call: () => this.#callInput(plan),
    });
    if (body === undefined) return;
    const translated = body.translation !== undefined;
    const attempt = new Attempt({
      lease,
      secret,
      id,
      endpoint: match.endpoint,
      passage,
      translation: body.translation,
      usageAsked: body.usageAsked,
      streamed: plan.streamed,
      asksEvents: plan.streamed && (translated || !asArray(match.endpoint, query)),
      dropLimits: (book.ticket?.headers ?? "") !== "",
      context,
      holder: principal,
      listener: this,
    });
    this.#attempt = attempt;
    const request = requestFor({
      plan,
      match,
      head,
      query: queryWithoutKey(query),
      target,
      passage,
      secret,
      body,
      paths,
      limits,
      holder: principal,
    });
    attempt.flight = upstream.send(upstream.target(target.provider.baseUrl), request, attempt);
  }

  /**
   * What cannot be said in one provider's language may do in another's: undefined when the call went on
   * there, or ended.
   */
  #bodyFor(input: BodyInput): TargetBody | undefined {
    const { context, id, book, listener } = this.#options;
    const { plan, target } = input;
    try {
      const body = bodyFor(input);
      const dropped = body.translation?.dropped ?? [];
      if (dropped.length > 0) context.logger.debug({ call: id, dropped }, "lost in translation");
      return body;
    } catch (thrown) {
      const fault = toFault(thrown);
      const { dialect } = target.provider;
      const detail = fault.publicMessage;
      book.closeLease({ outcome: "CALLER_ABORTED", httpStatus: null, retryAfterMs: null, detail });
      const isUntranslatable = fault.code === "untranslatable";
      if (isUntranslatable && this.#keepTo(plan, (each) => each.provider.dialect !== dialect)) {
        this.next();
      } else {
        listener.onBlocked(fault);
      }
      return undefined;
    }
  }

  /** Tries only a part of the route from now on; false when nothing is left of it. */
  #keepTo(plan: CallPlan, isKept: (target: RouteTarget) => boolean): boolean {
    const targets = plan.route.targets.filter(isKept);
    if (targets.length > 0) this.#plan = { ...plan, route: { ...plan.route, targets } };
    return targets.length > 0;
  }

  /** What a translator wants to know of the call besides its body. */
  #callInput({ streamed, modelAsked }: CallPlan): CallInput {
    const { context, id, match, query, principal } = this.#options;
    const nowSeconds = Math.floor(context.clock.now() / 1000);
    const isResponses = match.endpoint.names === NAMED.responses;
    return {
      id,
      nowSeconds,
      streamed,
      modelAsked,
      asArray: asArray(match.endpoint, query),
      memory: isResponses ? context.responses.of(principal) : undefined,
    };
  }

  // What an attempt tells.

  onRefused(attempt: Attempt, failure: AttemptFailure): void {
    const { book, listener, match } = this.#options;
    const { lease } = attempt.options;
    const plan = this.#plan;
    if (book.closed || plan === undefined) return;
    try {
      if (this.#task?.asksAgain(attempt, failure) === true) return;
      if (this.#asksOtherwise(attempt, failure)) return;
      book.closeLease(failure);
      listener.onAttemptFailed();
      this.#failover.failed(lease, failure);
      const livesElsewhere = this.#thing.livesElsewhere(failure, plan);
      const { target } = lease;
      const isGone = this.#failover.isRefused(target) || lacksPath(match, failure);
      const goesOn = isGone
        ? this.#keepTo(plan, (each) => each !== target)
        : failure.elsewhere || livesElsewhere;
      if (!isGone && this.#failover.failsOften(target)) {
        this.#keepTo(plan, ({ provider }) => provider.id !== target.provider.id);
      }
      if (goesOn) this.next();
      else listener.onExhausted(isGone ? this.#failover.failure : failure, undefined);
    } catch (thrown) {
      listener.onBug(thrown);
    }
  }

  /** A provider that does not know the option which we added, or the form, is asked again in another way. */
  #asksOtherwise(attempt: Attempt, failure: AttemptFailure): boolean {
    const { context, match } = this.#options;
    const { lease, secret } = attempt.options;
    if (this.#otherwise >= OTHERWISE_MAX) return false;
    this.#otherwise++;
    if (attempt.options.usageAsked && refusesUsageOption(failure)) {
      context.usageOption.refusedBy(lease.target.provider);
      this.#send(lease, secret);
      return true;
    }
    const asked = attempt.options.passage.form;
    if (!context.passages.learn(match.endpoint, lease.target, { asked, failure })) return false;
    this.#send(lease, secret);
    return true;
  }

  onFollowUp(attempt: Attempt, path: string): void {
    const { context, book, listener } = this.#options;
    this.#task = new ProviderTask({
      context,
      book,
      path,
      onAsked: (question) => {
        this.#attempt = question;
      },
      onTooLong: (failure) => {
        listener.onExhausted(failure, undefined);
      },
      onBug: (thrown) => {
        listener.onBug(thrown);
      },
    });
    this.#task.askLater(attempt);
  }

  onFiles(
    attempt: Attempt,
    urls: readonly string[],
    use: (files: readonly Buffer[]) => void,
  ): void {
    const { context, id, book, principal, listener } = this.#options;
    this.#files?.leave();
    this.#files = new ReplyFiles({
      context,
      id,
      holder: principal,
      book,
      urls,
      onFetched: use,
      onFailed: (reason) => {
        // The key has done its part, and no other would do better.
        const { httpStatus } = attempt;
        book.closeLease({ outcome: "OK", httpStatus, retryAfterMs: null, detail: reason });
        listener.onBlocked(filesMissing(reason));
      },
      onBug: (thrown) => {
        listener.onBug(thrown);
      },
    });
    this.#files.next();
  }

  onReply(attempt: Attempt, head: ReplyHead, body: Buffer, tokens: TokenUsage | undefined): void {
    const { passage, lease, translation } = attempt.options;
    this.#options.context.passages.prove(passage, lease.target);
    if (translation === undefined) this.#thing.learnReply(attempt, body);
    const { namesResults } = this.#options.match.endpoint;
    this.#thing.learnUpload(attempt, head);
    const { listener } = this.#options;
    whenKept(this.#options, { lease, body }, () => {
      listener.onReply(head, namesResults ? withOwnResults(body) : body, tokens);
    });
  }

  onStream(attempt: Attempt, head: ReplyHead, source: StreamSource): Relay {
    this.#thing.learnUpload(attempt, head);
    const relay = this.#options.listener.onStream(head, source);
    this.#relay = relay;
    return relay;
  }

  onStreamEnd(attempt: Attempt): void {
    this.#learnStream(attempt);
    batchShown(this.#options, attempt.options.lease);
    this.#options.listener.onStreamEnd();
  }

  onStreamCut(attempt: Attempt, failure: UpstreamFailure): void {
    this.#learnStream(attempt);
    this.#options.listener.onStreamCut(failure);
  }

  #learnStream(attempt: Attempt): void {
    if (attempt.options.translation === undefined) this.#thing.learnStream(attempt, this.#relay);
  }

  onBug(thrown: unknown): void {
    this.#options.listener.onBug(thrown);
  }
}
