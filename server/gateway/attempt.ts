import type { TokenUsage } from "../core/call.js";
import type { Timer } from "../core/clock.js";
import { Fault } from "../core/fault.js";
import type { FollowUp } from "../dialect/translate/translator.js";
import { replyEvents } from "../dialect/reply-events.js";
import { UsageStripper } from "../dialect/usage-strip.js";
import { Decoder, type DecoderListener, isDecodable } from "./decode.js";
import type { UpstreamFailure } from "../upstream/failure.js";
import type { Flight, UpstreamHandler } from "../upstream/flight.js";
import {
  type AttemptFailure,
  callersStatus,
  DETAIL_CHARS_MAX,
  failedTask,
  garbage,
  notServed,
  redirected,
  refusesUsageOption,
} from "./attempt-failure.js";
import type { AttemptOptions } from "./attempt-options.js";
import { noRoom } from "./body.js";
import { CollectedReply } from "./collected-reply.js";
import { failedInside, refused } from "./judged-failure.js";
import { saysResponsesOnly } from "./passages.js";
import { redact } from "../upstream/redact.js";
import type { HeaderLines } from "../http/header-lines.js";
import type { Relay, StreamSource } from "./relay.js";
import {
  eventsHead,
  isEvents,
  readReplyHead,
  type ReplyHead,
  translatedHead,
} from "./reply-head.js";
import { beginsLikeEvents, beginsLikeJson, isMarkup, withoutMark } from "./reply-look.js";
import { isJson, isReadWhole, isReply } from "./expected-reply.js";

/** `tokens` as the provider counted them; undefined if it did not. */
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

/** One try: takes the provider's reply and tells its listener what it amounts to. */
export class Attempt implements UpstreamHandler, DecoderListener {
  readonly options: AttemptOptions;
  /** Set right after the send, unless the attempt was over by then. */
  flight: Flight | undefined;
  /** The provider said that its task came to nothing. */
  taskFailed = false;
  /** Null until a head has come. */
  httpStatus: number | null = null;
  #head: ReplyHead | undefined;
  #relay: Relay | undefined;
  readonly #body: CollectedReply;
  #decoder: Decoder | undefined;
  /** Runs until an error reply is judged without the rest of its body. */
  #patience: Timer | undefined;
  #over = false;

  constructor(options: AttemptOptions) {
    this.options = options;
    this.#body = new CollectedReply(options.context.bodyRoom, options.holder);
  }

  /** Gives the attempt up from our side; its listener hears nothing more. */
  abort(): void {
    this.#over = true;
    this.#patience?.cancel();
    this.#decoder?.destroy();
    this.flight?.abort();
    this.#body.clear();
  }

  onHead(httpStatus: number, raw: HeaderLines): void {
    try {
      this.#takeHead(httpStatus, raw);
    } catch (thrown) {
      this.#bug(thrown);
    }
  }

  onData(chunk: Buffer): boolean {
    if (this.#over) return true;
    return this.#decoder === undefined ? this.onDecoded(chunk) : this.#decoder.write(chunk);
  }

  onDecoded(chunk: Buffer): boolean {
    if (this.#over) return true;
    try {
      return this.#takeData(chunk);
    } catch (thrown) {
      this.#bug(thrown);
      return true;
    }
  }

  onWritable(): void {
    this.flight?.resume();
  }

  onUndecodable(): void {
    if (this.#over) return;
    this.flight?.abort();
    this.onFail({ kind: "PROTOCOL", detail: "the compressed reply could not be unpacked" });
  }

  #bug(thrown: unknown): void {
    this.#over = true;
    this.#body.clear();
    this.options.listener.onBug(thrown);
  }

  #takeHead(httpStatus: number, raw: HeaderLines): void {
    const { dropLimits, translation, streamed, context } = this.options;
    const { limits, clock } = context;
    const head = readReplyHead(httpStatus, raw, dropLimits);
    this.#head = head;
    this.httpStatus = httpStatus;
    if (httpStatus >= 300 && httpStatus < 400) {
      this.#refuse(redirected(httpStatus));
      return;
    }
    if (head.contentEncoding !== "" && head.contentEncoding !== "identity") {
      if (!isDecodable(head.contentEncoding)) {
        this.#refuseUnread(head, this.#garbage("a reply in an encoding that was not asked for"));
        return;
      }
      this.#decoder = new Decoder(head.contentEncoding, this);
      // It counts the packed bytes; how many plain ones there are is not known.
      head.contentLength = undefined;
    }
    if (httpStatus >= 400) {
      this.#patience = clock.setTimer(() => {
        this.#judge(head);
      }, limits.errorReplyTimeoutMs);
    } else if (isMarkup(head) && !this.options.endpoint.download) {
      this.#refuse(this.#garbage("a web page instead of a reply"));
    } else if (translation !== undefined && isEvents(head) && !streamed) {
      this.#refuse(this.#garbage("a stream that was not asked for"));
    } else if (!isReadWhole(head, this.options, limits.wholeReplyBytesMax)) {
      this.#relayOf(head);
      // The relay has what of it is to be sent.
      this.#head = undefined;
    }
  }

  #takeData(chunk: Buffer): boolean {
    if (this.#relay !== undefined) return this.#relay.push(chunk);
    const head = this.#head;
    if (head === undefined) return true;
    const { translation, context } = this.options;
    const { limits } = context;
    const hasRoom = this.#body.push(chunk);
    if (head.httpStatus >= 400) {
      if (this.#body.bytes > limits.errorReplyBytesMax) {
        this.#judge(head);
      }
      return true;
    }
    if (this.#body.bytes === chunk.length && this.options.streamed && !beginsLikeJson(chunk)) {
      return this.#startOther(head, chunk);
    }
    const isSmall = this.#body.bytes <= limits.wholeReplyBytesMax;
    if (isSmall && hasRoom) return true;
    if (translation === undefined) return this.#startRelay(head);
    if (isSmall) throw noRoom();
    this.#refuse(this.#garbage("a reply that is too large to translate"));
    return true;
  }

  onEnd(): void {
    if (this.#decoder === undefined) this.onDecodedEnd();
    else this.#decoder.end();
  }

  onDecodedEnd(): void {
    if (this.#over) return;
    if (this.#relay !== undefined) {
      this.#endStream(this.#relay);
      return;
    }
    const head = this.#head;
    if (head === undefined) return;
    if (head.httpStatus >= 400) {
      this.#judge(head);
      return;
    }
    const body = withoutMark(this.#body.whole());
    if (isJson(head, this.options) && !isReply(body, this.options)) {
      this.#refuse(this.#garbage("a reply that is no JSON"));
    } else {
      this.#giveReply(head, body);
    }
  }

  /** A whole reply says that the call failed. Where the request is at fault, the caller reads why. */
  #refuseReply(head: ReplyHead, body: Buffer, error: string): void {
    const failure = this.failedInside(error);
    const httpStatus = failure.httpStatus ?? head.httpStatus;
    const text = redact(body.toString("utf8"), this.options.secret);
    const isRequests = failure.outcome === "REQUEST_REFUSED";
    const reply = isRequests ? this.#refusal({ ...head, httpStatus }, text) : undefined;
    this.#refuse({ ...failure, reply });
  }

  #endStream(relay: Relay): void {
    this.#flush(relay, true);
    if (this.#over) return;
    if (!relay.headSent && !relay.isComplete) {
      this.#refuse(notServed(NOTHING_SAID, this.httpStatus));
      return;
    }
    this.#over = true;
    this.options.listener.onStreamEnd(this);
  }

  #giveReply(head: ReplyHead, body: Buffer): void {
    const { listener, passage, translation } = this.options;
    const { codec, form } = passage;
    try {
      const tokens = codec.replyUsage(body);
      const error = codec.replyFailure(body, form, tokens !== undefined);
      if (error !== undefined) {
        this.#refuseReply(head, body, error);
        return;
      }
      const next = translation?.followUp?.(body) ?? DONE;
      if (next.kind === "FAILED") {
        this.#refuse(this.#failedTask(head, next.httpStatus, next.message));
        return;
      }
      if (next.kind === "DONE") {
        if (this.options.asksEvents) this.#giveEvents({ head, body, tokens });
        else this.#giveAnswer({ head, body, tokens }, NO_FILES);
        return;
      }
      this.#over = true;
      this.#body.clear();
      if (next.kind === "ASK") listener.onFollowUp(this, next.path);
      else {
        listener.onFiles(this, next.urls, (files) => {
          this.#giveAnswer({ head, body, tokens }, files);
        });
      }
    } catch (thrown) {
      this.#bug(thrown);
    }
  }

  /** A whole reply where a stream was asked for becomes one. */
  #giveEvents(reply: WholeReply): void {
    const { passage, translation } = this.options;
    const events = replyEvents(reply.body, passage.form);
    if (events !== undefined) {
      this.#body.clear();
      const relay = this.#relayOf(eventsHead(reply.head));
      relay.push(events);
      this.#endStream(relay);
    } else if (translation === undefined) this.#giveAnswer(reply, NO_FILES);
    else this.#refuse(this.#garbage("no stream"));
  }

  #giveAnswer(reply: WholeReply, files: readonly Buffer[]): void {
    const { head, body, tokens } = reply;
    const { listener, passage, translation, endpoint, context, id } = this.options;
    try {
      const answer = translation === undefined ? body : translation.reply(body, files);
      this.#over = true;
      if (endpoint.form !== "OTHER")
        context.traces?.answered(id, () => passage.codec.replyFacts(body));
      listener.onReply(this, this.#callerHead(head), answer, tokens);
      this.#body.clear();
    } catch (thrown) {
      const isReplys = thrown instanceof Fault && thrown.code === "upstream_error";
      if (this.#over) this.#bug(thrown);
      else if (isReplys) {
        this.#refuse(this.failedInside(JSON.stringify({ error: thrown.publicMessage })));
      } else this.#bug(thrown);
    }
  }

  /** The head as the caller gets it. */
  #callerHead(head: ReplyHead): ReplyHead {
    const { translation, endpoint, id } = this.options;
    return translation === undefined
      ? head
      : translatedHead(head, {
          contentType: translation.contentType,
          dialect: endpoint.dialect,
          id,
        });
  }

  #source(head: ReplyHead): StreamSource {
    const { passage, translation, usageAsked } = this.options;
    const events = isEvents(head);
    const strip = usageAsked && events ? new UsageStripper() : undefined;
    const { codec, form } = passage;
    const tap = this.#decoder ?? this.flight;
    const edit = translation?.stream() ?? strip;
    return { codec, form, events, edit, tap, unpacker: this.#decoder };
  }

  onFail(failure: UpstreamFailure): void {
    if (this.#over) return;
    if (this.#relay !== undefined) this.#flush(this.#relay, false);
    if (this.#isOver()) return;
    if (this.#relay?.headSent === true) {
      this.#over = true;
      this.options.listener.onStreamCut(this, failure);
      return;
    }
    this.#refuseUnread(this.#head, notServed(failure, this.httpStatus));
  }

  /** The rest of the reply cannot be read. An error reply is judged all the same, with what has come of it. */
  #refuseUnread(head: ReplyHead | undefined, failure: AttemptFailure): void {
    if (head !== undefined && head.httpStatus >= 400) this.#judge(head);
    else this.#refuse(failure);
  }

  /** Passes on what has come before the end, which may show that the stream opened with an error. */
  #flush(relay: Relay, isWhole: boolean): void {
    try {
      if (isWhole) relay.flushLast();
      else relay.flush();
    } catch (thrown) {
      this.#bug(thrown);
    }
  }

  /** Asked after a step that may have ended this attempt. */
  #isOver(): boolean {
    return this.#over;
  }

  /** The first events of a stream said that the call failed. False where neither another key nor another way of asking would help. */
  refuseOpening(error: string): boolean {
    const failure = this.failedInside(error);
    const isRefused = failure.elsewhere || this.#mayAskOtherwise(failure);
    if (isRefused) this.#refuse(failure);
    return isRefused;
  }

  #mayAskOtherwise(failure: AttemptFailure): boolean {
    if (saysResponsesOnly(failure)) return this.options.passage.form === "CHAT";
    return this.options.usageAsked && refusesUsageOption(failure);
  }

  #relayOf(head: ReplyHead): Relay {
    const source = this.#source(head);
    this.#relay = this.options.listener.onStream(this, this.#callerHead(head), source);
    return this.#relay;
  }

  /** The head says nothing of a stream, but the body is no JSON: it is a stream all the same, or anything else. */
  #startOther(head: ReplyHead, begin: Buffer): boolean {
    if (beginsLikeEvents(begin)) return this.#startRelay(eventsHead(head));
    if (this.options.translation === undefined) return this.#startRelay(head);
    this.#refuse(this.#garbage("no stream"));
    return true;
  }

  /** What has come goes on, and the rest as it comes. */
  #startRelay(head: ReplyHead): boolean {
    const relay = this.#relayOf(head);
    const begin = this.#body.whole();
    this.#body.clear();
    return relay.push(begin);
  }

  #judge(head: ReplyHead): void {
    if (this.#over) return;
    try {
      const text = redact(withoutMark(this.#body.whole()).toString("utf8"), this.options.secret);
      const nowMs = this.options.context.clock.now();
      this.#refuse(refused(head, text, nowMs, () => this.#refusal(head, text)));
    } catch (thrown) {
      this.#bug(thrown);
    }
  }

  /** The provider's own refusal, as the caller can read it. */
  #refusal(head: ReplyHead, text: string): AttemptFailure["reply"] {
    const { translation } = this.options;
    const httpStatus = callersStatus(head.httpStatus);
    const body = translation === undefined ? text : translation.error(httpStatus, text);
    return { head: { ...this.#callerHead(head), httpStatus }, body };
  }

  #garbage(what: string): AttemptFailure {
    return garbage(what, this.httpStatus);
  }

  /** What it means that the provider told an error inside its reply; `error` as `toldError` makes it. */
  failedInside(error: string): AttemptFailure {
    return failedInside(redact(error, this.options.secret), this.options.context.clock.now());
  }

  #failedTask(head: ReplyHead, httpStatus: number, message: string): AttemptFailure {
    this.taskFailed = true;
    const detail = redact(message, this.options.secret).slice(0, DETAIL_CHARS_MAX);
    const reply = this.#refusal({ ...head, httpStatus }, JSON.stringify({ message: detail }));
    return failedTask(detail, httpStatus, reply);
  }

  #refuse(failure: AttemptFailure): void {
    this.abort();
    this.options.listener.onRefused(this, failure);
  }
}
