import type { TokenUsage } from "../../core/call.js";
import type { Lease } from "../../core/lease.js";
import type { Secret } from "../../core/secret.js";
import type { UpstreamFailure } from "../../upstream/failure.js";
import type { AdmittedCall } from "../admitted-call.js";
import type { AttemptFailure } from "./attempt-failure.js";
import type { Expected } from "../reply/expected-reply.js";
import type { Passage } from "../route/passages.js";
import type { Relay } from "../reply/relay.js";
import type { StreamSource } from "../reply/relay-options.js";
import type { ReplyHead } from "../reply/reply-head.js";
import type { RoundTrip } from "./round-trip.js";

/** Hears what a round trip amounts to. Its end is told once, unless it is aborted. */
export interface RoundTripListener {
  /** A good reply has begun that goes on as it comes; answers where to. */
  onStream(trip: RoundTrip, head: ReplyHead, source: StreamSource): Relay;
  onStreamEnd(trip: RoundTrip): void;
  /** The stream broke off after its head went to the caller. */
  onStreamCut(trip: RoundTrip, failure: UpstreamFailure): void;
  /** A good reply, for the caller; `tokens` as the provider counted them, undefined if it did not. */
  onReply(trip: RoundTrip, head: ReplyHead, body: Buffer, tokens: TokenUsage | undefined): void;
  /** The reply is no answer yet: the provider must be asked again, here. */
  onFollowUp(trip: RoundTrip, path: string): void;
  /** The reply names what the answer has to hold: once it is here, `use` makes the answer. */
  onFiles(trip: RoundTrip, urls: readonly string[], use: (files: readonly Buffer[]) => void): void;
  /** The caller got nothing. */
  onRefused(trip: RoundTrip, failure: AttemptFailure): void;
  /** A step of our own code threw: neither the provider nor the caller is to blame. */
  onBug(thrown: unknown): void;
}

export interface RoundTripOptions extends Expected {
  readonly call: AdmittedCall;
  readonly lease: Lease;
  readonly secret: Secret;
  readonly passage: Passage;
  /** The stream's usage was asked for by us. */
  readonly usageAsked: boolean;
  /** The caller wants a stream of chat to tell usage. */
  readonly usageWanted: boolean;
  readonly listener: RoundTripListener;
}
