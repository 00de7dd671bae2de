import type { InputEvent } from "../term/input.js";
import { keyLabel, reachable, type Keymap, type Reachable } from "../term/keymap.js";
import { paintedWidth, type Painter, type Span } from "../term/painter.js";
import { wrap } from "../term/safe.js";
import { LineEditor } from "./line-editor.js";
import type { Modal, ModalStack } from "./modal.js";
import type { Hint, Widget } from "./widget.js";

/** What the help page is made from. */
export interface HelpOptions {
  readonly title: string;
  /** The same maps in the same order as keys are looked up: help cannot disagree with them. */
  readonly keymaps: readonly Keymap[];
  /** Lines at the bottom: version, terminal, clipboard. */
  readonly footer?: readonly string[];
}

/** Most keys of one action that are shown. */
const keysShownMax = 3;
/** Between keys and what they do. */
const GAP = 2;

/** Opens the help page of the current view; `/` searches it. */
export function openHelp(modals: ModalStack, options: HelpOptions): Modal {
  const modal: Modal = modals.open({
    title: `Help: ${options.title}`,
    width: 112,
    height: 40,
    body: new HelpPage(options, () => modal.close()),
  });
  return modal;
}

/** The body of the help page. */
class HelpPage implements Widget {
  readonly #options: HelpOptions;
  readonly #close: () => void;
  readonly #search = new LineEditor();
  #searching = false;
  #scroll = 0;

  constructor(options: HelpOptions, close: () => void) {
    this.#options = options;
    this.#close = close;
  }

  handle(event: InputEvent): boolean {
    if (this.#searching) return this.#handleSearch(event);
    if (event.type !== "key") return false;
    if (event.name === "/") this.#searching = true;
    else if (event.name === "j" || event.name === "down") this.#scroll += 1;
    else if (event.name === "k" || event.name === "up") this.#scroll -= 1;
    else if (event.name === "?" || event.name === "q") this.#close();
    else return false;
    return true;
  }

  hints(): readonly Hint[] {
    return this.#searching
      ? [
          ["enter", "keep"],
          ["esc", "all keys"],
        ]
      : [
          ["/", "search"],
          ["j k", "scroll"],
          ["esc", "close"],
        ];
  }

  paint(painter: Painter): void {
    const footer = (this.#options.footer ?? []).flatMap((line) => wrap(line, painter.width));
    const head = painter.within({ ...painter.area, height: 1 });
    this.#paintHead(head);
    const height = Math.max(1, painter.height - 2 - footer.length);
    const body = painter.within({ x: 0, y: 2, width: painter.width, height });
    this.#paintGroups(body);
    footer.forEach((line, i) => {
      painter.text(0, painter.height - footer.length + i, line, "muted");
    });
  }

  #handleSearch(event: InputEvent): boolean {
    if (event.type === "key" && (event.name === "enter" || event.name === "esc")) {
      if (event.name === "esc") this.#search.clear();
      this.#searching = false;
      return true;
    }
    this.#scroll = 0;
    return this.#search.handle(event);
  }

  #paintHead(painter: Painter): void {
    if (!this.#searching && this.#search.value === "") {
      painter.text(0, 0, "</> search  <j> <k> scroll  <esc> close", "muted");
      return;
    }
    painter.text(0, 0, "/", "accent");
    const line = painter.within({ x: 1, y: 0, width: painter.width - 1, height: 1 });
    this.#search.paint(line, { focused: this.#searching });
  }

  #paintGroups(painter: Painter): void {
    const groups = this.#groups();
    if (groups.length === 0) {
      painter.text(0, 0, "no key does that", "muted");
      return;
    }
    const count = Math.max(1, Math.min(groups.length, Math.floor(painter.width / 36)));
    const width = Math.floor(painter.width / count);
    const columns = balance(groups, { count, width: width - 1 });
    const longest = Math.max(...columns.map((column) => column.length));
    this.#scroll = Math.max(0, Math.min(this.#scroll, longest - painter.height));
    columns.forEach((lines, i) => {
      const area = painter.within({ x: i * width, y: 0, width: width - 1, height: painter.height });
      lines.slice(this.#scroll).forEach((line, y) => void area.spans(0, y, line));
    });
  }

  #groups(): HelpGroup[] {
    const wanted = this.#search.value.toLowerCase();
    const matches = ({ binding, keys }: Reachable): boolean =>
      [binding.description, binding.action, ...keys].some((text) =>
        text.toLowerCase().includes(wanted),
      );
    const found = reachable(this.#options.keymaps).filter(matches);
    const names = [...new Set(found.map((one) => one.binding.group))];
    return names.map((name) => ({
      name,
      entries: found.filter((one) => one.binding.group === name),
    }));
  }
}

interface HelpGroup {
  readonly name: string;
  readonly entries: readonly Reachable[];
}

/** Puts whole groups into columns of about equal length, in their order. */
function balance(
  groups: readonly HelpGroup[],
  { count, width }: { readonly count: number; readonly width: number },
): Span[][][] {
  const columns: Span[][][] = Array.from({ length: count }, () => []);
  const entries = groups.flatMap((group) => group.entries);
  // No wider than it must be: what is left is for the words.
  const keysWidth = Math.max(0, ...entries.map((entry) => paintedWidth(keysOf(entry))));
  for (const group of groups) {
    const shortest = columns.reduce((a, b) => (b.length < a.length ? b : a));
    if (shortest.length > 0) shortest.push([]);
    shortest.push([{ text: group.name, style: "header" }]);
    for (const entry of group.entries) shortest.push(...helpLines(entry, { keysWidth, width }));
  }
  return columns;
}

function keysOf({ keys }: Reachable): string {
  return keys.slice(0, keysShownMax).map(keyLabel).join(" ");
}

/** Words that are too long for the column go on below. */
function helpLines(
  entry: Reachable,
  { keysWidth, width }: { readonly keysWidth: number; readonly width: number },
): Span[][] {
  const { binding } = entry;
  const keys = keysOf(entry);
  const reason = binding.disabledReason?.();
  const text = reason === undefined ? binding.description : `${binding.description} (${reason})`;
  const left = keysWidth + GAP;
  return wrap(text, Math.max(1, width - left)).map((part, i) => {
    const shown = i === 0 ? keys : "";
    return [
      { text: shown, style: reason === undefined ? "key" : "disabled" },
      {
        text: " ".repeat(left - paintedWidth(shown)) + part,
        style: reason === undefined ? "text" : "disabled",
      },
    ];
  });
}
