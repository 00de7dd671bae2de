import type { Principal } from "../core/client-key.js";
import { Fault } from "../core/fault.js";
import type { LastKey } from "../core/presented-key.js";
import { CharSet } from "../http/char-set.js";
import type { GatewayContext } from "./context.js";
import type { Match } from "./match.js";
import { uploadIn } from "./uploads.js";
import type { Authenticator } from "./ports.js";
import type { RequestHead } from "./request-head.js";

/**
 * Who calls. The first carrier that holds anything decides: `Authorization: Bearer`, `x-api-key`,
 * `api-key`, `x-goog-api-key`, `?key=`. If what it holds is no good the call is refused, never tried with the next.
 * `lastKey`: of the connection. Throws Fault `missing_api_key` and whatever the authenticator throws.
 */
export function authenticate(
  authenticator: Authenticator,
  lastKey: LastKey,
  request: { readonly head: RequestHead; readonly query: string; readonly ip: string },
): Principal {
  const { head, query, ip } = request;
  head.presented ??= lastKey.of(presentedIn(head, query));
  return authenticator.authenticate(head.presented, ip);
}

/** Throws Fault `missing_api_key`, and `invalid_api_key` for what is no key at all. */
function presentedIn(head: RequestHead, query: string): string {
  const presented = credentialOf(head, query);
  if (presented === undefined) {
    throw new Fault(
      "missing_api_key",
      "No API key was sent. Send a Latchkey client key as Authorization: Bearer, x-api-key or x-goog-api-key.",
    );
  }
  return presented;
}

type CallerPorts = Pick<GatewayContext, "authenticator" | "uploads">;

/** A call of which it is not known who makes it. */
interface UnknownCall {
  readonly head: RequestHead;
  readonly query: string;
  readonly ip: string;
  readonly match: Match;
  readonly connection: { readonly lastKey: LastKey };
}

/**
 * Who makes a call: as `authenticate` says, or who began the upload that a request without a key goes on with. Throws
 * what `authenticate` does.
 */
export function callerOf({ authenticator, uploads }: CallerPorts, call: UnknownCall): Principal {
  try {
    return authenticate(authenticator, call.connection.lastKey, call);
  } catch (thrown) {
    const isNameless = thrown instanceof Fault && thrown.code === "missing_api_key";
    if (!isNameless || !call.match.endpoint.uploads) throw thrown;
    const began = uploads.callerOf(uploadIn(call.query), call.ip);
    // Its key may have been changed since.
    const caller = began === undefined ? undefined : authenticator.renewed(began, call.ip);
    if (caller === undefined) throw thrown;
    return caller;
  }
}

/** What the caller presents; undefined when every carrier is absent or empty. */
function credentialOf(head: RequestHead, query: string): string | undefined {
  const bearer = bearerOf(head.authorization);
  if (bearer !== undefined) return bearer;
  return (
    textOf(head.xApiKey) ??
    textOf(head.apiKey) ??
    textOf(head.xGoogApiKey) ??
    textOf(queryKey(query))
  );
}

/** Some SDKs send carriers that they do not use empty; those say nothing. */
function textOf(value: string | undefined): string | undefined {
  const text = value?.trim();
  return text === "" ? undefined : text;
}

const BEARER = "Bearer ";
const VISIBLE = new CharSet(/[!-~]/);

function bearerOf(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  // As nearly all clients say it.
  const key = value.startsWith(BEARER) ? value.slice(BEARER.length) : "";
  if (key !== "" && VISIBLE.isAllOf(key)) return key;
  const match = /^bearer(?:\s+(.*))?$/i.exec(value.trim());
  if (match !== null) return textOf(match[1]);
  if (value.trim() === "") return undefined;
  throw new Fault("invalid_api_key", "The Authorization header does not say Bearer and a key.");
}

function queryKey(query: string): string | undefined {
  if (!query.includes("key=")) return undefined;
  for (const part of query.split("&")) {
    if (!part.startsWith("key=")) continue;
    try {
      return decodeURIComponent(part.slice("key=".length));
    } catch {
      throw new Fault("invalid_api_key", "The key in the query is not well encoded.");
    }
  }
  return undefined;
}

/** Parameters that present a credential, to Google at least. */
const CREDENTIALS: ReadonlySet<string> = new Set(["key", "access_token", "oauth_token"]);
/** What may begin so speaks to Google of the request itself, such as of another method or content type. */
const OF_REQUEST = "$";
/** Of these what speaks of the reply alone. */
const OF_REPLY: ReadonlySet<string> = new Set(["$prettyPrint", "$outputDefaults", "$.xgafv"]);
/** By which Google leaves out of a reply what it used, or sends no JSON. */
const OF_PARTS: ReadonlySet<string> = new Set(["fields", "callback"]);
const FORMATS: ReadonlySet<string> = new Set(["alt", "$alt"]);
/** What can be read here, and the content of files. */
const READABLE = /^(?:json|sse|media)(?:;|$)/;
/** As the clients of Google's API ask for a stream. */
const EVENTS = "alt=sse";

/**
 * The query without what would speak for the request's head, or for a reply that cannot be read here; otherwise unchanged: a
 * client key is no provider's business, and what is asked for, with which credential, has been decided here.
 */
export function queryForProvider(query: string): string {
  if (query === "" || query === EVENTS) return query;
  // Names may be written in other ways.
  if (!/key|token|fields|callback|alt|[$%]/.test(query)) return query;
  return query
    .split("&")
    .filter((part) => !staysHere(part))
    .join("&");
}

function staysHere(part: string): boolean {
  const at = part.indexOf("=");
  const end = at < 0 ? part.length : at;
  const name = decodedAscii(part.slice(0, end));
  if (FORMATS.has(name)) return !READABLE.test(decodedAscii(part.slice(end + 1)));
  if (name.startsWith(OF_REQUEST)) return !OF_REPLY.has(name);
  return CREDENTIALS.has(name) || OF_PARTS.has(name);
}

/** A name with its ASCII characters as they are; others are in no name that matters here. */
function decodedAscii(name: string): string {
  if (!name.includes("%")) return name;
  return name.replaceAll(/%([0-7][\dA-Fa-f])/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
