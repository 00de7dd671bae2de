/** What an upstream connection may take. */
export interface UpstreamLimits {
  /** Sockets to one origin; more calls than this wait. */
  readonly socketsPerOriginMax: number;
  /** Calls that wait for a socket of one origin, users in turn; beyond this, the user who has the most loses one. */
  readonly waitingPerOriginMax: number;
  /**
   * Origins with a pool of their own; beyond this, the user who has opened the most loses the least recently used idle
   * one.
   */
  readonly originsMax: number;
  /** From the first packet to an open (TLS) connection. */
  readonly connectTimeoutMs: number;
  /** How long a call may wait for a free socket. */
  readonly socketWaitMs: number;
  /** Silence inside a body. Reasoning models pause for minutes, so not less than that. */
  readonly idleTimeoutMs: number;
  /** A caller that stops reading holds an upstream socket; after this the call is cut. */
  readonly stallTimeoutMs: number;
  /** A whole call, even while bytes flow. */
  readonly totalTimeoutMs: number;
  /** How long an unused connection to a provider stays open. */
  readonly keepAliveMs: number;
  /** The head of a reply; a longer one is none, and the attempt failed. */
  readonly replyHeaderBytesMax: number;
  /** The body of a reply; one that goes on breaks off there. */
  readonly replyBodyBytesMax: number;
}

/** Sockets to one origin at least, where fewer calls may be under way. */
const SOCKETS_PER_ORIGIN = 8192;

export const UPSTREAM_LIMITS: UpstreamLimits = {
  socketsPerOriginMax: SOCKETS_PER_ORIGIN,
  waitingPerOriginMax: 4096,
  originsMax: 512,
  connectTimeoutMs: 5_000,
  socketWaitMs: 10_000,
  idleTimeoutMs: 300_000,
  stallTimeoutMs: 300_000,
  totalTimeoutMs: 3_600_000,
  keepAliveMs: 60_000,
  replyHeaderBytesMax: 16 * 1024,
  replyBodyBytesMax: 512 * 1024 * 1024,
};

/**
 * A socket for each call that may be under way: of those some are left to others, however many calls of one user last,
 * and so there are sockets left of any origin.
 */
export function socketsFor(callsMax: number): Pick<UpstreamLimits, "socketsPerOriginMax"> {
  return { socketsPerOriginMax: Math.max(SOCKETS_PER_ORIGIN, callsMax) };
}
