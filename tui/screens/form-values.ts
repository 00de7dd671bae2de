import { LIMITS_HELP, parseLimits } from "../present/limits.js";
import { parseWhen, WHEN_HELP } from "../present/when.js";
import type { ViewContext } from "./view.js";

/** What a client key can be restricted to, for placeholders. */
export const SCOPES_HELP = "all; or chat, embeddings, images, audio, files, control";

/** What stands between the commas. */
export function listOf(text: string | undefined): string[] {
  return (text ?? "")
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

/** What is wrong with a moment that must lie ahead; blank is never wrong. */
export function checkWhen(context: Pick<ViewContext, "clock">) {
  return (text: string): string | undefined => {
    if (text.trim() === "") return undefined;
    const nowMs = context.clock.now();
    const when = parseWhen(text, nowMs);
    if (when === undefined) return `give ${WHEN_HELP}`;
    return when <= nowMs ? "must lie ahead" : undefined;
  };
}

/** What is wrong with limits as text. */
export function checkLimits(text: string): string | undefined {
  return parseLimits(text) === undefined ? `give a list such as ${LIMITS_HELP}` : undefined;
}
