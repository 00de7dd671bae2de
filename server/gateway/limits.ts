import type { CallerLimits } from "../caller/limits.js";

/** What the proxy port takes from callers and gives to providers. */
export interface GatewayLimits extends CallerLimits {
  /** One request body. Agents send 90 KB to say hello, and images weigh megabytes. */
  readonly bodyBytesMax: number;
  /**
   * All bodies held at a time, of requests and of whole replies, shared out among users, then among their keys. Where
   * there is no room, requests are refused, and replies passed on unchecked or, if they are translated, refused.
   */
  readonly bodyBytesInFlightMax: number;
  /** What is held of all streams together; beyond it the user whose streams hold most loses the largest. */
  readonly streamBytesMax: number;
  /** Header lines of a request. */
  readonly headerLinesMax: number;
  /** Connections of one address, or its calls through trusted proxies; an IPv6 /64 counts as one, this host not at all. */
  readonly callerSocketsPerAddressMax: number;
  /** Refusals that callers of one address without a good key are told in a second; further ones a little later. */
  readonly refusalsPerSecond: number;
  /** The name of the model that a request asks for. */
  readonly modelIdCharsMax: number;
  /** Tries for one call in all. */
  readonly attemptsMax: number;
  /** Tries that failed at a provider which may have worked on them: these cost time and perhaps money. */
  readonly providerFailuresMax: number;
  /** How long the search for a key may wait for one to be back, from its start; if none will be by then, the call is refused at once. */
  readonly keyWaitMs: number;
  /** Calls that wait for a key at a time, half of them of a user with one client key; more are refused at once. */
  readonly waitingCallsMax: number;
  /** Until the head of a streamed reply. */
  readonly streamHeadTimeoutMs: number;
  /** Until the head of a whole reply, which providers send only when it is done. */
  readonly wholeHeadTimeoutMs: number;
  /** Between two questions about a task, where a provider works in tasks. */
  readonly taskPauseMs: number;
  /** Files that a reply names and the caller wants in it, all of one reply together. */
  readonly replyFilesBytesMax: number;
  /** A whole reply up to this size is checked before its head is sent, so that a bad one can be tried elsewhere. */
  readonly wholeReplyBytesMax: number;
  /** What translated responses take that are kept for callers who name them, all together. */
  readonly keptResponseBytesMax: number;
  /**
   * Ids of files, responses, conversations and the like of which is kept whose account holds them, and as many responses
   * whose usage is told later; of more, the user who has most loses some.
   */
  readonly homesMax: number;
  /** How much of an error reply is read. */
  readonly errorReplyBytesMax: number;
  /** From the head of an error reply to its end; then it is judged with what has come. */
  readonly errorReplyTimeoutMs: number;
  /** An event of a stream up to this size goes on in one piece. */
  readonly eventBytesMax: number;
  /** How long the head of a stream waits for its first event, which may still be a refusal. */
  readonly headHoldMs: number;
  /** How long the event loop looks for the next packet, after a call has begun or ended, before it waits for one. */
  readonly busyPollMicros: number;
  /** How long running calls may go on after a stop was asked for. */
  readonly drainTimeoutMs: number;
}

export const GATEWAY_LIMITS: GatewayLimits = {
  bodyBytesMax: 32 * 1024 * 1024,
  bodyBytesInFlightMax: 256 * 1024 * 1024,
  streamBytesMax: 128 * 1024 * 1024,
  headerBytesMax: 32 * 1024,
  headerLinesMax: 128,
  headTimeoutMs: 10_000,
  requestTimeoutMs: 120_000,
  timeoutCheckMs: 5_000,
  keepAliveMs: 120_000,
  lastRequestMs: 500,
  callerIdleMs: 900_000,
  unreadBytesMax: 128 * 1024 * 1024,
  callerSocketsMax: 16_384,
  handshakesPerSecond: 200,
  handshakesBurst: 400,
  callerSocketsPerAddressMax: 2_048,
  refusalsPerSecond: 100,
  modelIdCharsMax: 256,
  attemptsMax: 16,
  providerFailuresMax: 6,
  keyWaitMs: 10_000,
  waitingCallsMax: 2_048,
  streamHeadTimeoutMs: 120_000,
  wholeHeadTimeoutMs: 600_000,
  taskPauseMs: 1_500,
  replyFilesBytesMax: 16 * 1024 * 1024,
  wholeReplyBytesMax: 4 * 1024 * 1024,
  keptResponseBytesMax: 64 * 1024 * 1024,
  homesMax: 32_768,
  errorReplyBytesMax: 64 * 1024,
  errorReplyTimeoutMs: 5_000,
  eventBytesMax: 1024 * 1024,
  headHoldMs: 1_000,
  busyPollMicros: 0,
  drainTimeoutMs: 30_000,
};
