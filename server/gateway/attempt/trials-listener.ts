import type { TokenUsage } from "../../core/call.js";
import type { Fault } from "../../core/fault.js";
import type { UpstreamFailure } from "../../upstream/failure.js";
import type { AttemptFailure } from "./attempt-failure.js";
import type { Relay } from "../reply/relay.js";
import type { StreamSource } from "../reply/relay-options.js";
import type { ReplyHead } from "../reply/reply-head.js";

/**
 * Hears what comes of the trials. `onReply` is an answer, `onStream` begins one, which `onStreamEnd` or `onStreamCut` ends.
 * Without an answer `onExhausted` or `onBlocked` ends the call.
 */
export interface TrialsListener {
  /** `tokens` as the provider counted them; undefined if it did not. */
  onReply(head: ReplyHead, body: Buffer, tokens: TokenUsage | undefined): void;
  onStream(head: ReplyHead, source: StreamSource): Relay;
  onStreamEnd(): void;
  onStreamCut(failure: UpstreamFailure): void;
  /** The stream that may have begun is no more, and nothing of it has gone out. */
  onStreamDropped(): void;
  /** Nothing served the call: the failure that says most, and why no further key could be tried. */
  onExhausted(failure: AttemptFailure | undefined, poolFault: Fault | undefined): void;
  /** No key, or no other one, can do better. */
  onBlocked(fault: Fault): void;
  onBug(thrown: unknown): void;
}
