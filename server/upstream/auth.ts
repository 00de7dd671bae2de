import type { AuthStyle, Dialect } from "../core/provider.js";
import type { Secret } from "../core/secret.js";

/** Sent where the caller names no version; the oldest that Anthropic's API keeps. */
const ANTHROPIC_VERSION = "2023-06-01";

/**
 * Adds the headers with which a provider wants its key to a raw list. The secret becomes text here and
 * nowhere else on the way out. `hasVersion` says that the caller sent `anthropic-version` itself.
 */
export function pushAuth(
  headers: string[],
  secret: Secret,
  provider: { readonly authStyle: AuthStyle; readonly dialect: Dialect },
  hasVersion: boolean,
): void {
  switch (provider.authStyle) {
    case "BEARER":
      headers.push("authorization", `Bearer ${secret.reveal()}`);
      break;
    case "X_API_KEY":
      headers.push("x-api-key", secret.reveal());
      break;
    case "X_GOOG_API_KEY":
      headers.push("x-goog-api-key", secret.reveal());
      break;
    case "AZURE":
      headers.push("api-key", secret.reveal());
      break;
  }
  if (provider.dialect === "ANTHROPIC" && !hasVersion) {
    headers.push("anthropic-version", ANTHROPIC_VERSION);
  }
}
