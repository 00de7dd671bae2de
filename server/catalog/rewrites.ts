import { invalidField } from "../core/fault.js";
import { globMatches } from "../core/glob.js";
import { isRecord } from "../core/record.js";

/** The settings that rewrite requested models; their values are JSON objects of names to lists of names. */
export const ALIASES_SETTING = "catalog.aliases";
export const FALLBACKS_SETTING = "catalog.fallbacks";

export const REWRITES_MAX = 500;
export const REWRITE_TARGETS_MAX = 10;
const NAME_CHARS_MAX = 256;
/** Aliases may point to aliases this deep; more is a mistake. */
const ALIAS_DEPTH_MAX = 5;

/** Names with their targets, in the order in which they were set. */
export type RewriteEntries = ReadonlyMap<string, readonly string[]>;

interface Entry {
  readonly name: string;
  readonly targets: readonly string[];
}

/**
 * What names stand for, as the administrator set it: `{"fast": ["gpt-5-mini"], "smart": ["claude-opus-5",
 * "gpt-5.4"]}`. An alias replaces the asked name by its targets in order; a fallback chain adds targets
 * behind the asked model's own. Names of fallbacks may be globs; of several that fit, the one with the most
 * literal characters holds, whatever the order in which they were set.
 */
export class Rewrites {
  readonly #exact = new Map<string, Entry>();
  readonly #globs: readonly Entry[];
  #namesTo: ReadonlyMap<string, readonly string[]> | undefined;

  constructor(entries: RewriteEntries) {
    const globs: Entry[] = [];
    for (const [name, targets] of entries) {
      if (isGlob(name)) globs.push({ name, targets });
      else this.#exact.set(name.toLowerCase(), { name, targets });
    }
    this.#globs = globs.toSorted((a, b) => literalChars(b.name) - literalChars(a.name));
  }

  /** The targets of a name, or none. */
  of(name: string): readonly string[] {
    const exact = this.#exact.get(name.toLowerCase());
    if (exact !== undefined) return exact.targets;
    return this.#globs.find((glob) => globMatches(glob.name, name))?.targets ?? [];
  }

  /** The names that stand on the left, without globs. */
  names(): readonly string[] {
    return [...this.#exact.values()].map(({ name }) => name);
  }

  /** The names, without globs, that lead to a model by any of the names it goes by; `names` in lower case. */
  leadingTo(names: readonly string[]): readonly string[] {
    this.#namesTo ??= this.#backwards();
    const found = names.flatMap((name) => this.#namesTo?.get(name) ?? []);
    return [...new Set(found)];
  }

  #backwards(): ReadonlyMap<string, readonly string[]> {
    const found = new Map<string, string[]>();
    for (const name of this.names()) {
      for (const reached of this.expand(name)) {
        const key = reached.toLowerCase();
        const names = found.get(key);
        if (names === undefined) found.set(key, [name]);
        else names.push(name);
      }
    }
    return found;
  }

  /**
   * Follows a name through the table to names that have no entry. A name that leads back to itself is taken as it is.
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

/** True for a pattern that stands for all names that match it. */
export function isGlob(name: string): boolean {
  return /[*?]/.test(name);
}

function literalChars(pattern: string): number {
  return pattern.replaceAll(/[*?]/g, "").length;
}

/**
 * Throws Fault `invalid_argument` for aliases that lead back to themselves, or through more aliases than are
 * followed.
 */
export function checkAliases(entries: RewriteEntries): void {
  const aliases = new Rewrites(entries);
  const depths = new Map<string, number>();
  const depthOf = (name: string, path: readonly string[]): number => {
    const key = name.toLowerCase();
    if (path.includes(key)) {
      const circle = [...path.slice(path.indexOf(key)), key].map((each) => `"${each}"`);
      throw invalidField("targets", `lead back to where they began: ${circle.join(" → ")}`);
    }
    const known = depths.get(key);
    if (known !== undefined) return known;
    const below = aliases.of(name).map((target) => depthOf(target, [...path, key]));
    const depth = below.length === 0 ? 0 : 1 + Math.max(...below);
    if (depth > ALIAS_DEPTH_MAX) {
      const why = `aliases may point to aliases ${String(ALIAS_DEPTH_MAX)} deep`;
      throw invalidField("targets", `make "${name}" too long a way: ${why}`);
    }
    depths.set(key, depth);
    return depth;
  };
  for (const name of entries.keys()) depthOf(name, []);
}

/**
 * Reads the value of one of the two settings. An empty text is an empty table; a target may be written as
 * one name instead of a list. Throws Fault `invalid_argument` that names the entry at fault.
 */
export function parseRewrites(setting: string, text: string): Rewrites {
  return new Rewrites(parseEntries(setting, text));
}

/** The same as `parseRewrites`, as names and targets. */
export function parseEntries(setting: string, text: string): RewriteEntries {
  if (text.trim() === "") return new Map();
  const parsed = parseObject(setting, text);
  const entries = Object.entries(parsed);
  if (entries.length > REWRITES_MAX) {
    throw invalidField(setting, `holds ${entries.length} names; ${REWRITES_MAX} is the most`);
  }
  return new Map(entries.map(([name, value]) => [name, targetsOf(setting, name, value)]));
}

/** The value of a setting. */
export function formatEntries(entries: RewriteEntries): string {
  return JSON.stringify(Object.fromEntries(entries));
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
  if (!isRecord(parsed)) {
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
