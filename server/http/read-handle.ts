/** What Node reads a socket with. */
export interface ReadHandle {
  /** The next reads land here. */
  useUserBuffer(buffer: Uint8Array): void;
}

/** Of a plain socket of Node that is open; undefined over TLS, and on a Node that keeps it elsewhere. */
export function readHandleOf(socket: object): ReadHandle | undefined {
  if ("encrypted" in socket) return undefined;
  const handle: unknown = Reflect.get(socket, "_handle");
  const reads = typeof handle === "object" && handle !== null && "useUserBuffer" in handle;
  return reads ? (handle as ReadHandle) : undefined;
}
