import type { TokenUsage } from "../../core/call.js";
import type { Timer } from "../../core/clock.js";
import { Fault } from "../../core/fault.js";
import { mayTellError } from "../../dialect/told-errors.js";
import { LONG_BYTES_MIN } from "../../dialect/translate/thread/long-translations.js";
import type { Reshaping } from "../../dialect/translate/thread/works.js";
import type { FollowUp, ReplyFacts } from "../../dialect/translate/translator.js";
import type { HeaderLines } from "../../http/header-lines.js";
import type { UpstreamFailure } from "../../upstream/failure.js";
import type { Flight, UpstreamHandler } from "../../upstream/flight.js";
import { redactBytes, SecretSieve } from "../../upstream/redact.js";
import { type AttemptFailure, garbage, notServed, redirected } from "./attempt-failure.js";
import { noRoom } from "../request/body.js";
import { CollectedReply, tooLargeToTranslate } from "../reply/collected-reply.js";
import { Decoder, type DecoderListener, isDecodable } from "../reply/decode.js";
import { showsResponse } from "../route/endpoints.js";
import {
  failingAs,
  hasListsFor,
  headForCaller,
  isGarbage,
  isReadWhole,
  unfit,
} from "../reply/expected-reply.js";
import { later } from "../reply/later-work.js";
import type { Relay } from "../reply/relay.js";
import {
  eventsHead,
  hideKey,
  isEvents,
  jsonHead,
  readReplyHead,
  type ReplyHead,
} from "../reply/reply-head.js";
import { streamFrom } from "../reply/stream-source.js";
import { beginsLikeEvents, beginsLikeJson, withoutMark } from "../reply/reply-look.js";
import { reshape, streamEnd } from "../reply/reshaped-reply.js";
import type { RoundTripOptions } from "./round-trip-options.js";
import { refusedInside, refusedOverHttp, taskRefused, toldInside } from "./trip-failure.js";
import { mayAskOtherwise } from "./ways-of-asking.js";

/** A good reply of which all has come. `tokens` as the provider counted them; undefined if it did not. */
interface WholeReply {
  readonly head: ReplyHead;
  readonly body: Buffer;
  readonly tokens: TokenUsage | undefined;
}

const DONE: FollowUp = { kind: "DONE" };
const NO_FILES: readonly Buffer[] = [];
const NOTHING_SAID: UpstreamFailure = {
  kind: "CUT",
  detail: "the stream ended before it said anything",
};

/**
 * One request to a provider: takes the reply and tells its listener what it amounts to. The head decides what
 * becomes of the body, which is either collected (a refusal, to be judged; a JSON reply, to be read whole) or
 * relayed as it comes. What is being collected may turn out to be a stream, or too large, and is relayed then.
 */
export class RoundTrip implements UpstreamHandler, DecoderListener {
  readonly options: RoundTripOptions;
  /** Set right after the send, unless the trip was over by then. */
  flight: Flight | undefined;
  /** Null until a head has come. */
  httpStatus: number | null = null;
  /** Unpacks what comes compressed, before anything looks at it. */
  #decoder: Decoder | undefined;
  // Of these two none is set before the head has come, and one from then on.
  #collected: CollectedReply | undefined;
  #relay: Relay | undefined;
  /** Runs until a refusal is judged without the rest of its body. */
  #patience: Timer | undefined;
  /** Gives up what a long reply is being made into. */
  #leaveWork: (() => void) | undefined;
  /** Its end has been told, or it was given up: whatever still comes is passed over. */
  #over = false;

  constructor(options: RoundTripOptions) {
    this.options = options;
  }

  /** Where a reply goes that is relayed. */
  get relay(): Relay | undefined {
    return this.#relay;
  }

  /** Gives it up from our side; its listener hears nothing more. */
  abort(): void {
    this.#over = true;
    this.#patience?.cancel();
    this.#leaveWork?.();
    this.#decoder?.destroy();
    this.flight?.abort();
    this.#collected?.clear();
  }

  /**
   * The first events of its stream said that the call failed, and nothing of it has gone to the caller. False where
   * neither another key nor another way of asking would help, so that the stream may as well go on, and where it is a
   * response that failed earlier.
   */
  refuseOpening(error: string): boolean {
    if (showsResponse(this.options.endpoint)) return false;
    const failure = toldInside(this.options, error);
    const isRefused = failure.elsewhere || mayAskOtherwise(this.options, failure);
    if (isRefused) this.#refuse(failure);
    return isRefused;
  }

  withoutSecret(events: Buffer): Buffer {
    return redactBytes(events, this.options.secret);
  }

  sieve(): SecretSieve {
    return new SecretSieve(this.options.secret);
  }

  // What comes from the provider, on its way through the decoder if there is one.

  onHead(httpStatus: number, lines: HeaderLines): void {
    try {
      this.#takeHead(httpStatus, lines);
    } catch (thrown) {
      this.#bug(thrown);
    }
  }

  onLent(chunk: Buffer): boolean {
    if (this.#over || this.#decoder !== undefined) return false;
    try {
      if (this.#relay !== undefined) return this.#relay.pushLent(chunk);
      if (this.#collected !== undefined) this.#collect(this.#collected, chunk, true);
      return true;
    } catch (thrown) {
      this.#bug(thrown);
      return true;
    }
  }

  onData(chunk: Buffer): boolean {
    if (this.#over) return true;
    return this.#decoder === undefined ? this.onDecoded(chunk) : this.#decoder.write(chunk);
  }

  onDecoded(chunk: Buffer): boolean {
    if (this.#over) return true;
    try {
      if (this.#relay !== undefined) return this.#relay.push(chunk);
      return this.#collected === undefined || this.#collect(this.#collected, chunk, false);
    } catch (thrown) {
      this.#bug(thrown);
      return true;
    }
  }

  onWritable(): void {
    this.flight?.resume();
  }

  onEnd(): void {
    if (this.#decoder === undefined) this.onDecodedEnd();
    else this.#decoder.end();
  }

  onDecodedEnd(): void {
    if (this.#over) return;
    try {
      if (this.#relay !== undefined) this.#endStream(this.#relay);
      else if (this.#collected !== undefined) this.#endCollected(this.#collected);
    } catch (thrown) {
      this.#bug(thrown);
    }
  }

  onUndecodable(): void {
    if (this.#over) return;
    this.flight?.abort();
    this.onFail({ kind: "PROTOCOL", detail: "the compressed reply could not be unpacked" });
  }

  onFail(failure: UpstreamFailure): void {
    if (this.#over) return;
    try {
      if (this.#relay !== undefined) this.#cutStream(this.#relay, failure);
      else this.#refuseUnread(notServed(failure, this.httpStatus));
    } catch (thrown) {
      this.#bug(thrown);
    }
  }

  // The head.

  #takeHead(httpStatus: number, lines: HeaderLines): void {
    const { context, principal, book } = this.options.call;
    const { limits, bodyRoom } = context;
    this.httpStatus = httpStatus;
    if (httpStatus >= 300 && httpStatus < 400) {
      this.#refuse(redirected(httpStatus));
      return;
    }
    // Our own rate limit headers replace the provider's.
    const dropsLimits = (book.ticket?.headers ?? "") !== "";
    const head = readReplyHead(httpStatus, lines, dropsLimits);
    hideKey(head, this.options.secret);
    const collected = new CollectedReply(head, bodyRoom, principal, this.options);
    this.#collected = collected;
    if (!this.#unpack(head)) {
      this.#refuseUnread(this.#garbage("a reply in an encoding that was not asked for"));
      return;
    }
    if (collected.isRefusal) {
      this.#judgeInTime(collected);
      return;
    }
    const wrong = unfit(head, this.options);
    if (wrong !== undefined) this.#refuse(this.#garbage(wrong));
    else if (!isReadWhole(head, this.options, limits.wholeReplyBytesMax)) this.#startRelay(head);
  }

  /** A refusal is judged by what has come of it by then, if not all has. */
  #judgeInTime(collected: CollectedReply): void {
    const { clock, limits } = this.options.call.context;
    this.#patience = clock.setTimer(() => {
      this.#judge(collected);
    }, limits.errorReplyTimeoutMs);
  }

  /** Sees to it that a compressed body is looked at unpacked; false where it cannot be. */
  #unpack(head: ReplyHead): boolean {
    const { contentEncoding } = head;
    if (contentEncoding === "" || contentEncoding === "identity") return true;
    if (!isDecodable(contentEncoding)) return false;
    this.#decoder = new Decoder(contentEncoding, this);
    // It counts the packed bytes; how many plain ones there are is not known.
    head.contentLength = undefined;
    return true;
  }

  // A body that is collected.

  #collect(collected: CollectedReply, chunk: Buffer, lent: boolean): boolean {
    const { translation, streamed, call } = this.options;
    const { limits } = call.context;
    const hasRoom = collected.push(chunk, lent);
    if (collected.isRefusal) {
      if (collected.bytes > limits.errorReplyBytesMax) this.#judge(collected);
      return true;
    }
    const isFirst = collected.bytes === chunk.length;
    if (isFirst && streamed && !beginsLikeJson(chunk)) return this.#relayOther(collected, chunk);
    const isSmall = collected.bytes <= limits.wholeReplyBytesMax;
    if (isSmall && hasRoom) return true;
    if (translation === undefined) return this.#relayCollected(collected, collected.head);
    // The provider has done its part, and another key would have the same done once more.
    call.book.mayBeBilled = true;
    throw isSmall ? noRoom() : tooLargeToTranslate();
  }

  #endCollected(collected: CollectedReply): void {
    if (collected.isRefusal) {
      this.#judge(collected);
      return;
    }
    const { head } = collected;
    const body = withoutMark(collected.whole());
    const isStream = isEvents(head) || beginsLikeEvents(body);
    if (isStream && !this.options.streamed) this.#joinEvents(head, body);
    else if (!isGarbage(head, body, this.options)) this.#readReply(head, body);
    else this.#refuse(this.#garbage("a reply that is no JSON"));
  }

  /** A stream that was not asked for becomes the reply that was. */
  #joinEvents(head: ReplyHead, stream: Buffer): void {
    const { error, isWhole } = streamEnd(this.options.passage, stream);
    const use = (reply: Buffer | undefined): void => {
      if (reply !== undefined) this.#readReply(jsonHead(head), reply);
      else this.#refuse(this.#garbage("a stream that was not asked for, which is no whole reply"));
    };
    if (error !== undefined) this.#refuse(toldInside(this.options, error));
    else if (isWhole) this.#reshape("WHOLE", stream, use);
    else use(undefined);
  }

  /** Judges a refusal by what has come of it. */
  #judge(collected: CollectedReply): void {
    if (this.#over) return;
    try {
      this.#refuse(refusedOverHttp(this.options, collected.head, collected.whole()));
    } catch (thrown) {
      this.#bug(thrown);
    }
  }

  /** The rest of the body will not come. A refusal is judged all the same. */
  #refuseUnread(failure: AttemptFailure): void {
    if (this.#collected?.isRefusal === true) this.#judge(this.#collected);
    else this.#refuse(failure);
  }

  // A good reply that came whole.

  /** Finds out what it means: it may tell an error, or be the first of several. */
  #readReply(head: ReplyHead, body: Buffer): void {
    const { passage, translation, asksEvents } = this.options;
    const tokens = passage.codec.replyUsage(body, passage.form);
    const form = failingAs(this.options, passage.form);
    const error = passage.codec.replyFailure(body, form, tokens !== undefined);
    if (error !== undefined) {
      this.#refuse(refusedInside(this.options, head, body, error));
      return;
    }
    const next = translation?.followUp?.(body) ?? DONE;
    if (next.kind === "FAILED") this.#refuse(taskRefused(this.options, head, next));
    else if (next.kind !== "DONE") this.#goOn({ head, body, tokens }, next);
    else if (asksEvents) this.#giveEvents({ head, body, tokens });
    else if (hasListsFor(this.options, body)) this.#giveVectors({ head, body, tokens });
    else this.#giveAnswer({ head, body, tokens }, NO_FILES);
  }

  /** The answer needs more than this reply. */
  #goOn(reply: WholeReply, next: Extract<FollowUp, { kind: "ASK" | "FETCH" }>): void {
    const { listener } = this.options;
    this.#over = true;
    this.#collected?.clear();
    if (next.kind === "ASK") listener.onFollowUp(this, next.path);
    else {
      listener.onFiles(this, next.urls, (files) => {
        this.#giveAnswer(reply, files);
      });
    }
  }

  /** A whole reply where a stream was asked for becomes one. */
  #giveEvents(reply: WholeReply): void {
    const { passage, translation, usageWanted } = this.options;
    this.#reshape("EVENTS", reply.body, (events) => {
      if (events !== undefined) {
        // A whole reply tells usage unasked, and a stream does not.
        const strips = passage.form === "CHAT" && !usageWanted;
        const relay = this.#startRelay(eventsHead(reply.head), strips);
        relay.push(events);
        this.#endStream(relay);
      } else if (translation === undefined) this.#giveAnswer(reply, NO_FILES);
      else this.#refuse(this.#garbage("no stream"));
    });
  }

  /** The caller wants them in base64. */
  #giveVectors({ head, body, tokens }: WholeReply): void {
    this.#reshape("VECTORS", body, (made = body) => {
      this.#giveAnswer({ head, body: made, tokens }, NO_FILES);
    });
  }

  #reshape(to: Reshaping["to"], body: Buffer, use: (made: Buffer | undefined) => void): void {
    const { call, passage } = this.options;
    const onBug = this.#bug.bind(this);
    const listener = { onMade: use, onFailed: onBug, onBug };
    this.#leaveWork = reshape(call, { to, form: passage.form, body }, listener) ?? this.#leaveWork;
  }

  #giveAnswer(reply: WholeReply, files: readonly Buffer[]): void {
    const facts = this.options.translation?.inData;
    if (facts !== undefined && reply.body.length >= LONG_BYTES_MIN) {
      this.#giveLater(reply, facts);
      return;
    }
    const answer = this.#translated(reply.body, files);
    if (answer !== undefined) this.#give(reply, answer);
  }

  /** Once the reply is translated, which is too long to wait for. */
  #giveLater(reply: WholeReply, facts: ReplyFacts): void {
    const { context, principal } = this.options.call;
    const { body } = reply;
    const listener = later<Buffer>({
      onMade: (answer) => {
        this.#give(reply, answer);
      },
      onFailed: this.#untranslated.bind(this),
      onBug: this.#bug.bind(this),
    });
    this.#leaveWork = context.longTranslations.reply(principal, facts, body, listener);
  }

  #give({ head, body, tokens }: WholeReply, answer: Buffer): void {
    const { listener, passage, endpoint, call } = this.options;
    const { context, id } = call;
    this.#over = true;
    if (endpoint.form !== "OTHER") {
      context.traces?.answered(id, () => passage.codec.replyFacts(body));
    }
    listener.onReply(this, headForCaller(head, this.options, id), answer, tokens);
    this.#collected?.clear();
  }

  /** A whole reply in the caller's language; undefined for what is no reply, of which the listener has heard. */
  #translated(body: Buffer, files: readonly Buffer[]): Buffer | undefined {
    const { translation } = this.options;
    if (translation === undefined) return mayTellError(body) ? this.withoutSecret(body) : body;
    try {
      return translation.reply(body, files);
    } catch (thrown) {
      this.#untranslated(thrown);
      return undefined;
    }
  }

  #untranslated(thrown: unknown): void {
    const isReplys = thrown instanceof Fault && thrown.code === "upstream_error";
    // With files the provider has done its part, and no other would do better.
    if (!isReplys || this.#over) throw thrown;
    const error = JSON.stringify({ error: thrown.publicMessage });
    this.#refuse(toldInside(this.options, error));
  }

  // A reply that is relayed.

  #startRelay(head: ReplyHead, stripsUsage = this.options.usageAsked): Relay {
    const { listener, call } = this.options;
    const source = streamFrom(this, this.#decoder, head, stripsUsage);
    const relay = listener.onStream(this, headForCaller(head, this.options, call.id), source);
    this.#collected?.clear();
    this.#collected = undefined;
    this.#relay = relay;
    return relay;
  }

  /** What has been collected goes on piece by piece, for as one it would be in memory twice, and the rest as it comes. */
  #relayCollected(collected: CollectedReply, head: ReplyHead): boolean {
    const pieces = collected.take();
    const relay = this.#startRelay(head);
    let goesOn = true;
    for (const piece of pieces) goesOn = relay.push(piece);
    return goesOn;
  }

  /** The head says nothing of a stream, but the body is no JSON: it is a stream all the same, or anything else. */
  #relayOther(collected: CollectedReply, begin: Buffer): boolean {
    if (beginsLikeEvents(begin)) return this.#relayCollected(collected, eventsHead(collected.head));
    if (this.options.translation === undefined) {
      return this.#relayCollected(collected, collected.head);
    }
    this.#refuse(this.#garbage("no stream"));
    return true;
  }

  #endStream(relay: Relay): void {
    relay.pushRest();
    // The last of it may have shown that the stream opened with an error, which ended this trip.
    if (this.#over) return;
    if (!relay.headSent && !relay.isComplete) {
      this.#refuse(notServed(NOTHING_SAID, this.httpStatus));
      return;
    }
    this.#over = true;
    this.options.listener.onStreamEnd(this);
  }

  #cutStream(relay: Relay, failure: UpstreamFailure): void {
    if (!relay.headSent) {
      this.#refuse(notServed(failure, this.httpStatus));
      return;
    }
    this.#over = true;
    this.options.listener.onStreamCut(this, failure);
  }

  // Ends.

  #garbage(what: string): AttemptFailure {
    return garbage(what, this.httpStatus);
  }

  #refuse(failure: AttemptFailure): void {
    this.abort();
    this.options.listener.onRefused(this, failure);
  }

  #bug(thrown: unknown): void {
    this.#over = true;
    this.#collected?.clear();
    this.options.listener.onBug(thrown);
  }
}
