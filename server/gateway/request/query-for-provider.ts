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
