import type { Principal } from "../core/client-key.js";
import { Fault } from "../core/fault.js";
import type { LastKey } from "../core/presented-key.js";
import { CharSet } from "../http/char-set.js";
import type { GatewayContext } from "./context.js";
import type { Match } from "./route/match.js";
import { uploadIn } from "./request/uploads.js";
import type { Authenticator } from "./ports.js";
import type { RequestHead } from "./request/request-head.js";

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
