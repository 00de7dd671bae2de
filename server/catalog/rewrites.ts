import { invalidField } from "../core/fault.js";
import { globMatches } from "../core/glob.js";

/** The settings that rewrite requested models; their values are JSON objects of names to lists of names. */
export const ALIASES_SETTING = "catalog.aliases";
export const FALLBACKS_SETTING = "catalog.fallbacks";

export const REWRITES_MAX = 500;
export const REWRITE_TARGETS_MAX = 10;
const NAME_CHARS_MAX = 256;
/** Aliases may point to aliases this deep; more is a mistake. */
const ALIAS_DEPTH_MAX = 5;

/**
 * What names stand for, as the administrator set it: `{"fast": ["gpt-5-mini"], "smart": ["claude-opus-5",
 * "gpt-5.4"]}`. An alias replaces the asked name by its targets in order; a fallback chain adds targets
 * behind the asked model's own. Names of fallbacks may be globs.
 */
export class Rewrites {
  readonly #exact = new Map<string, readonly string[]>();
  readonly #globs: (readonly [string, readonly string[]])[] = [];

  constructor(entries: ReadonlyMap<string, readonly string[]>) {
    for (const [name, targets] of entries) {
      if (/[*?]/.test(name)) this.#globs.push([name, targets]);
      else this.#exact.set(name.toLowerCase(), targets);
    }
  }

  /** The targets of a name, or none. */
  of(name: string): readonly string[] {
    const exact = this.#exact.get(name.toLowerCase());
    if (exact !== undefined) return exact;
    return this.#globs.find(([pattern]) => globMatches(pattern, name))?.[1] ?? [];
  }

  /** The names that stand on the left, without globs. */
  names(): Iterable<string> {
    return this.#exact.keys();
  }

  /**
   * Follows a name through the table until names are reached that stand for themselves; a name that leads
   * back to itself stands for itself there.
   */
  expand(name: string): readonly string[] {
    const found: string[] = [];
    const visit = (each: string, depth: number, path: readonly string[]): void => {
      const targets = this.of(each).filter((target) => !path.includes(target.toLowerCase()));
      if (targets.length === 0 || depth >= ALIAS_DEPTH_MAX) {
        if (!found.includes(each)) found.push(each);
        return;
      }
      for (const target of targets) visit(target, depth + 1, [...path, target.toLowerCase()]);
    };
    visit(name, 0, [name.toLowerCase()]);
    return found;
  }
}

/**
 * Reads the value of one of the two settings. An empty text is an empty table; a target may be written as
 * one name instead of a list. Throws Fault `invalid_argument` that names the entry at fault.
 */
export function parseRewrites(setting: string, text: string): Rewrites {
  if (text.trim() === "") return new Rewrites(new Map());
  const parsed = parseObject(setting, text);
  const entries = Object.entries(parsed);
  if (entries.length > REWRITES_MAX) {
    throw invalidField(setting, `holds ${entries.length} names; ${REWRITES_MAX} is the most`);
  }
  return new Rewrites(
    new Map(entries.map(([name, value]) => [name, targetsOf(setting, name, value)])),
  );
}

function parseObject(setting: string, text: string): object {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw invalidField(
      setting,
      `is not JSON: ${cause instanceof Error ? cause.message : "unreadable"}`,
    );
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw invalidField(setting, 'must be an object such as {"fast": ["gpt-5-mini"]}');
  }
  return parsed;
}

function targetsOf(setting: string, name: string, value: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  const targets = list.filter((each): each is string => typeof each === "string" && each !== "");
  const sound =
    targets.length === list.length &&
    targets.length > 0 &&
    targets.length <= REWRITE_TARGETS_MAX &&
    [name, ...targets].every((each) => each.length <= NAME_CHARS_MAX);
  if (sound && name !== "") return targets;
  throw invalidField(setting, `"${name}" needs 1 to ${REWRITE_TARGETS_MAX} model names`);
}
