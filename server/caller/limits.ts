/** What the proxy port allows a caller's connection. */
export interface CallerLimits {
  /** The head of a request: its first line and its header lines. */
  readonly headerBytesMax: number;
  /** From the first byte of a request to the end of its head; on a fresh connection, from when it was opened. */
  readonly headTimeoutMs: number;
  /** From the first byte of a request to the end of its body. */
  readonly requestTimeoutMs: number;
  /** How often the timeouts are looked at. */
  readonly timeoutCheckMs: number;
  /** How long an unused caller connection stays open. */
  readonly keepAliveMs: number;
  /** How long an unused caller connection stays open at least, also when a stop was asked for: its next request may be on its way. */
  readonly lastRequestMs: number;
  /** A caller connection on which nothing moves either way is closed; longer than any reply may take to begin. */
  readonly callerIdleMs: number;
  /**
   * Bytes of answers that wait for callers to read them; beyond this, the user who has the most loses the oldest
   * answer.
   */
  readonly unreadBytesMax: number;
  /** Connections at a time; of more, those are closed over which nobody has shown a good key, or else the newcomer. */
  readonly callerSocketsMax: number;
  /**
   * TLS handshakes that begin in a second, in turns between addresses; those of connections that show a good key are not
   * counted.
   */
  readonly handshakesPerSecond: number;
  /** TLS handshakes that begin at once where few came before. */
  readonly handshakesBurst: number;
}
