import type { IncomingMessage } from "node:http";
import { Fault } from "../core/fault.js";

/** What the head of a request says that matters here, and what of it goes on to the provider. */
export interface RequestHead {
  /** Names and values in turn, in the order sent. */
  readonly forward: string[];
  /** Undefined without the header. */
  contentLength: number | undefined;
  chunked: boolean;
  contentType: string;
  /** The caller named `anthropic-version`, so it speaks that dialect. */
  hasAnthropicVersion: boolean;
  authorization: string | undefined;
  xApiKey: string | undefined;
  /** Azure's name for it. */
  apiKey: string | undefined;
  xGoogApiKey: string | undefined;
  /** What the caller calls its session; empty if nothing. */
  session: string;
  /** What proxies on the way say of the caller's address; empty if nothing. */
  forwardedFor: string;
  /** The caller's span, as sent; empty if none. It does not go on to providers. */
  traceparent: string;
}

type Part =
  | "FORWARD"
  | "HOST"
  | "CONTENT_LENGTH"
  | "TRANSFER_ENCODING"
  | "CONTENT_ENCODING"
  | "CONTENT_TYPE"
  | "CONNECTION"
  | "VERSION"
  | "AUTHORIZATION"
  | "X_API_KEY"
  | "API_KEY"
  | "X_GOOG_API_KEY"
  | "SESSION"
  | "FORWARDED_FOR"
  | "TRACEPARENT";

/**
 * Headers that go on to providers. Everything else stays here: cookies, addresses, the caller's own
 * organisation and credentials, and whatever a header may mean to a proxy on the way.
 */
const PARTS: ReadonlyMap<string, Part> = new Map<string, Part>([
  ["host", "HOST"],
  ["content-length", "CONTENT_LENGTH"],
  ["transfer-encoding", "TRANSFER_ENCODING"],
  ["content-encoding", "CONTENT_ENCODING"],
  ["connection", "CONNECTION"],
  ["content-type", "CONTENT_TYPE"],
  ["anthropic-version", "VERSION"],
  ["authorization", "AUTHORIZATION"],
  ["x-api-key", "X_API_KEY"],
  ["api-key", "API_KEY"],
  ["x-goog-api-key", "X_GOOG_API_KEY"],
  ["x-session-affinity", "SESSION"],
  ["x-session-id", "SESSION"],
  ["session_id", "SESSION"],
  ["x-claude-code-session-id", "SESSION"],
  ["x-forwarded-for", "FORWARDED_FOR"],
  ["traceparent", "TRACEPARENT"],
  ...[
    "accept",
    "accept-language",
    "user-agent",
    "anthropic-beta",
    "anthropic-dangerous-direct-browser-access",
    "openai-beta",
    "idempotency-key",
    "x-goog-api-client",
    "x-app",
    "x-title",
    "http-referer",
    "originator",
    "version",
    "conversation_id",
    "x-client-request-id",
    "x-openai-subagent",
  ].map((name) => [name, "FORWARD"] as const),
]);

const FORWARD_PREFIXES = [
  "x-stainless-",
  "x-codex-",
  "x-claude-code-",
  "x-opencode-",
  "x-dashscope-",
];

/** What the parser lets pass although no client sends it. */
export function checkRequestLine(req: IncomingMessage, url: string): void {
  if (req.httpVersionMajor !== 1) throw new Fault("malformed_request", "Speak HTTP/1.1.");
  if (url.includes("#")) throw new Fault("malformed_request", "A path holds no fragment.");
}

/** How headers are counted that may come once only, by the mark each sets. */
const ONCE: Partial<Record<Part, number>> = {
  HOST: 1,
  CONTENT_LENGTH: 2,
  TRANSFER_ENCODING: 4,
  AUTHORIZATION: 8,
  X_API_KEY: 16,
  X_GOOG_API_KEY: 32,
  CONTENT_TYPE: 64,
  CONTENT_ENCODING: 128,
  API_KEY: 256,
};

/**
 * Reads the head in one pass over the raw list, for the parsed object joins and drops what must be seen.
 * `needsHost`: the request's version asks for a host. Throws Fault `malformed_request` for heads that two
 * parsers could read in two ways.
 */
export function readHead(
  rawHeaders: readonly string[],
  linesMax: number,
  needsHost: boolean,
): RequestHead {
  const head: RequestHead = {
    forward: [],
    contentLength: undefined,
    chunked: false,
    contentType: "",
    hasAnthropicVersion: false,
    authorization: undefined,
    xApiKey: undefined,
    apiKey: undefined,
    xGoogApiKey: undefined,
    session: "",
    forwardedFor: "",
    traceparent: "",
  };
  if (rawHeaders.length > linesMax * 2) refuse("too many header lines");
  let seen = 0;
  let connection = "";
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] ?? "").toLowerCase();
    const value = rawHeaders[i + 1] ?? "";
    const part = PARTS.get(name);
    if (part === undefined) {
      if (FORWARD_PREFIXES.some((prefix) => name.startsWith(prefix)))
        head.forward.push(name, value);
      continue;
    }
    if (part === "FORWARD") {
      head.forward.push(name, value);
      continue;
    }
    if (part === "CONNECTION") connection = connection === "" ? value : `${connection},${value}`;
    const mark = ONCE[part] ?? 0;
    if ((seen & mark) !== 0) refuse(`the ${name} header is there twice`);
    seen |= mark;
    take(head, part, name, value);
  }
  checkSeen(seen, needsHost);
  if (connection !== "") dropNamed(head.forward, connection);
  return head;
}

function checkSeen(seen: number, needsHost: boolean): void {
  if (needsHost && (seen & 1) === 0) refuse("it names no host");
  if ((seen & 6) === 6) refuse("both a length and chunked transfer are given");
}

function take(head: RequestHead, part: Part, name: string, value: string): void {
  switch (part) {
    case "CONTENT_LENGTH":
      if (!/^\d{1,15}$/.test(value)) refuse("the content length is not a number");
      head.contentLength = Number(value);
      return;
    case "TRANSFER_ENCODING":
      if (value.trim().toLowerCase() !== "chunked") refuse("only chunked transfer is understood");
      head.chunked = true;
      return;
    case "CONTENT_ENCODING":
      if (value.trim().toLowerCase() !== "identity") refuse("compressed bodies are not taken");
      return;
    case "AUTHORIZATION":
      head.authorization = value;
      return;
    case "X_API_KEY":
      head.xApiKey = value;
      return;
    case "API_KEY":
      head.apiKey = value;
      return;
    case "X_GOOG_API_KEY":
      head.xGoogApiKey = value;
      return;
    case "FORWARDED_FOR":
      // Each proxy may add a line of its own; they count as one list.
      head.forwardedFor = head.forwardedFor === "" ? value : `${head.forwardedFor},${value}`;
      return;
    case "TRACEPARENT":
      // Two are none: joined, they cannot be read as one.
      head.traceparent = head.traceparent === "" ? value : `${head.traceparent},${value}`;
      return;
    default:
      takeForwarded(head, part, name, value);
  }
}

function takeForwarded(head: RequestHead, part: Part, name: string, value: string): void {
  if (part === "HOST" || part === "CONNECTION") return;
  if (part === "CONTENT_TYPE") head.contentType = value;
  else if (part === "VERSION") head.hasAnthropicVersion = value !== "";
  else if (part === "SESSION" && head.session === "") head.session = value;
  if (value !== "") head.forward.push(name, value);
}

const CONNECTION_WORDS = new Set(["keep-alive", "close", "upgrade"]);

/** Headers that `Connection` names are for this hop alone. */
function dropNamed(forward: string[], connection: string): void {
  for (const word of connection.split(",")) {
    const name = word.trim().toLowerCase();
    if (CONNECTION_WORDS.has(name)) continue;
    for (let i = forward.length - 2; i >= 0; i -= 2) {
      if (forward[i] === name) forward.splice(i, 2);
    }
  }
}

function refuse(reason: string): never {
  throw new Fault("malformed_request", `The request head is not acceptable: ${reason}.`);
}
