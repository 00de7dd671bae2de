import type { KeyPress } from "./input.js";

/** One thing a user can do, as data: keys, help and hints all come from here. */
export interface Binding {
  /** Names as in `KeyPress`: `j`, `G`, `ctrl-d`, `shift-tab`, `[`, `1`. The first one is shown. */
  readonly keys: readonly string[];
  /** Stable name, e.g. `keys.revoke`; also what a command line completes. */
  readonly action: string;
  /** Full sentence part for the help page: "revoke the key". */
  readonly description: string;
  /** Heading in the help page: GLOBAL, LIST, … */
  readonly group: string;
  /** Short word for the hint bar; absent keeps the binding out of it. */
  readonly hint?: string;
  /** Hints with a higher number are kept longer when the bar is narrow; default 0. */
  readonly priority?: number;
  /** Why the action is not possible now; absent or undefined when it is. */
  readonly disabledReason?: () => string | undefined;
  /** Leaves the binding out of hints (not of help) while true, e.g. writes in read-only mode. */
  readonly hidden?: () => boolean;
  readonly run: () => void;
}

/** What became of a key. */
export type Dispatch =
  | { readonly kind: "ran"; readonly binding: Binding }
  | { readonly kind: "disabled"; readonly binding: Binding; readonly reason: string }
  | { readonly kind: "unbound" };

/** A set of bindings, in the order in which help shows them. */
export class Keymap {
  readonly bindings: readonly Binding[];
  readonly #byKey = new Map<string, Binding>();

  /** @throws Error when two bindings of one map want the same key: that is a bug of the screen. */
  constructor(bindings: readonly Binding[]) {
    this.bindings = bindings;
    for (const binding of bindings) {
      for (const key of binding.keys) {
        const other = this.#byKey.get(key);
        if (other !== undefined) {
          throw new Error(`key ${key} is bound to both ${other.action} and ${binding.action}`);
        }
        this.#byKey.set(key, binding);
      }
    }
  }

  /** The binding of a key, if any. */
  find(key: string): Binding | undefined {
    return this.#byKey.get(key);
  }
}

/**
 * Runs the binding of a key. Maps are asked in order, the most specific first; a disabled binding
 * answers for its key and is not looked past, so that a key never changes its meaning silently.
 */
export function dispatch(keymaps: readonly Keymap[], press: KeyPress): Dispatch {
  for (const keymap of keymaps) {
    const binding = keymap.find(press.name);
    if (binding === undefined) continue;
    const reason = binding.disabledReason?.();
    if (reason !== undefined) return { kind: "disabled", binding, reason };
    binding.run();
    return { kind: "ran", binding };
  }
  return { kind: "unbound" };
}

/** A binding with those of its keys that still reach it. */
export interface Reachable {
  readonly binding: Binding;
  readonly keys: readonly string[];
}

/** What the keys do when the maps are asked in this order; help and hints show just this. */
export function reachable(keymaps: readonly Keymap[]): Reachable[] {
  const taken = new Set<string>();
  const found: Reachable[] = [];
  for (const keymap of keymaps) {
    for (const binding of keymap.bindings) {
      const keys = binding.keys.filter((key) => !taken.has(key));
      if (keys.length > 0) found.push({ binding, keys });
    }
    for (const binding of keymap.bindings) for (const key of binding.keys) taken.add(key);
  }
  return found;
}

/** How a key is written for people, short enough for the hint bar: `C-d`, `S-tab`, `pgdn`. */
export function keyLabel(key: string): string {
  const named: Readonly<Record<string, string>> = {
    "shift-tab": "S-tab",
    pageup: "pgup",
    pagedown: "pgdn",
  };
  return named[key] ?? key.replace(/^ctrl-/, "C-");
}
