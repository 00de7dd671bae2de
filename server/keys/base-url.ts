import { invalidField } from "../core/fault.js";

export const BASE_URL_CHARS_MAX = 255;

/**
 * The shape of a provider's base URL: absolute, http or https, without user, query, fragment or trailing
 * slash. Whether the address may be called at all is for the upstream policy to say.
 */
export function cleanBaseUrl(field: string, raw: string): string {
  const text = raw.trim();
  if (text.length > BASE_URL_CHARS_MAX) {
    throw invalidField(field, `must have at most ${String(BASE_URL_CHARS_MAX)} characters`);
  }
  // A backslash or white space is read differently by different parsers.
  if (/[\s\\]/u.test(text)) throw invalidField(field, "must not hold spaces or backslashes");
  if (!URL.canParse(text) || !/^https?:\/\//iu.test(text)) {
    throw invalidField(field, "must be an absolute http or https URL");
  }
  const url = new URL(text);
  if (url.username !== "" || url.password !== "" || text.includes("@")) {
    throw invalidField(field, "must not hold a user or password");
  }
  if (text.includes("?") || text.includes("#")) {
    throw invalidField(field, "must not hold a query or a fragment");
  }
  if (url.hostname === "" || url.hostname.endsWith(".")) {
    throw invalidField(field, "must name a host without a trailing dot");
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, "");
}

/** Scheme, host and port to which a provider's secrets are bound. */
export function originOf(baseUrl: string): string {
  return new URL(baseUrl).origin;
}
