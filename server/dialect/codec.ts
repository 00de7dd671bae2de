import type { ReplyFacts, TokenUsage } from "../core/call.js";
import type { Dialect } from "../core/provider.js";

/** What went wrong, as a caller is told. */
export interface Problem {
  readonly httpStatus: number;
  /** A stable fault code. */
  readonly code: string;
  readonly message: string;
  /** What other systems match on exactly; usually the message. */
  readonly detail: string;
  readonly requestId: string;
  /** The member of the request that is refused; undefined where it is not a single one, or not known. */
  readonly field?: string | undefined;
}

/**
 * One API language: how it says errors and where it says usage. It looks at bytes that go by and never changes them. A
 * pair of dialects that are translated has an object of its own with the same `StreamWatch`.
 */
export interface DialectCodec {
  readonly dialect: Dialect;
  /** The JSON text of an error answer. */
  errorBody(problem: Problem): string;
  /**
   * An event that says the error on an open stream, such as every SDK of the dialect raises; for a stream whose events
   * say where they belong there are the `errorEvents` of what watches or translates it.
   */
  streamError(problem: Problem): string;
  /** What says nothing inside a stream but that it goes on; undefined where callers do not take it. */
  readonly signOfLife: Buffer | undefined;
  /** Tokens of a whole reply; undefined when it names none. */
  replyUsage(reply: Buffer, form: StreamForm): TokenUsage | undefined;
  /** What a whole reply tells of itself. It parses the reply, so it is called only where the answer is needed. */
  replyFacts(reply: Buffer): ReplyFacts;
  /**
   * The provider's own word that the call failed, where a reply of status 200 is an error all the same; as JSON text
   * such as answers over HTTP. `isCounted`: it told its tokens, as errors do not.
   */
  replyFailure(reply: Buffer, form: StreamForm, isCounted: boolean): string | undefined;
  /** Watches one stream of this kind: server-sent events if `isEvents`, else any bytes. */
  watch(form: StreamForm, isEvents: boolean): StreamWatch;
}

/** How a stream of this endpoint ends: each form has its own last event. */
export type StreamForm = "CHAT" | "RESPONSES" | "MESSAGES" | "GENERATE" | "OTHER";

/** What a stream begins with: the word that the call failed, nothing of a reply yet, or a reply. */
export type Opening = "ERROR" | "NOTHING" | "REPLY";

/** Learns from a stream what the ledger needs: whether it came to its end, and its tokens. */
export interface StreamWatch {
  /** What all that has come so far says, each piece once and until it says something: after an error another key may still serve. */
  opening(events: Buffer): Opening;
  /**
   * Where another reply begins in these events, which have not been pushed, in the midst of the one that is told: that one
   * broke off before. -1 for nearly all.
   */
  brokenAt?(events: Buffer): number;
  /** Takes the next whole events; must be cheap, since it runs on every read. */
  push(events: Buffer): void;
  /** What it keeps of the stream is about to be written over: what it may yet look for there it looks for now. */
  lookBack?(): void;
  /** True once the event that ends such a stream has gone by. */
  readonly finished: boolean;
  /** The id under which the provider may keep the reply, as the first event says it; empty if it says none. */
  readonly keptId: string;
  /** The id of what the reply was made in and lives on in the account, once it has ended; undefined if it names none. */
  madeIn?(): string | undefined;
  /** Bytes of the stream that it holds, roughly. */
  readonly keptBytes: number;
  /**
   * At the end of the stream: true when it is complete although no last event came, because this kind has
   * none or the reply said before why it stopped.
   */
  completeWithout(): boolean;
  /**
   * The provider's own word, in the last events, that the call failed, as the JSON text with which it would answer
   * over HTTP; undefined when it said no such thing.
   */
  failure(): string | undefined;
  /** The caller's last events of a stream that broke off; undefined where the codec's say all that is to say. */
  errorEvents?(problem: Problem): string | undefined;
  /** Tokens as far as the provider gave them; undefined if it gave none. */
  usage(): TokenUsage | undefined;
  /** The provider may have told a service tier where it is not kept: it is too long. */
  hidesTier?(): boolean;
  /** Seconds up to the end of the last passage, where it is subtitles. */
  spokenUntil?(): number | undefined;
  /** The part of its bytes that is what the model said, 0 to 1, judged by what is kept for the usage. */
  textShare(): number;
  /**
   * Bytes of all that the model has said, roughly, where a stream says some of it again; undefined where `textShare` tells
   * as much.
   */
  saidBytes?(): number | undefined;
  /** What the stream told of itself; read from what is kept for the usage, when it has ended. */
  facts(): ReplyFacts;
}

/** That a stream says the call failed, where only a reader of its events can tell. */
export interface StreamFailure {
  /** Before the model said anything. */
  readonly opening: boolean;
  /** As a watch gives it. */
  readonly error: string;
}

/** Changes a stream on its way from the provider to the caller. */
export interface StreamEdit {
  /** Undefined as long as it has not. */
  readonly failure: StreamFailure | undefined;
  /** Bytes that it holds of what it took, roughly. */
  readonly keptBytes: number;
  /** It holds none, ever. */
  readonly keepsNothing?: true;
  /**
   * Takes out of the provider's next whole events, where they are, what neither the caller nor a watch needs: what is left
   * of them, at their begin, which `push` gets. So no second copy is in memory while the caller is slow.
   */
  trim?(events: Buffer): Buffer;
  /** Takes the provider's next whole events; what comes back are whole events for the caller, or nothing. */
  push(events: Buffer): Buffer;
  /** The provider's stream is complete: the caller's last events, where no event of the provider said so. */
  end(): Buffer;
  /** The caller's last events of a stream that broke off; undefined where they are as if nothing were changed. */
  errorEvents?(problem: Problem): string;
}
