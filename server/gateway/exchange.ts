import type { CallerConnection } from "../caller/caller-connection.js";
import type { TurnListener } from "../caller/turn.js";
import type { AttemptOutcome, TokenUsage } from "../core/call.js";
import type { Principal } from "../core/client-key.js";
import { Fault, toFault } from "../core/fault.js";
import type { Rostered } from "../core/roster.js";
import type { UpstreamFailure } from "../upstream/failure.js";
import { Answer } from "./answer/answer.js";
import { type AttemptFailure, callersStatus } from "./attempt/attempt-failure.js";
import { unacceptable } from "./answer/bad-request.js";
import { CallBook } from "./call-book.js";
import type { CallPlan } from "./route/call-plan.js";
import type { GatewayContext } from "./context.js";
import { type Counted, countPart, countStream, NOT_COUNTED } from "./estimate/counted.js";
import { showsResponse } from "./route/endpoints.js";
import { countAnswer } from "./estimate/estimate.js";
import type { ExchangeOptions } from "./exchange-options.js";
import { HTTP_STATUS } from "./answer/fault-status.js";
import { Intake, type IntakeListener } from "./intake.js";
import { faultOf } from "./attempt/last-word.js";
import { problemOf } from "./answer/own-answers.js";
import { lacksPath } from "./route/passages.js";
import { notRecorded, OnRecord } from "./record-round.js";
import type { Relay } from "./reply/relay.js";
import type { RelayListener, StreamSource } from "./reply/relay-options.js";
import type { ReplyHead } from "./reply/reply-head.js";
import { type HeldStream, heldTooMuch } from "./reply/stream-room.js";
import { Trials } from "./attempt/trials.js";
import type { TrialsListener } from "./attempt/trials-listener.js";
import { callersOrigin } from "./request/uploads.js";

/** How far a call has come, on which depends in what way it can still end. */
type Stage =
  /** Nothing of an answer has left: its caller can be told anything. */
  | "OPEN"
  /** The head of a stream has left: what goes wrong can only be said inside of it. */
  | "STREAMING"
  /** Its record is made, and what the caller gets is decided. The last of it leaves once the record is written. */
  | "CLOSED"
  /** Closed, and all that it held has been given back. */
  | "OVER";

/**
 * One request with its answer, from its head to its record. It is taken in, provider keys are tried until one serves
 * it, and the reply is passed on. Whatever way it ends leads through `#close`, which makes its one record before the
 * last byte leaves, and then through `#giveBack`.
 *
 * It hears of everything that happens meanwhile: from the intake, the trials, the relay of a stream, the connection of
 * the caller, and the server, which may stop it.
 */
export class Exchange
  implements IntakeListener, TrialsListener, RelayListener, TurnListener, Rostered, HeldStream
{
  place = -1;
  /** The tick in which the server first saw it waiting, counted anew for each head of a stream; 0 before. */
  seenAt = 0;
  readonly #options: ExchangeOptions;
  readonly #context: GatewayContext;
  readonly #book: CallBook;
  readonly #answer: Answer;
  readonly #intake: Intake;
  #trials: Trials | undefined;
  /** Passes on the stream of the present attempt, if it has begun one. */
  #relay: Relay | undefined;
  /** Set when the record is made. */
  #onRecord: OnRecord | undefined;
  /** Of a call that counts tokens: without a key an estimate will do. */
  #mayEstimate = false;
  #isOver = false;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#context = options.context;
    this.#book = new CallBook(options);
    this.#answer = new Answer(options, this.#book);
    this.#intake = new Intake(options, this.#book, this);
  }

  get #stage(): Stage {
    if (this.#isOver) return "OVER";
    if (this.#book.closed) return "CLOSED";
    return this.#relay?.headSent === true ? "STREAMING" : "OPEN";
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

  /** Whose call it is, while something is set aside for it in their limits. */
  get admitted(): Principal | undefined {
    const { ticket, closed, principal } = this.#book;
    return ticket === undefined || closed ? undefined : principal;
  }

  // The way in.

  run(): void {
    this.#intake.begin();
  }

  onRefused(fault: Fault): void {
    this.#refuse(fault);
  }

  onAdmitted(plan: CallPlan, principal: Principal): void {
    try {
      this.#mayEstimate = plan.estimated === "WITHOUT_KEY";
      if (plan.estimated === "AT_ONCE") this.#answerCount();
      else this.#try(plan, principal);
    } catch (thrown) {
      this.onBug(thrown);
    }
  }

  #try(plan: CallPlan, principal: Principal): void {
    const { context, id, match, head, query, ip, connection } = this.#options;
    const book = this.#book;
    const origin = match.endpoint.uploads ? callersOrigin(head, connection) : undefined;
    const call = { context, id, match, head, query, ip, origin, principal, book };
    this.#trials = new Trials(call, plan, this);
    this.#trials.begin();
  }

  #answerCount(): void {
    const reply = countAnswer(this.#options.match.endpoint.dialect, this.#book.requestBytes);
    const onRecord = this.#close(200, undefined, NOT_COUNTED, Buffer.byteLength(reply));
    this.#answerOnRecord(onRecord, (isRecorded) => {
      if (isRecorded) this.#answer.own(reply);
      else this.#withhold();
    });
  }

  // A whole reply.

  onReply(head: ReplyHead, body: Buffer, tokens: TokenUsage | undefined): void {
    if (this.#book.closed) return;
    try {
      this.#book.markFirstByte();
      const counted = this.#book.countedReply(body, tokens, this.#options.match.id);
      const onRecord = this.#close(head.httpStatus, undefined, counted, body.length);
      this.#answerOnRecord(onRecord, (isRecorded) => {
        if (isRecorded) this.#answer.whole(head, body);
        else this.#withhold();
      });
    } catch (thrown) {
      this.onBug(thrown);
    }
  }

  /** What a caller saw finish is never lost: a reply that could not be put on record stays here. */
  #withhold(): void {
    this.#answer.fault(notRecorded(), HTTP_STATUS.storage_unavailable);
  }

  // A stream.

  onStream(head: ReplyHead, source: StreamSource): Relay {
    // The head waits from now on, however long the call has been waiting for it.
    this.seenAt = 0;
    this.#relay = this.#answer.stream(head, source, this);
    return this.#relay;
  }

  onStreamDropped(): void {
    this.#relay = undefined;
    this.#context.streamRoom.delete(this);
  }

  /** Its stream, if there is one, has been under way for a while. */
  lookAtStream(nowMs: number): void {
    if (!this.#book.closed) this.#relay?.lookAt(nowMs);
  }

  onFirstByte(): void {
    this.#book.markFirstByte();
    this.#trials?.settle();
    this.#intake.releaseBody();
    this.#book.named?.release();
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
    // A response that is only shown may have failed long ago, of which this call's key knows nothing.
    const error = showsResponse(match.endpoint) ? undefined : relay.failure;
    if (error === undefined) {
      return this.#close(httpStatus, undefined, countStream(this.#book, relay), bytes);
    }
    // The caller has it from the provider, in the provider's words.
    const fault = new Fault("upstream_error", "The provider reported an error inside its stream.");
    this.#trials?.failedInside(error);
    const part = relay.part();
    // Refused before anything was made, as an HTTP error would be.
    const isNothing = part.given === undefined && !relay.begun;
    const counted = isNothing ? NOT_COUNTED : countPart(this.#book, part);
    return this.#close(httpStatus, fault, counted, bytes);
  }

  onStreamEnd(): void {
    try {
      const isComplete = this.#relay?.end() !== false;
      if (!isComplete) this.#cut("stream_cut", "CUT", "the stream ended before its last event");
      this.#giveBack();
    } catch (thrown) {
      this.onBug(thrown);
    }
  }

  onStreamCut(failure: UpstreamFailure): void {
    if (this.#book.closed) {
      // Complete and on record: only the connection ended badly after the last event.
      this.#answer.end();
      this.#giveBack();
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

  #cut(code: "stream_cut" | "upstream_timeout", outcome: AttemptOutcome, detail: string): void {
    const fault = new Fault(code, "The provider's stream broke off before the reply was complete.");
    this.#cutStream(fault, outcome, detail);
  }

  /** Ends a stream that has begun, and says why inside of it. */
  #cutStream(fault: Fault, outcome: AttemptOutcome, detail: string): void {
    const relay = this.#relay;
    this.#breakOff(fault, outcome, detail).when(() => {
      relay?.cut(problemOf(fault, this.#options.id));
    });
  }

  // Ends without a reply.

  /** No key is left, or none may be tried: passes on the provider's own last word where it has one. */
  onExhausted(failure: AttemptFailure | undefined, poolFault: Fault | undefined): void {
    this.#relay = undefined;
    if (failure === undefined) {
      if (this.#mayEstimate && poolFault !== undefined) this.#answerCount();
      else this.#refuse(poolFault ?? new Fault("internal", "No attempt was made."));
      return;
    }
    const { match } = this.#options;
    if (match.endpoint.counts && lacksPath(match, failure)) {
      this.#answerCount();
      return;
    }
    const fault = faultOf(failure, poolFault);
    const ofKey = fault === poolFault || fault.code === "upstream_refused_key";
    if (ofKey || failure.reply === undefined) {
      const { outcome, httpStatus } = failure;
      // Callers who keep their connections would leave no descriptor to any that leads to a provider.
      if (outcome === "NO_SOCKET") this.#options.turn.closeAfter();
      const isRequests = outcome === "REQUEST_REFUSED" && httpStatus !== null;
      this.#refuse(fault, isRequests ? callersStatus(httpStatus) : undefined);
      return;
    }
    const { head, body } = failure.reply;
    const onRecord = this.#close(head.httpStatus, fault, NOT_COUNTED, Buffer.byteLength(body));
    this.#answerOnRecord(onRecord, () => {
      this.#answer.whole(head, body, fault.retryAfterSeconds);
    });
  }

  onBlocked(fault: Fault): void {
    this.#refuse(fault);
  }

  /** A step of our own code threw: that fails this call and no other. */
  onBug(thrown: unknown): void {
    const fault = toFault(thrown);
    this.#trials?.abort("CALLER_ABORTED", fault.publicMessage);
    if (this.#stage === "OPEN") {
      this.#refuse(fault);
      return;
    }
    this.#context.logger.error({ call: this.#options.id, err: thrown }, "call failed");
    this.#close(HTTP_STATUS[fault.code], fault, NOT_COUNTED, 0);
    this.#giveBack();
    this.#answer.breakOff();
  }

  /** The caller closed its connection, or left so much unread that it was closed: nothing may go on for it. */
  callerLeft(unread: boolean): void {
    if (this.#book.closed) {
      this.#trials?.abort("CALLER_ABORTED", "");
      this.#giveBack();
      return;
    }
    const fault = unread
      ? new Fault("answer_unread", "The caller left its answer unread.")
      : new Fault("caller_aborted", "The caller closed the connection.");
    this.#breakOff(fault, "CALLER_ABORTED", fault.publicMessage);
  }

  /** The caller has been told: only the record is made. */
  requestRefused(httpStatus: number, reason: string): void {
    this.#refuse(unacceptable(reason), httpStatus);
  }

  /** Ends the call now and tells the caller why, in the way that is still open. */
  stop(fault: Fault): void {
    const stage = this.#stage;
    if (stage === "OPEN") {
      this.#trials?.abort("CALLER_ABORTED", fault.publicMessage);
      this.#refuse(fault);
    } else if (stage === "STREAMING") {
      this.#cutStream(fault, "CALLER_ABORTED", fault.publicMessage);
    } else if (this.#answer.begun) {
      // Of a complete stream only the end is missing. A whole reply leaves as soon as it is on record.
      this.#trials?.abort("CALLER_ABORTED", "");
      this.#answer.end();
      this.#giveBack();
    }
  }

  /** Answers with a fault and ends the exchange. */
  #refuse(fault: Fault, httpStatus = HTTP_STATUS[fault.code]): void {
    if (this.#book.closed) return;
    if (fault.code === "internal") {
      this.#context.logger.error({ call: this.#options.id, err: fault.cause }, "call failed");
    }
    const onRecord = this.#close(httpStatus, fault, NOT_COUNTED, 0);
    this.#answerOnRecord(onRecord, () => {
      if (this.#book.principal !== undefined) this.#answer.fault(fault, httpStatus);
      else this.#tellStranger(fault, httpStatus);
    });
  }

  /** At a pace: who is refused at once asks again at once. */
  #tellStranger(fault: Fault, httpStatus: number): void {
    this.#context.refusals.tell(this.ip, () => {
      try {
        this.#answer.fault(fault, httpStatus);
      } catch (thrown) {
        this.onBug(thrown);
      }
    });
  }

  /** Ends what is under way, counting what has gone to the caller. What is still to be said there follows the record. */
  #breakOff(fault: Fault, outcome: AttemptOutcome, detail: string): OnRecord {
    const relay = this.#relay;
    const isStreaming = relay?.headSent === true;
    const part = isStreaming ? relay.part() : undefined;
    const counted = this.#book.countedBroken(fault, part);
    if (relay !== undefined && this.#trials?.keeps === true) {
      this.#book.streamLeft(relay.keptResponseId, fault, counted.tokens);
    }
    const told = isStreaming ? this.#trials?.httpStatus : undefined;
    this.#trials?.abort(outcome, detail);
    const own = HTTP_STATUS[fault.code];
    const httpStatus = own === HTTP_STATUS.caller_aborted ? own : (told ?? own);
    const onRecord = this.#close(httpStatus, fault, counted, relay?.bytes ?? 0);
    this.#giveBack();
    return onRecord;
  }

  // The end of every way.

  /** Makes the call's record, once, and has it written. */
  #close(
    httpStatus: number,
    fault: Fault | undefined,
    counted: Counted,
    responseBytes: number,
  ): OnRecord {
    if (this.#onRecord !== undefined) return this.#onRecord;
    // Of a body that broke off, what had come of it.
    this.#book.requestBytes ||= this.#intake.bytesRead;
    const { tokens, usageSource } = counted;
    const ending = { httpStatus, fault, tokens, usageSource, responseBytes };
    const record = this.#book.close(ending, this.#trials?.httpStatus ?? null);
    const onRecord = new OnRecord(record === undefined ? true : undefined);
    this.#onRecord = onRecord;
    if (record !== undefined) {
      this.#context.records.finish(record, (failure) => {
        // The journal itself says, once, when the disk does not take calls.
        if (failure !== undefined && toFault(failure).code !== "storage_unavailable") {
          this.#context.logger.error({ call: this.#options.id, err: failure }, "call not recorded");
        }
        // Where the disk does not take it, the database may.
        if (record.news !== undefined) this.#context.batches.recorded(record.news);
        onRecord.settle(failure === undefined);
      });
    }
    return onRecord;
  }

  /** Gives the answer once the call is on record, or could not be. */
  #answerOnRecord(onRecord: OnRecord, answer: (isRecorded: boolean) => void): void {
    onRecord.when((isRecorded) => {
      this.#giveBack();
      try {
        answer(isRecorded);
      } catch (thrown) {
        this.onBug(thrown);
      }
    });
  }

  /** Nothing is left to do but to let the answer leave: gives back what the exchange holds, and says so once the call is on record. */
  #giveBack(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#intake.leave();
    this.#trials?.settle();
    this.#book.named?.release();
    this.#context.streamRoom.delete(this);
    const { onOver } = this.#options;
    if (this.#onRecord === undefined) onOver(this);
    else {
      this.#onRecord.when(() => {
        onOver(this);
      });
    }
  }
}
