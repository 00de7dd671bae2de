import { Fault, invalidField } from "../core/fault.js";
import type { AuthStyle, Dialect, Provider } from "../core/provider.js";
import { cleanBaseUrl } from "./base-url.js";
import { patchedField } from "./patched-field.js";
import { cleanDescription, cleanModelAllowlist, cleanName } from "./validate.js";

const SLUG_CHARS_MAX = 50;
const AUTH_STYLES: Readonly<Record<Dialect, AuthStyle>> = {
  OPENAI: "BEARER",
  ANTHROPIC: "X_API_KEY",
  GEMINI: "X_GOOG_API_KEY",
};

/** What is given for a custom provider. */
export interface ProviderDraft {
  readonly displayName: string;
  /** Made from the display name if left out. */
  readonly slug?: string | undefined;
  readonly baseUrl: string;
  /** Default OPENAI. */
  readonly dialect?: Dialect | undefined;
  /** Default: what is usual for the dialect. */
  readonly authStyle?: AuthStyle | undefined;
  readonly description?: string | undefined;
  /** Default: any model. */
  readonly modelPatterns?: readonly string[] | undefined;
}

export interface ProviderPatch {
  readonly displayName?: string | undefined;
  readonly baseUrl?: string | undefined;
  readonly dialect?: Dialect | undefined;
  readonly authStyle?: AuthStyle | undefined;
  readonly description?: string | undefined;
  readonly modelPatterns?: readonly string[] | undefined;
  readonly enabled?: boolean | undefined;
}

/** The fields that a patch can change. */
export const PROVIDER_PATCH_FIELDS = [
  "displayName",
  "baseUrl",
  "dialect",
  "authStyle",
  "description",
  "modelPatterns",
  "enabled",
] as const satisfies readonly (keyof ProviderPatch & keyof Provider)[];

/** Checks a draft. Throws `invalid_argument`. */
export function cleanProviderDraft(
  draft: ProviderDraft,
): Pick<
  Provider,
  "displayName" | "baseUrl" | "dialect" | "authStyle" | "description" | "modelPatterns"
> {
  const dialect = draft.dialect ?? "OPENAI";
  return {
    displayName: cleanName("display_name", draft.displayName),
    baseUrl: cleanBaseUrl("base_url", draft.baseUrl),
    dialect,
    authStyle: draft.authStyle ?? AUTH_STYLES[dialect],
    description: cleanDescription("description", draft.description ?? ""),
    modelPatterns: cleanModelAllowlist("model_patterns", draft.modelPatterns ?? ["*"]),
  };
}

/** The provider with a patch applied. Throws `invalid_argument`. */
export function patchedProvider(provider: Provider, patch: ProviderPatch): Provider {
  const { displayName, baseUrl, description, modelPatterns } = patch;
  return {
    ...provider,
    displayName: patchedField(displayName, provider.displayName, (text) =>
      cleanName("display_name", text),
    ),
    baseUrl: patchedField(baseUrl, provider.baseUrl, (url) => cleanBaseUrl("base_url", url)),
    dialect: patch.dialect ?? provider.dialect,
    authStyle: patch.authStyle ?? provider.authStyle,
    description: patchedField(description, provider.description, (text) =>
      cleanDescription("description", text),
    ),
    modelPatterns: patchedField(modelPatterns, provider.modelPatterns, (patterns) =>
      cleanModelAllowlist("model_patterns", patterns),
    ),
    enabled: patch.enabled ?? provider.enabled,
  };
}

/** The slug that was asked for, or a free one made from the name. Throws `already_exists`. */
export function slugFor(
  asked: string | undefined,
  displayName: string,
  all: readonly Provider[],
): string {
  const taken = new Set(all.map((provider) => provider.slug));
  if (asked !== undefined && asked !== "") {
    if (!/^[a-z0-9][a-z0-9-]{0,49}$/.test(asked)) {
      throw invalidField("slug", "must be lower-case letters, digits and dashes, at most 50");
    }
    if (!taken.has(asked)) return asked;
    throw new Fault("already_exists", "This slug is taken; choose another one.", {
      violations: [{ field: "slug", message: "is taken already" }],
    });
  }
  // Names without any Latin letter or digit, such as 通义千问, leave nothing to make a slug of.
  const base = displayName.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  const stem = trimDashes(base).slice(0, SLUG_CHARS_MAX - 4) || "custom";
  for (let number = 1; ; number++) {
    const slug = number === 1 ? stem : `${stem}-${String(number)}`;
    if (!taken.has(slug)) return slug;
  }
}

function trimDashes(text: string): string {
  return text.replace(/^-/, "").replace(/-$/, "");
}
