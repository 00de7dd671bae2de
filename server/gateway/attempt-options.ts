import type { TokenUsage } from "../core/call.js";
import type { Holder } from "../core/client-key.js";
import type { Lease } from "../core/lease.js";
import type { Secret } from "../core/secret.js";
import type { UpstreamFailure } from "../upstream/failure.js";
import type { Attempt } from "./attempt.js";
import type { AttemptFailure } from "./attempt-failure.js";
import type { GatewayContext } from "./context.js";
import type { Expected } from "./expected-reply.js";
import type { Passage } from "./passages.js";
import type { Relay, StreamSource } from "./relay.js";
import type { ReplyHead } from "./reply-head.js";

/** Hears how an attempt goes. Its end is told once, unless it is aborted. */
export interface AttemptListener {
  /** The head of a good reply that will be streamed; answers where to. */
  onStream(attempt: Attempt, head: ReplyHead, source: StreamSource): Relay;
  /** A good reply, for the caller; `tokens` as the provider counted them, undefined if it did not. */
  onReply(attempt: Attempt, head: ReplyHead, body: Buffer, tokens: TokenUsage | undefined): void;
  /** The reply is no answer yet: the provider must be asked again, here. */
  onFollowUp(attempt: Attempt, path: string): void;
  /** The reply names what the answer has to hold: once it is here, `use` makes the answer. */
  onFiles(attempt: Attempt, urls: readonly string[], use: (files: readonly Buffer[]) => void): void;
  onRefused(attempt: Attempt, failure: AttemptFailure): void;
  onStreamEnd(attempt: Attempt): void;
  onStreamCut(attempt: Attempt, failure: UpstreamFailure): void;
  /** A step of our own code threw: neither the provider nor the caller is to blame. */
  onBug(thrown: unknown): void;
}

export interface AttemptOptions extends Expected {
  readonly lease: Lease;
  readonly secret: Secret;
  /** Of the call. */
  readonly id: string;
  readonly passage: Passage;
  /** The stream's usage was asked for by us. */
  readonly usageAsked: boolean;
  /** Our own rate limit headers replace the provider's. */
  readonly dropLimits: boolean;
  readonly context: GatewayContext;
  readonly holder: Holder;
  readonly listener: AttemptListener;
}
