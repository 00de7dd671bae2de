import { keyLabel, reachable, type Keymap, type Reachable } from "../term/keymap.js";
import type { InputEvent } from "../term/input.js";
import type { Painter } from "../term/painter.js";
import type { ModalStack } from "../widgets/modal.js";
import type { Hint, Widget } from "../widgets/widget.js";

/** What a menu of these keys would offer. */
export function menuEntries(keymaps: readonly Keymap[]): readonly Reachable[] {
  return reachable(keymaps).filter(({ binding }) => binding.hidden?.() !== true);
}

/** Opens a menu of what can be done, for those who do not know the keys. */
export function openActionMenu(
  modals: ModalStack,
  options: { readonly title: string; readonly keymaps: readonly Keymap[] },
): void {
  const entries = menuEntries(options.keymaps);
  const longest = Math.max(20, ...entries.map(({ binding }) => binding.description.length));
  const menu = new ActionMenu(entries, () => modal.close());
  const modal = modals.open({
    title: options.title,
    width: longest + 14,
    height: entries.length,
    body: menu,
  });
}

class ActionMenu implements Widget {
  readonly #entries: readonly Reachable[];
  readonly #close: () => void;
  #at = 0;
  #top = 0;

  constructor(entries: readonly Reachable[], close: () => void) {
    this.#entries = entries;
    this.#close = close;
  }

  handle(event: InputEvent): boolean {
    if (event.type !== "key") return true;
    const count = this.#entries.length;
    if (event.name === "j" || event.name === "down") this.#at = (this.#at + 1) % count;
    else if (event.name === "k" || event.name === "up") this.#at = (this.#at - 1 + count) % count;
    else if (event.name === "enter") this.#run(this.#entries[this.#at]);
    else if (event.name === "esc" || event.name === "q" || event.name === "a") this.#close();
    else this.#run(this.#entries.find(({ keys }) => keys.includes(event.name)));
    return true;
  }

  hints(): readonly Hint[] {
    return [
      ["j k", "move"],
      ["enter", "do it"],
      ["esc", "close"],
    ];
  }

  paint(painter: Painter): void {
    const height = Math.max(1, painter.height);
    this.#top = Math.max(this.#at - height + 1, Math.min(this.#top, this.#at));
    this.#entries.slice(this.#top, this.#top + height).forEach(({ binding, keys }, y) => {
      const off = binding.disabledReason?.();
      const line = painter.within({ x: 0, y, width: painter.width, height: 1 });
      const text = off === undefined ? binding.description : `${binding.description} (${off})`;
      line.field({ x: 1, y: 0, width: 9 }, keyLabel(keys[0] ?? ""), off ? "disabled" : "key");
      line.text(10, 0, text, off === undefined ? "text" : "disabled");
      if (this.#top + y === this.#at) line.tint(line.area, "selected");
    });
  }

  #run(entry: Reachable | undefined): void {
    if (entry === undefined || entry.binding.disabledReason?.() !== undefined) return;
    this.#close();
    entry.binding.run();
  }
}
