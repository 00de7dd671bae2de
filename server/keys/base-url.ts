import { normalizeBaseUrl } from "../catalog/base-url.js";
import { invalidField } from "../core/fault.js";

/**
 * A provider's base URL as it is stored. Refuses also what different parsers could read differently.
 * Whether the address may be called at all is for the upstream policy to say. Throws `invalid_argument`.
 */
export function cleanBaseUrl(field: string, raw: string): string {
  const text = raw.trim();
  if (/[\s\\#]/u.test(text)) {
    throw invalidField(field, "must not hold spaces, backslashes or a fragment");
  }
  const normal = normalizeBaseUrl(text);
  if ([...new URL(normal).searchParams.keys()].some((name) => name !== "api-version")) {
    throw invalidField(field, "must not have a query, but for Azure's api-version");
  }
  if (new URL(normal).hostname.endsWith(".")) {
    throw invalidField(field, "must name its host without a trailing dot");
  }
  return normal;
}
