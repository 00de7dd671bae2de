import type { ParsedRequest } from "../../caller/request-head.js";
import { Fault } from "../../core/fault.js";
import type { PresentedKey } from "../../core/presented-key.js";
import { RepeatedText } from "../../core/repeated-text.js";
import type { Dialect } from "../../core/provider.js";
import { HeaderBlock } from "../../http/header-block.js";
import type { HeaderLines } from "../../http/header-lines.js";
import { isHost } from "../../http/host-name.js";
import { HeaderTable } from "../../http/header-table.js";

/** What the head of a request says that matters here, and what of it goes on to the provider. */
export interface RequestHead {
  /** In the order sent. */
  forward: HeaderBlock;
  contentType: string;
  /** The caller named `anthropic-version`. */
  hasAnthropicVersion: boolean;
  /** The key that it presents, once somebody has asked for it. */
  presented: PresentedKey | undefined;
  authorization: string | undefined;
  xApiKey: string | undefined;
  /** Azure's name for it. */
  apiKey: string | undefined;
  xGoogApiKey: string | undefined;
  /** What the caller calls its session; empty if nothing. */
  session: string;
  /** What proxies on the way say of the caller's address; empty if nothing. */
  forwardedFor: string;
  /** And of what it spoke with the first of them; empty if nothing. */
  forwardedProto: string;
  /** By what name the caller knows this server; empty if it does not say. */
  host: string;
  /** The caller's span, as sent; empty if none. It does not go on to providers. */
  traceparent: string;
  /** Another protocol that the caller would rather speak; empty if none. */
  upgrade: string;
}

type Part =
  | "FORWARD"
  | "HOST"
  | "CONTENT_ENCODING"
  | "CONTENT_TYPE"
  | "VERSION"
  | "AUTHORIZATION"
  | "X_API_KEY"
  | "API_KEY"
  | "X_GOOG_API_KEY"
  | "SESSION"
  | "FORWARDED_FOR"
  | "FORWARDED_PROTO"
  | "TRACEPARENT"
  | "UPGRADE"
  | "STAYS";

/**
 * Headers that go on to providers. Everything else stays here: cookies, addresses, the caller's own
 * organisation and credentials, and whatever a header may mean to a proxy on the way.
 */
const HEADERS = new HeaderTable<Part>(
  {
    host: "HOST",
    "content-encoding": "CONTENT_ENCODING",
    "content-type": "CONTENT_TYPE",
    "anthropic-version": "VERSION",
    authorization: "AUTHORIZATION",
    "x-api-key": "X_API_KEY",
    "api-key": "API_KEY",
    "x-goog-api-key": "X_GOOG_API_KEY",
    "x-session-affinity": "SESSION",
    "x-session-id": "SESSION",
    session_id: "SESSION",
    "x-claude-code-session-id": "SESSION",
    // By which xAI finds its prompt cache again.
    "x-grok-conv-id": "SESSION",
    "x-forwarded-for": "FORWARDED_FOR",
    "x-forwarded-proto": "FORWARDED_PROTO",
    traceparent: "TRACEPARENT",
    upgrade: "UPGRADE",
    // Alibaba's word for a part of its account, as others have organisations and projects.
    "x-dashscope-workspace": "STAYS",
    accept: "FORWARD",
    "accept-language": "FORWARD",
    "user-agent": "FORWARD",
    "anthropic-beta": "FORWARD",
    "anthropic-dangerous-direct-browser-access": "FORWARD",
    "openai-beta": "FORWARD",
    "idempotency-key": "FORWARD",
    "x-goog-api-client": "FORWARD",
    // How long Google may work on it: without it five minutes.
    "x-server-timeout": "FORWARD",
    "x-app": "FORWARD",
    "x-title": "FORWARD",
    "http-referer": "FORWARD",
    originator: "FORWARD",
    version: "FORWARD",
    conversation_id: "FORWARD",
    "x-client-request-id": "FORWARD",
    "x-openai-subagent": "FORWARD",
  },
  {
    "x-stainless-": "FORWARD",
    "x-codex-": "FORWARD",
    "x-claude-code-": "FORWARD",
    "x-opencode-": "FORWARD",
    "x-dashscope-": "FORWARD",
    "x-goog-upload-": "FORWARD",
  },
);

const contentTypes = new RepeatedText();

/** How headers are counted that may come once only, by the mark each sets. */
const ONCE: Partial<Record<Part, number>> = {
  HOST: 1,
  AUTHORIZATION: 2,
  X_API_KEY: 4,
  API_KEY: 8,
  X_GOOG_API_KEY: 16,
  CONTENT_TYPE: 32,
  CONTENT_ENCODING: 64,
};

/**
 * Reads what the head of a request says where it stands. Throws Fault `malformed_request` for heads that two
 * readers could understand in two ways.
 */
export function readHead(request: ParsedRequest, linesMax: number): RequestHead {
  if (request.target.includes("#")) refuse("a path holds no fragment");
  if (request.lines.length > linesMax * 4) refuse("too many header lines");
  const head = emptyHead();
  const seen = readLines(head, request.lines);
  if (request.minor === 1 && (seen & 1) === 0) refuse("it names no host");
  const { named } = request.lines;
  if (named.length > 0) head.forward = head.forward.without(named);
  return head;
}

/**
 * Whose client asks, where that shows: of Anthropic's by the version that they name, of Google's by where they put
 * their key. All others are taken for OpenAI's.
 */
export function spokenIn(head: RequestHead, query: string): Dialect {
  if (head.hasAnthropicVersion) return "ANTHROPIC";
  if (head.xGoogApiKey !== undefined && head.xGoogApiKey !== "") return "GEMINI";
  return query !== "" && /(?:^|&)key=[^&]/.test(query) ? "GEMINI" : "OPENAI";
}

function emptyHead(): RequestHead {
  return {
    forward: new HeaderBlock(),
    contentType: "",
    hasAnthropicVersion: false,
    presented: undefined,
    authorization: undefined,
    xApiKey: undefined,
    apiKey: undefined,
    xGoogApiKey: undefined,
    session: "",
    forwardedFor: "",
    forwardedProto: "",
    host: "",
    traceparent: "",
    upgrade: "",
  };
}

/** Answers the marks of what was there. */
function readLines(head: RequestHead, lines: HeaderLines): number {
  const { length } = lines;
  let seen = 0;
  /** From here on all lines go on. */
  let from = 0;
  for (let i = 0; i < length; i += 4) {
    const known = HEADERS.find(lines, i);
    if (known !== undefined) {
      const { name, means } = known;
      if (means === "FORWARD") continue;
      const mark = ONCE[means] ?? 0;
      if ((seen & mark) !== 0) refuse(`the ${name} header is there twice`);
      seen |= mark;
      const value =
        means === "CONTENT_TYPE" ? lines.repeatedValue(i, contentTypes) : lines.value(i);
      if (take(head, means, value)) continue;
    }
    head.forward.addRead(lines, from, i);
    from = i + 4;
  }
  head.forward.addRead(lines, from, length);
  return seen;
}

/** True for what goes on as well. */
function take(head: RequestHead, part: Part, value: string): boolean {
  switch (part) {
    case "CONTENT_ENCODING":
      if (value.trim().toLowerCase() !== "identity") refuse("compressed bodies are not taken");
      return false;
    case "AUTHORIZATION":
      head.authorization = value;
      return false;
    case "X_API_KEY":
      head.xApiKey = value;
      return false;
    case "API_KEY":
      head.apiKey = value;
      return false;
    case "X_GOOG_API_KEY":
      head.xGoogApiKey = value;
      return false;
    case "UPGRADE":
      head.upgrade = value;
      return false;
    case "STAYS":
      return false;
    case "FORWARDED_FOR":
      // Each proxy may add a line of its own; they count as one list.
      head.forwardedFor = head.forwardedFor === "" ? value : `${head.forwardedFor},${value}`;
      return false;
    case "FORWARDED_PROTO":
      head.forwardedProto = value;
      return false;
    case "HOST":
      head.host = hostOf(value);
      return false;
    case "TRACEPARENT":
      // Two are none: joined, they cannot be read as one.
      head.traceparent = head.traceparent === "" ? value : `${head.traceparent},${value}`;
      return false;
    default:
      return takeForwarded(head, part, value);
  }
}

/** The last one, for nearly all callers say the same. */
let knownHost = "";

function hostOf(value: string): string {
  if (value !== knownHost && !isHost(value)) refuse("its host is no name and no address");
  knownHost = value;
  return value;
}

function takeForwarded(head: RequestHead, part: Part, value: string): boolean {
  if (part === "CONTENT_TYPE") head.contentType = value;
  else if (part === "VERSION") head.hasAnthropicVersion = value !== "";
  else if (part === "SESSION" && head.session === "") head.session = value;
  return value !== "";
}

function refuse(reason: string): never {
  throw new Fault("malformed_request", `The request head is not acceptable: ${reason}.`);
}
