import type { AuthStyle, Dialect } from "../core/provider.js";
import type { Secret } from "../core/secret.js";
import type { HeaderBlock } from "../http/header-block.js";

/** Sent where the caller names no version; the oldest that Anthropic's API keeps. */
const ANTHROPIC_VERSION = "anthropic-version: 2023-06-01\r\n";

/**
 * Adds the headers with which a provider wants its key. The secret becomes text here and
 * nowhere else on the way out. `hasVersion` says that the caller sent `anthropic-version` itself.
 */
export function addAuth(
  headers: HeaderBlock,
  secret: Secret,
  provider: { readonly authStyle: AuthStyle; readonly dialect: Dialect },
  hasVersion: boolean,
): void {
  switch (provider.authStyle) {
    case "BEARER":
      headers.add("authorization", `Bearer ${secret.reveal()}`);
      break;
    case "X_API_KEY":
      headers.add("x-api-key", secret.reveal());
      break;
    case "X_GOOG_API_KEY":
      headers.add("x-goog-api-key", secret.reveal());
      break;
    case "AZURE":
      headers.add("api-key", secret.reveal());
      break;
  }
  if (provider.dialect === "ANTHROPIC" && !hasVersion) {
    headers.addOwn(ANTHROPIC_VERSION);
  }
}
