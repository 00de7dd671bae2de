/** The caller's span, as its `traceparent` header names it. */
export interface TraceParent {
  /** 32 hexadecimal digits, lower case. */
  readonly traceId: string;
  /** 16 hexadecimal digits, lower case. */
  readonly spanId: string;
  /** The caller records this trace, so the rest of it is wanted too. */
  readonly sampled: boolean;
}

/** Later versions may add more after the flags; version ff is invalid, and ids of zeros name nothing. */
const HEADER =
  /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Reads a W3C `traceparent`; undefined when it is missing or not one, and then the trace begins here. */
export function parseTraceParent(header: string): TraceParent | undefined {
  if (header === "") return undefined;
  const [, version, traceId, spanId, flags, rest] = HEADER.exec(header.trim()) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (version === "00" && rest !== undefined) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
