import { type Timestamp, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { LIMITS_HELP, parseLimits } from "../present/limits.js";
import { minuteOf, parseSpan, parseWhen, WHEN_HELP } from "../present/when.js";
import type { Field, FieldValues } from "../widgets/form-fields.js";
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

type Clocked = Pick<ViewContext, "clock">;

/** The field for the moment at which a key expires. One that has expired may be saved as it is. */
export function expiresField(
  { clock }: Clocked,
  { otherwise, stored }: { readonly otherwise: string; readonly stored?: Timestamp | undefined },
): Field {
  const value = textOf(stored);
  return {
    kind: "text",
    name: "expires",
    label: "Expires",
    value,
    placeholder: `${otherwise}; ${WHEN_HELP}`,
    check: (text) => (text === value ? undefined : problemOf(text, clock.now())),
    note: (text) => {
      const spanMs = parseSpan(text);
      return spanMs === undefined ? "" : minuteOf(clock.now() + spanMs);
    },
  };
}

/** What that field says, for a request. A moment that nobody has touched goes back as it was, to the second. */
export function expiryIn(
  { clock }: Clocked,
  values: FieldValues,
  stored?: Timestamp,
): { expireTime?: Timestamp } {
  const text = values["expires"] ?? "";
  if (stored !== undefined && text === textOf(stored)) return { expireTime: stored };
  const when = parseWhen(text, clock.now());
  return when === undefined ? {} : { expireTime: timestampFromMs(when) };
}

function textOf(stored: Timestamp | undefined): string {
  return stored === undefined ? "" : minuteOf(timestampMs(stored));
}

/** What is wrong with a moment that must lie ahead; blank is never wrong. */
function problemOf(text: string, nowMs: number): string | undefined {
  if (text.trim() === "") return undefined;
  const when = parseWhen(text, nowMs);
  if (when === undefined) return `give ${WHEN_HELP}`;
  return when <= nowMs ? "must lie ahead" : undefined;
}

/** What is wrong with limits as text. */
export function checkLimits(text: string): string | undefined {
  return parseLimits(text) === undefined ? `give a list such as ${LIMITS_HELP}` : undefined;
}
