/** `http` or `https` and a host, without user or password; what follows is a path, a query or nothing. */
const ABSOLUTE = /^https?:\/\/[^/?#@\\]+(?=[/?]|$)/i;

/**
 * The path and query of a target. A caller that takes us for its proxy names the whole address, which a server has
 * to accept (RFC 9112 §3.2.2); to which host it wanted to go is of no meaning here.
 */
export function pathOf(target: string): string {
  if (target.startsWith("/")) return target;
  const origin = ABSOLUTE.exec(target)?.[0];
  if (origin === undefined) return target;
  const path = target.slice(origin.length);
  return path.startsWith("/") ? path : `/${path}`;
}
