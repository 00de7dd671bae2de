/** What the proxy port takes of a connection of a caller. */
export interface CallerLimits {
  readonly headerBytesMax: number;
  /** From the first byte of a request to the end of its head; on a fresh connection, from its begin. */
  readonly headTimeoutMs: number;
  /** From the first byte of a request to the end of its body. */
  readonly requestTimeoutMs: number;
  /** How often the timeouts are looked at. */
  readonly timeoutCheckMs: number;
  /** How long an unused caller connection stays open. */
  readonly keepAliveMs: number;
  /** A caller connection on which nothing moves either way is closed; longer than any reply may take to begin. */
  readonly callerIdleMs: number;
  /** Answers that wait for callers to read them; beyond it the user who has most of them loses the oldest. */
  readonly unreadBytesMax: number;
  /** Connections of callers; more are closed without an answer. */
  readonly callerSocketsMax: number;
}
