const LOOPBACK = /^(127\.|::1$|localhost$)/;

/** True for an address that only programs of this host reach. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}
