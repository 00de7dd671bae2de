import type { CallerConnection } from "../caller/caller-connection.js";
import type { TurnListener } from "../caller/turn.js";
import { bounded } from "../core/bytes.js";
import type { AttemptOutcome, TokenUsage } from "../core/call.js";
import type { Principal } from "../core/client-key.js";
import { Fault, toFault } from "../core/fault.js";
import type { UpstreamFailure } from "../upstream/failure.js";
import type { Rostered } from "../core/roster.js";
import { callerOf } from "./admit.js";
import { Answer } from "./answer.js";
import { type AttemptFailure, callersStatus } from "./attempt-failure.js";
import { bodyOfDeployment } from "./azure-scheme.js";
import { worstCase } from "./batch-estimate.js";
import { BodyReader, tooLarge } from "./body.js";
import { CallBook, type Counted, NOT_COUNTED } from "./call-book.js";
import { type CallPlan, planCall, readAsked } from "./call-plan.js";
import type { GatewayContext } from "./context.js";
import { countAnswer } from "./estimate.js";
import type { ExchangeOptions } from "./exchange-options.js";
import { HTTP_STATUS } from "./fault-status.js";
import { faultOf } from "./last-word.js";
import { notRecorded, OnRecord } from "./record-round.js";
import type { Relay, RelayListener, StreamSource } from "./relay.js";
import { problemOf } from "./own-answers.js";
import { type HeldStream, heldTooMuch } from "./stream-room.js";
import type { ReplyHead } from "./reply-head.js";
import { Trials } from "./trials.js";
import { callersOrigin } from "./uploads.js";
import type { TrialsListener } from "./trials-listener.js";

const NO_BYTES = Buffer.alloc(0);

/**
 * One request from its head to its record, in one line: admit, read, plan, try until a provider key serves
 * it, pass the reply on. Whatever way it ends leads through `#finish`, which puts it on record before the
 * last byte leaves.
 */
export class Exchange implements TrialsListener, RelayListener, TurnListener, Rostered, HeldStream {
  place = -1;
  /** The tick in which the server first saw it waiting, counted anew for each head of a stream; 0 before. */
  seenAt = 0;
  readonly #options: ExchangeOptions;
  readonly #context: GatewayContext;
  readonly #book: CallBook;
  readonly #answer: Answer;
  #reader: BodyReader | undefined;
  #trials: Trials | undefined;
  #relay: Relay | undefined;
  /** Gives up its place among the calls that wait for their turn; undefined when it has none. */
  #leaveQueue: (() => void) | undefined;
  /** Set when the record is made. */
  #onRecord: OnRecord | undefined;
  /** Whose place it has among the calls under way. */
  #admitted: Principal | undefined;
  #isOver = false;

  constructor(options: ExchangeOptions) {
    const { context, id, match, path, ip, turn } = options;
    const { endpoint } = match;
    this.#options = options;
    this.#context = context;
    this.#book = new CallBook(context, { id, endpoint, path, ip });
    this.#answer = new Answer({ turn, id, endpoint, limits: context.limits });
  }

  /** The connection that the call came on. */
  get connection(): CallerConnection {
    return this.#options.connection;
  }

  /** Where the call comes from. */
  get ip(): string {
    return this.#options.ip;
  }

  /** Whose call it is, once that is known. */
  get holder(): Principal | undefined {
    return this.#book.principal;
  }

  // The way in.

  run(): void {
    const { head, turn, connection } = this.#options;
    const { limits, bodyRoom } = this.#context;
    try {
      this.#book.principal = callerOf(this.#context, this.#options);
      connection.holder = this.#book.principal;
      if ((head.contentLength ?? 0) > limits.bodyBytesMax) throw tooLarge(limits.bodyBytesMax);
    } catch (thrown) {
      this.#refuse(toFault(thrown));
      return;
    }
    if (head.contentLength === undefined && !head.chunked) {
      this.#onBody(NO_BYTES);
      return;
    }
    this.#reader = new BodyReader(
      { room: bodyRoom, holder: connection.holder, bytesMax: limits.bodyBytesMax },
      (fault, body) => {
        if (fault === undefined) this.#onBody(body);
        else this.#refuse(fault);
      },
    );
    turn.readBody(this.#reader);
  }

  #onBody(sent: Buffer): void {
    const { principal } = this.#book;
    if (this.#book.closed || principal === undefined) return;
    this.#book.requestBytes = sent.length;
    this.#guard(() => {
      this.#leaveQueue = this.#context.admission.enter(principal, (fault) => {
        this.#leaveQueue = undefined;
        if (fault === undefined) this.#admit(principal, sent);
        else this.#refuse(fault);
      });
      if (this.#leaveQueue === undefined) this.#admit(principal, sent);
    });
  }

  #admit(principal: Principal, sent: Buffer): void {
    const { match, head, query } = this.#options;
    const context = this.#context;
    const book = this.#book;
    this.#admitted = principal;
    this.#guard(() => {
      const { deployment } = match;
      const body = deployment === "" ? sent : bodyOfDeployment(sent, head.contentType, deployment);
      const { modelIdCharsMax } = context.limits;
      const asked = readAsked(match, head, body);
      // Before the route is looked for, so that a refused call is on record with what it asked for.
      book.modelAsked = bounded(asked.model, modelIdCharsMax);
      book.streamed = asked.streamed;
      const plan = planCall({ asked, match, head, query, body, principal, context });
      const estimate = worstCase({ context, plan, match, head, principal });
      const ticket = context.limiter.admit(principal, estimate, match.endpoint.dialect);
      book.reserved = estimate;
      book.ticket = ticket;
      this.#answer.ticket = ticket;
      context.records.begin(book.begun(principal), (fault) => {
        if (book.closed) return;
        this.#guard(() => {
          if (fault !== undefined) throw fault;
          if (plan.countedHere) this.#answerCount(body.length);
          else this.#try(plan, principal);
        });
      });
    });
  }

  #try(plan: CallPlan, principal: Principal): void {
    const { context, id, match, head, query, ip, connection } = this.#options;
    const book = this.#book;
    const origin = match.endpoint.uploads ? callersOrigin(head, connection) : undefined;
    const parts = { context, id, match, head, query, ip, origin, principal, book, listener: this };
    this.#trials = new Trials(parts, plan);
    this.#trials.begin();
  }

  #answerCount(requestBytes: number): void {
    const reply = countAnswer(this.#options.match.endpoint.dialect, requestBytes);
    this.#answerOnRecord(
      this.#finish(200, undefined, NOT_COUNTED, Buffer.byteLength(reply)),
      () => {
        this.#answer.own(reply);
      },
    );
  }

  /** The record comes before the reply: what a caller saw finish is never lost. */
  #answerOnRecord(onRecord: OnRecord, answer: () => void): void {
    onRecord.when((isRecorded) => {
      this.#over();
      this.#guard(() => {
        if (isRecorded) answer();
        else this.#answer.fault(notRecorded(), HTTP_STATUS.storage_unavailable);
      });
    });
  }

  // The way out.

  onReply(head: ReplyHead, body: Buffer, tokens: TokenUsage | undefined): void {
    if (this.#book.closed) return;
    this.#guard(() => {
      this.#book.markFirstByte();
      const counted = this.#book.countedReply(body, tokens, this.#options.match.id);
      const recorded = this.#finish(head.httpStatus, undefined, counted, body.length);
      this.#answerOnRecord(recorded, () => {
        this.#answer.whole(head, body);
      });
    });
  }

  onStream(head: ReplyHead, source: StreamSource): Relay {
    // The head waits from now on, however long the call has been waiting for it.
    this.seenAt = 0;
    this.#relay = this.#answer.stream(head, source, this);
    return this.#relay;
  }

  onAttemptFailed(): void {
    this.#relay = undefined;
    this.#context.streamRoom.delete(this);
  }

  onOpeningError(error: string): boolean {
    const relay = this.#relay;
    this.#relay = undefined;
    if (this.#trials?.refuseOpening(error) === true) return true;
    this.#relay = relay;
    return false;
  }

  onFirstByte(): void {
    this.#book.markFirstByte();
    this.#trials?.settle();
    this.#reader?.release();
  }

  onBegun(): void {
    this.#book.proveKey();
  }

  onHeld(bytes: number): void {
    if (!this.#isOver) this.#context.streamRoom.set(this, bytes);
  }

  giveUp(): void {
    this.stop(heldTooMuch());
  }

  onFull(): void {
    this.#relay?.full();
  }

  onDrained(): void {
    this.#relay?.drained();
  }

  onLastEvent(): OnRecord {
    const relay = this.#relay;
    if (relay === undefined) return new OnRecord(true);
    const { watch, bytes } = relay;
    const httpStatus = this.#trials?.httpStatus ?? 200;
    const { match, id } = this.#options;
    if (match.endpoint.form !== "OTHER") this.#context.traces?.answered(id, () => watch.facts());
    this.#book.takeLaterUsage(match.id);
    const error = relay.failure;
    if (error === undefined) {
      const counted = this.#book.countedStream(relay);
      return this.#finish(httpStatus, undefined, counted, bytes);
    }
    // The caller has it from the provider, in the provider's words.
    const fault = new Fault("upstream_error", "The provider reported an error inside its stream.");
    this.#trials?.failedInside(error);
    const given = watch.usage();
    // Refused before anything was made, as an HTTP error would be.
    const isNothing = given === undefined && !relay.begun;
    const counted = isNothing ? NOT_COUNTED : this.#book.countedInPart(given, relay.textBytes());
    return this.#finish(httpStatus, fault, counted, bytes);
  }

  onStreamEnd(): void {
    this.#guard(() => {
      const complete = this.#relay?.end() !== false;
      if (!complete) this.#cut("stream_cut", "CUT", "the stream ended before its last event");
      this.#over();
    });
  }

  onStreamCut(failure: UpstreamFailure): void {
    if (this.#book.closed) {
      // Complete and on record: only the connection ended badly after the last event.
      this.#answer.end();
      this.#over();
    } else if (failure.kind === "CALLER_STALLED") {
      this.callerLeft(true);
      this.#answer.breakOff();
    } else if (failure.kind === "TIMEOUT") {
      this.#cut("upstream_timeout", "TIMEOUT", failure.detail);
    } else if (this.#relay?.failure !== undefined) {
      // The provider has said what is wrong, and nothing more was to come.
      this.onStreamEnd();
    } else {
      this.#cut("stream_cut", "CUT", failure.detail);
    }
  }

  /** Sends the head of a stream that has waited long enough for its first event. */
  releaseHead(): void {
    if (!this.#book.closed) this.#relay?.sendHead();
  }

  // Ends without a reply.

  /** No key is left, or none may be tried: passes on the provider's own last word where it has one. */
  onExhausted(failure: AttemptFailure | undefined, poolFault: Fault | undefined): void {
    this.#relay = undefined;
    if (failure === undefined) {
      this.#refuse(poolFault ?? new Fault("internal", "No attempt was made."));
      return;
    }
    const fault = faultOf(failure, poolFault);
    const ofKey = fault === poolFault || fault.code === "upstream_refused_key";
    if (ofKey || failure.reply === undefined) {
      const { outcome, httpStatus } = failure;
      const isRequests = outcome === "REQUEST_REFUSED" && httpStatus !== null;
      this.#refuse(fault, isRequests ? callersStatus(httpStatus) : undefined);
      return;
    }
    const { head, body } = failure.reply;
    this.#finish(head.httpStatus, fault, NOT_COUNTED, Buffer.byteLength(body)).when(() => {
      this.#over();
      this.#guard(() => {
        this.#answer.whole(head, body, fault.retryAfterSeconds);
      });
    });
  }

  onBlocked(fault: Fault): void {
    this.#refuse(fault);
  }

  onBug(thrown: unknown): void {
    this.#guard(() => {
      throw thrown;
    });
  }

  /** The caller closed its connection, or left so much unread that it was closed: nothing may go on for it. */
  callerLeft(unread: boolean): void {
    if (this.#book.closed) {
      this.#trials?.abort("CALLER_ABORTED", "");
      this.#over();
      return;
    }
    const fault = unread
      ? new Fault("answer_unread", "The caller left its answer unread.")
      : new Fault("caller_aborted", "The caller closed the connection.");
    this.#end(fault, "CALLER_ABORTED", fault.publicMessage);
  }

  /** Ends the call now and tells the caller why, in the way that is still open. */
  stop(fault: Fault): void {
    if (this.#book.closed) {
      // The reply is complete and leaves as soon as it is on record.
      if (!this.#answer.begun) return;
      // Of a complete stream only the end is missing.
      this.#trials?.abort("CALLER_ABORTED", "");
      this.#answer.end();
      this.#over();
      return;
    }
    const relay = this.#relay;
    if (relay?.headSent === true) {
      this.#end(fault, "CALLER_ABORTED", fault.publicMessage).when(() => {
        relay.cut(problemOf(fault, this.#options.id));
      });
      return;
    }
    this.#trials?.abort("CALLER_ABORTED", fault.publicMessage);
    this.#refuse(fault);
  }

  #cut(code: "stream_cut" | "upstream_timeout", outcome: AttemptOutcome, detail: string): void {
    const fault = new Fault(code, "The provider's stream broke off before the reply was complete.");
    const relay = this.#relay;
    this.#end(fault, outcome, detail).when(() => {
      relay?.cut(problemOf(fault, this.#options.id));
    });
  }

  #end(fault: Fault, outcome: AttemptOutcome, detail: string): OnRecord {
    const relay = this.#relay;
    const begun = relay?.headSent === true;
    const part = begun ? { given: relay.watch.usage(), textBytes: relay.textBytes() } : undefined;
    const counted = this.#book.countedBroken(fault, part);
    if (relay !== undefined) this.#book.awaitUsage(relay.watch.keptId, counted.tokens);
    const told = begun ? this.#trials?.httpStatus : undefined;
    this.#trials?.abort(outcome, detail);
    const own = HTTP_STATUS[fault.code];
    const httpStatus = own === HTTP_STATUS.caller_aborted ? own : (told ?? own);
    const bytes = relay?.bytes ?? 0;
    const onRecord = this.#finish(httpStatus, fault, counted, bytes);
    this.#over();
    return onRecord;
  }

  /** Answers with a fault and ends the exchange. */
  #refuse(fault: Fault, httpStatus = HTTP_STATUS[fault.code]): void {
    if (this.#book.closed) return;
    if (fault.code === "internal") {
      this.#context.logger.error({ call: this.#options.id, err: fault.cause }, "call failed");
    }
    this.#finish(httpStatus, fault, NOT_COUNTED, 0).when(() => {
      this.#over();
      this.#guard(() => {
        this.#answer.fault(fault, httpStatus);
      });
    });
  }

  /** Puts the call on record, once. */
  #finish(
    httpStatus: number,
    fault: Fault | undefined,
    counted: Counted,
    responseBytes: number,
  ): OnRecord {
    const before = this.#onRecord;
    if (before !== undefined) return before;
    // Of a body that broke off, what had come of it.
    this.#book.requestBytes ||= this.#reader?.bytes ?? 0;
    const upstreamStatus = this.#trials?.httpStatus ?? null;
    const { tokens, usageSource } = counted;
    const ending = { httpStatus, fault, tokens, usageSource, responseBytes };
    const record = this.#book.close(ending, upstreamStatus);
    const onRecord = new OnRecord(record === undefined ? true : undefined);
    this.#onRecord = onRecord;
    if (record !== undefined) {
      this.#context.records.finish(record, (failure) => {
        if (failure !== undefined) {
          this.#context.logger.error({ call: this.#options.id, err: failure }, "call not recorded");
        }
        onRecord.settle(failure === undefined);
      });
    }
    return onRecord;
  }

  /** Nothing is left to do but to let the answer leave: gives back what the exchange holds, and says so once the call is on record. */
  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#leaveQueue?.();
    if (this.#admitted !== undefined) this.#context.admission.leave(this.#admitted);
    this.#reader?.release();
    this.#trials?.settle();
    this.#context.streamRoom.delete(this);
    const { onOver } = this.#options;
    if (this.#onRecord === undefined) onOver(this);
    else {
      this.#onRecord.when(() => {
        onOver(this);
      });
    }
  }

  /** Runs a step; a fault in it, or a bug, fails this call and no other. */
  #guard(step: () => void): void {
    try {
      step();
    } catch (thrown) {
      const fault = toFault(thrown);
      this.#trials?.abort("CALLER_ABORTED", fault.publicMessage);
      if (!this.#answer.begun && !this.#book.closed) {
        this.#refuse(fault);
        return;
      }
      this.#context.logger.error({ call: this.#options.id, err: thrown }, "call failed");
      this.#finish(HTTP_STATUS[fault.code], fault, NOT_COUNTED, 0);
      this.#over();
      this.#answer.breakOff();
    }
  }
}
