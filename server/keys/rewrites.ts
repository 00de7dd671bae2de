import { isDeepStrictEqual } from "node:util";
import {
  ALIASES_SETTING,
  checkAliases,
  FALLBACKS_SETTING,
  formatEntries,
  isGlob,
  parseEntries,
  REWRITE_TARGETS_MAX,
  REWRITES_MAX,
  type RewriteEntries,
} from "../catalog/rewrites.js";
import type { Actor } from "../core/audit.js";
import { invalidField } from "../core/fault.js";
import type { Operations } from "./operations.js";
import type { KeysReader, KeysTx } from "./ports.js";
import { cleanLine } from "./validate.js";

const NAME_CHARS_MAX = 200;
const TARGET_CHARS_MAX = 255;

export type RewriteKind = "ALIAS" | "FALLBACK";

/**
 * What the catalogue makes of a requested name: an alias is replaced by its targets, a fallback chain adds them after
 * it.
 */
export interface Rewrite {
  readonly kind: RewriteKind;
  readonly name: string;
  /** In the order tried. */
  readonly targets: readonly string[];
}

/** Whether shared providers serve a name, and else which names look alike. */
export type LookUp = (name: string) => {
  readonly served: boolean;
  readonly nearest: readonly string[];
};

const SETTING_OF: Record<RewriteKind, string> = {
  ALIAS: ALIASES_SETTING,
  FALLBACK: FALLBACKS_SETTING,
};
const KINDS: readonly RewriteKind[] = ["ALIAS", "FALLBACK"];

/** All of a kind, by name, from the setting that holds them; undefined for any other setting. */
export function rewritesIn(
  setting: string,
  value: string,
): { readonly kind: RewriteKind; readonly rewrites: readonly Rewrite[] } | undefined {
  const kind = KINDS.find((each) => SETTING_OF[each] === setting);
  return kind === undefined
    ? undefined
    : { kind, rewrites: sorted(kind, parseEntries(setting, value)) };
}

function sorted(kind: RewriteKind, entries: RewriteEntries): readonly Rewrite[] {
  return [...entries]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, targets]) => ({ kind, name, targets }));
}

/** The aliases and fallback chains of the whole catalogue; what they do is the catalogue's business. */
export class ModelRewrites {
  readonly #operations: Operations;
  readonly #lookUp: LookUp;

  constructor(options: { operations: Operations; lookUp: LookUp }) {
    this.#operations = options.operations;
    this.#lookUp = options.lookUp;
  }

  /** All of a kind, or of both, by kind and name. */
  async list(actor: Actor, kind?: RewriteKind): Promise<readonly Rewrite[]> {
    return this.#operations.read(actor, "rewrite.get", async (reader) => {
      const found: Rewrite[] = [];
      for (const each of kind === undefined ? KINDS : [kind]) {
        found.push(...sorted(each, await entriesOf(reader, each)));
      }
      return found;
    });
  }

  /** Sets one, or replaces the one of that name. Throws `invalid_argument`; then nothing is changed. */
  async set(actor: Actor, rewrite: Rewrite): Promise<Rewrite> {
    return this.#operations.write(actor, "rewrite.set", async (tx) => {
      const clean = cleanRewrite(rewrite);
      const { kind, name, targets } = clean;
      const entries = await entriesOf(tx, kind);
      const before = find(entries, name);
      this.#requireServed(targets, before?.[1] ?? []);
      const isSame = isDeepStrictEqual(before, [name, targets]);
      if (!isSame) await put(tx, kind, replaced(entries, before?.[0], [name, targets]));
      return {
        value: clean,
        targetId: SETTING_OF[kind],
        targetName: name,
        changedFields: isSame ? [] : ["targets"],
        note: `${WORDS[kind]} ${targets.join(", ")}`,
      };
    });
  }

  /** Removes the one of that name; answers whether there was one. */
  async delete(actor: Actor, kind: RewriteKind, name: string): Promise<boolean> {
    return this.#operations.write(actor, "rewrite.delete", async (tx) => {
      const entries = await entriesOf(tx, kind);
      const before = find(entries, name.normalize("NFC").trim());
      if (before !== undefined) await put(tx, kind, replaced(entries, before[0]));
      return {
        value: before !== undefined,
        targetId: SETTING_OF[kind],
        targetName: before?.[0] ?? cleanLine("name", name, NAME_CHARS_MAX),
        changedFields: before === undefined ? [] : ["targets"],
        note: before === undefined ? "there was none" : `${WORDS[kind]} ${before[1].join(", ")}`,
      };
    });
  }

  /** What of a rewrite no shared provider serves now. A chain may be for names that only users' own providers know. */
  unserved({ kind, name, targets }: Rewrite): readonly string[] {
    const names = kind === "ALIAS" || isGlob(name) ? targets : [name, ...targets];
    return names.filter((each) => !this.#lookUp(each).served);
  }

  /** What stood there before may have lost its provider since; that must not hinder other changes. */
  #requireServed(targets: readonly string[], before: readonly string[]): void {
    for (const [index, target] of targets.entries()) {
      if (before.includes(target)) continue;
      const { served, nearest } = this.#lookUp(target);
      if (served) continue;
      const alike = nearest.map((each) => `"${each}"`).join(", ");
      const hint = alike === "" ? "" : ` Did you mean ${alike}?`;
      throw invalidField(`targets[${String(index)}]`, `no provider serves "${target}".${hint}`);
    }
  }
}

/** The words for it in the audit log. */
const WORDS: Record<RewriteKind, string> = { ALIAS: "stands for", FALLBACK: "falls back to" };

async function entriesOf(
  reader: Pick<KeysReader, "settings">,
  kind: RewriteKind,
): Promise<RewriteEntries> {
  const setting = SETTING_OF[kind];
  return parseEntries(setting, (await reader.settings.get(setting)) ?? "");
}

/** The entry of a name, which is the same name in any case. */
function find(
  entries: RewriteEntries,
  name: string,
): readonly [string, readonly string[]] | undefined {
  return [...entries].find(([each]) => each.toLowerCase() === name.toLowerCase());
}

function replaced(
  entries: RewriteEntries,
  gone: string | undefined,
  added?: readonly [string, readonly string[]],
): RewriteEntries {
  const kept = [...entries].filter(([name]) => name !== gone);
  return new Map(added === undefined ? kept : [...kept, added]);
}

async function put(tx: KeysTx, kind: RewriteKind, entries: RewriteEntries): Promise<void> {
  if (entries.size > REWRITES_MAX) {
    throw invalidField("name", `is one too many; ${String(REWRITES_MAX)} is the most`);
  }
  if (kind === "ALIAS") checkAliases(entries);
  await tx.settings.put(SETTING_OF[kind], formatEntries(entries));
}

function cleanRewrite({ kind, name: rawName, targets: rawTargets }: Rewrite): Rewrite {
  const name = cleanLine("name", rawName, NAME_CHARS_MAX);
  if (name === "") throw invalidField("name", "a name is required");
  if (kind === "ALIAS" && isGlob(name)) {
    throw invalidField("name", "of an alias must not hold * or ?; a fallback chain's may");
  }
  if (rawTargets.length === 0 || rawTargets.length > REWRITE_TARGETS_MAX) {
    throw invalidField("targets", `must have 1 to ${String(REWRITE_TARGETS_MAX)} entries`);
  }
  const targets = rawTargets.map((raw, index) => {
    const field = `targets[${String(index)}]`;
    const target = cleanLine(field, raw, TARGET_CHARS_MAX);
    if (target === "") throw invalidField(field, "must not be empty");
    if (isGlob(target)) throw invalidField(field, "must be a name without * and ?");
    if (target.toLowerCase() === name.toLowerCase()) {
      throw invalidField(field, `is "${name}" itself`);
    }
    return target;
  });
  const lower = targets.map((target) => target.toLowerCase());
  const distinct = targets.filter((_, index) => lower.indexOf(lower[index] ?? "") === index);
  return { kind, name, targets: distinct };
}
