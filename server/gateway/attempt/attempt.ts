import type { AttemptOutcome, TokenUsage } from "../../core/call.js";
import { type Fault, toFault } from "../../core/fault.js";
import type { Lease } from "../../core/lease.js";
import type { Secret } from "../../core/secret.js";
import type { WayBack } from "../../dialect/translate/translator.js";
import { withOwnResults } from "../../dialect/batch-results.js";
import type { UpstreamFailure } from "../../upstream/failure.js";
import type { UpstreamRequest } from "../../upstream/flight.js";
import type { AdmittedCall } from "../admitted-call.js";
import { type AttemptFailure, unusable } from "./attempt-failure.js";
import { batchShown, batchTold, makesBatch } from "../batch/batch-calls.js";
import { BatchNotice } from "../batch/batch-notice.js";
import type { CallPlan } from "../route/call-plan.js";
import type { Passage } from "../route/passages.js";
import { requestFor } from "./provider-request.js";
import { OtherWays } from "./other-ways.js";
import { ProviderTask } from "./provider-task.js";
import type { Relay } from "../reply/relay.js";
import type { StreamSource } from "../reply/relay-options.js";
import { filesMissing, ReplyFiles } from "../reply/reply-files.js";
import type { ReplyHead } from "../reply/reply-head.js";
import { RoundTrip } from "./round-trip.js";
import type { RoundTripListener } from "./round-trip-options.js";
import {
  asArray,
  bodyFor,
  type BodyListener,
  type LaterBody,
  type TargetBody,
} from "./target-body.js";
import type { CallThing } from "./thing.js";
import type { TrialsListener } from "./trials-listener.js";
import { toldInside } from "./trip-failure.js";

/** Decides what follows an attempt that came to nothing, of which nothing has gone to the caller. */
export interface AttemptListener {
  /** The key did not serve the call. */
  onFailed(lease: Lease, failure: AttemptFailure): void;
  /** What the call asks for cannot be said in the provider's language. */
  onUntranslatable(lease: Lease, fault: Fault): void;
}

export interface AttemptOptions {
  readonly call: AdmittedCall;
  readonly thing: CallThing;
  readonly lease: Lease;
  /** Hears that it came to nothing. */
  readonly trials: AttemptListener;
  /** Hears of everything else: the reply, or what ends the call. */
  readonly listener: TrialsListener;
}

/** How a provider is asked. */
interface Try {
  readonly secret: Secret;
  readonly passage: Passage;
}

/** What a call says to a provider. */
interface Words extends Try {
  readonly body: TargetBody;
}

/**
 * One provider key that was leased for a call, and what comes of it. Its secret is opened, the call is put into the
 * provider's words and sent. Mostly that is one round trip; there are more where the provider wants to be asked in
 * another way, and where it works in tasks.
 */
export class Attempt implements RoundTripListener {
  readonly #options: AttemptOptions;
  /** With the request's body; undefined once nothing more will be asked. */
  #plan: CallPlan | undefined;
  /** The last one. */
  #trip: RoundTrip | undefined;
  /** What the provider has begun for this call. */
  #task: ProviderTask | undefined;
  /** What the reply names and the answer has to hold. */
  #files: ReplyFiles | undefined;
  /** Of a call that makes a batch. */
  #notice: BatchNotice | undefined;
  /** Gives up what is made elsewhere of the request. */
  #leaveBody: (() => void) | undefined;
  /** How the key is asked. */
  readonly #ways: OtherWays;

  constructor(options: AttemptOptions, plan: CallPlan) {
    this.#options = options;
    this.#plan = plan;
    this.#ways = new OtherWays(options.call, options.lease);
  }

  /** Null before a head came. */
  get httpStatus(): number | null {
    return this.#trip?.httpStatus ?? null;
  }

  /** Opens the secret, which is synchronous but for a key's first call, and sends the call. */
  begin(): void {
    const { call, lease } = this.#options;
    const { upstream, secrets } = call.context;
    call.book.openLease(lease);
    let secret: Secret | Promise<Secret>;
    try {
      const { url } = upstream.target(lease.target.provider.baseUrl);
      secret = secrets.open(lease.providerKey, url.origin);
    } catch (thrown) {
      this.#unusable(toFault(thrown));
      return;
    }
    if (secret instanceof Promise) this.#sendWhenOpen(secret);
    else this.#send(secret);
  }

  #sendWhenOpen(opening: Promise<Secret>): void {
    const send = (secret: Secret): void => {
      this.#send(secret);
    };
    const refuse = (thrown: unknown): void => {
      this.#unusable(toFault(thrown));
    };
    opening.then(send, refuse).catch((thrown: unknown) => {
      this.onBug(thrown);
    });
  }

  /** A row that cannot be opened, or an address that is not allowed, must not stop other keys. A locked vault stops all. */
  #unusable(fault: Fault): void {
    if (this.#plan === undefined) return;
    const { call, lease, listener } = this.#options;
    const { context, id, book } = call;
    const elsewhere = fault.code === "secret_unreadable" || fault.code === "base_url_not_allowed";
    const failure = unusable(fault.publicMessage, elsewhere);
    const providerKey = lease.providerKey.id;
    context.logger.warn({ call: id, providerKey, err: fault }, "provider key cannot be used");
    if (fault.code === "secret_unreadable") context.pool.markUnreadable(providerKey);
    if (elsewhere) {
      this.#fail(failure);
      return;
    }
    book.closeLease(failure);
    listener.onBlocked(fault);
  }

  /** Asks the provider what the call asks, as far as is known by now in which way it wants to be asked. */
  #send(secret: Secret): void {
    const plan = this.#plan;
    if (plan === undefined) return;
    const passage = this.#ways.passageFor(plan);
    const body = this.#bodyFor(plan, { secret, passage });
    if (body === undefined) return;
    if ("begin" in body) this.#leaveBody = body.begin(this.#whenMade(secret, passage));
    else this.#ask(plan, { secret, passage, body });
  }

  /** Goes on once a body is made that is too long to wait for. */
  #whenMade(secret: Secret, passage: Passage): BodyListener {
    return {
      onBody: (body) => {
        const plan = this.#plan;
        if (plan === undefined) return;
        try {
          this.#ask(plan, { secret, passage, body });
        } catch (thrown) {
          this.onBug(thrown);
        }
      },
      onNone: (thrown) => {
        try {
          this.#cannotSay(toFault(thrown), { secret, passage });
        } catch (bug) {
          this.onBug(bug);
        }
      },
    };
  }

  /** Asks in words that are the provider's. */
  #ask(plan: CallPlan, { secret, passage, body }: Words): void {
    const { call, lease } = this.#options;
    const { match, query } = call;
    const { endpoint } = match;
    const { translation, usageAsked } = body;
    this.#noteDropped(translation);
    const trip = new RoundTrip({
      call,
      lease,
      secret,
      passage,
      endpoint,
      translation,
      usageAsked,
      usageWanted: plan.bodyHead.usageWanted,
      encodesVectors: endpoint.makesVectors && plan.bodyHead.vectorsInBase64,
      streamed: plan.streamed,
      asksEvents: plan.streamed && (translation !== undefined || !asArray(endpoint, query)),
      listener: this,
    });
    this.#trip = trip;
    const { bytes } = body;
    const request = requestFor(trip.options, plan, bytes);
    if (endpoint.batch === undefined) this.#fly(trip, request);
    else
      this.#flyWhenNoted(new BatchNotice(call, lease, bytes, plan.batch?.requests), trip, request);
  }

  #fly(trip: RoundTrip, request: UpstreamRequest): void {
    const { call, lease } = this.#options;
    const { upstream } = call.context;
    trip.flight = upstream.send(upstream.target(lease.target.provider.baseUrl), request, trip);
  }

  /** A batch must not be forgotten that is made and whose reply does not come. */
  #flyWhenNoted(notice: BatchNotice, trip: RoundTrip, request: UpstreamRequest): void {
    this.#notice = notice;
    const goOn = (): void => {
      if (this.#plan === undefined) notice.unmade(true);
      else this.#fly(trip, request);
    };
    notice.begin(goOn, (thrown) => {
      this.onBug(thrown);
    });
  }

  /** Undefined for what cannot be said to this provider, which ends the attempt. */
  #bodyFor(plan: CallPlan, tried: Try): TargetBody | LaterBody | undefined {
    const { call, lease } = this.#options;
    try {
      return bodyFor(call, plan, lease.target, tried.passage);
    } catch (thrown) {
      this.#cannotSay(toFault(thrown), tried);
      return undefined;
    }
  }

  #noteDropped(translation: WayBack | undefined): void {
    const { context, id } = this.#options.call;
    const dropped = translation?.dropped ?? [];
    if (dropped.length > 0) context.logger.debug({ call: id, dropped }, "lost in translation");
  }

  #cannotSay(fault: Fault, { secret, passage }: Try): void {
    const { call, lease, trials, listener } = this.#options;
    if (fault.code === "untranslatable" && this.#ways.mayBeSaidAsIs(passage)) {
      this.#send(secret);
      return;
    }
    const detail = fault.publicMessage;
    call.book.closeLease({
      outcome: "CALLER_ABORTED",
      httpStatus: null,
      retryAfterMs: null,
      detail,
    });
    if (fault.code === "untranslatable") trials.onUntranslatable(lease, fault);
    else listener.onBlocked(fault);
  }

  /** Gives up what is under way, but for a batch: its provider may make it all the same, and only the reply tells which. */
  abort(outcome: AttemptOutcome, detail: string): void {
    const { httpStatus } = this;
    this.settle();
    if (!makesBatch(this.#options.call, this.#trip?.flight)) {
      this.#trip?.abort();
      // Before its turn came it has not gone out.
      if (this.#trip?.flight !== undefined) this.#notice?.unmade(true);
    }
    this.#options.call.book.closeLease({ outcome, httpStatus, retryAfterMs: null, detail });
  }

  /** Nothing more will be asked, and a long stream must not hold its request in memory. */
  settle(): void {
    this.#plan = undefined;
    this.#leaveBody?.();
    this.#leaveBody = undefined;
    this.#task?.leave();
    this.#files?.leave();
    this.#trip?.flight?.forgetRequest();
  }

  /** A stream that had begun said that the call failed: the key hears of it as of any failure. */
  failedInside(error: string): void {
    if (this.#trip === undefined) return;
    this.#options.call.book.closeLease(toldInside(this.#trip.options, error));
  }

  #fail(failure: AttemptFailure): void {
    const { call, lease, trials } = this.#options;
    call.book.closeLease(failure);
    this.settle();
    trials.onFailed(lease, failure);
  }

  // What a round trip tells.

  onRefused(trip: RoundTrip, failure: AttemptFailure): void {
    const { call, listener } = this.#options;
    this.#notice?.failed(failure);
    if (call.book.closed || this.#plan === undefined) return;
    try {
      listener.onStreamDropped();
      if (this.#task?.asksAgain(trip, failure) === true) return;
      if (this.#asksOtherwise(trip, failure)) return;
      this.#fail(failure);
    } catch (thrown) {
      this.onBug(thrown);
    }
  }

  /** A provider that does not take an option which we added, or the form, is asked again in another way. */
  #asksOtherwise({ options }: RoundTrip, failure: AttemptFailure): boolean {
    if (this.#plan === undefined) return false;
    const plan = this.#ways.learn(options, failure, this.#plan);
    if (plan === undefined) return false;
    this.#plan = plan;
    this.#send(options.secret);
    return true;
  }

  onFollowUp(trip: RoundTrip, path: string): void {
    const { listener } = this.#options;
    this.#task = new ProviderTask({
      call: this.#options.call,
      path,
      onAsked: (question) => {
        this.#trip = question;
      },
      onTooLong: (failure) => {
        listener.onExhausted(failure, undefined);
      },
      onBug: (thrown) => {
        listener.onBug(thrown);
      },
    });
    this.#task.askLater(trip);
  }

  onFiles(trip: RoundTrip, urls: readonly string[], use: (files: readonly Buffer[]) => void): void {
    const { call, listener } = this.#options;
    this.#files = new ReplyFiles({
      call,
      urls,
      onFetched: use,
      onFailed: (reason) => {
        // The key has done its part, and no other would do better.
        const { httpStatus } = trip;
        call.book.closeLease({ outcome: "OK", httpStatus, retryAfterMs: null, detail: reason });
        listener.onBlocked(filesMissing(reason));
      },
      onBug: (thrown) => {
        listener.onBug(thrown);
      },
    });
    this.#files.next();
  }

  onReply(trip: RoundTrip, head: ReplyHead, body: Buffer, tokens: TokenUsage | undefined): void {
    const { call, lease, thing, listener } = this.#options;
    const { passage, translation } = trip.options;
    const { passages, servedModels } = call.context;
    passages.prove(trip.options.endpoint, passage, lease.target);
    this.#learnUsage();
    servedModels.note(call.principal, lease.target);
    if (translation === undefined) thing.learnReply(trip, body);
    thing.learnUpload(trip, head);
    const { namesResults, ofBatch } = call.match.endpoint;
    const answer = namesResults ? withOwnResults(body) : body;
    if (ofBatch !== undefined) batchTold(call, lease, body);
    if (this.#notice === undefined) listener.onReply(head, answer, tokens);
    else this.#replyWhenKept(this.#notice, head, { body, answer, tokens });
  }

  /** A reply that tells of a batch is passed on once it is known here whose batch that is. */
  #replyWhenKept(
    notice: BatchNotice,
    head: ReplyHead,
    reply: { body: Buffer; answer: Buffer; tokens: TokenUsage | undefined },
  ): void {
    const { listener } = this.#options;
    const goOn = (): void => {
      listener.onReply(head, reply.answer, reply.tokens);
    };
    notice.made(reply.body, goOn, (thrown) => {
      this.onBug(thrown);
    });
  }

  onStream(trip: RoundTrip, head: ReplyHead, source: StreamSource): Relay {
    const { call, lease, thing, listener } = this.#options;
    call.context.servedModels.note(call.principal, lease.target);
    thing.learnUpload(trip, head);
    return listener.onStream(head, source);
  }

  onStreamEnd(trip: RoundTrip): void {
    this.#learnStream(trip);
    this.#notice?.unmade(false);
    batchShown(this.#options.call, this.#options.lease);
    this.#options.listener.onStreamEnd();
  }

  onStreamCut(trip: RoundTrip, failure: UpstreamFailure): void {
    this.#learnStream(trip);
    this.#notice?.unmade(false);
    this.#options.listener.onStreamCut(failure);
  }

  /** It served without the option what it had refused with it: its words alone may be a caller's, which it quotes. */
  #learnUsage(): void {
    const { call, lease } = this.#options;
    if (this.#ways.isWithoutUsage) call.context.usageOption.refusedBy(lease.target.provider);
  }

  #learnStream(trip: RoundTrip): void {
    if (trip.relay?.begun === true) this.#learnUsage();
    if (trip.options.translation === undefined) this.#options.thing.learnStream(trip);
  }

  onBug(thrown: unknown): void {
    this.#notice?.unmade(false);
    this.#options.listener.onBug(thrown);
  }
}
