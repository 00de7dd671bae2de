import { keyLabel, reachable, type Keymap, type Reachable } from "../term/keymap.js";
import { paintedWidth, type Painter, type Span } from "../term/painter.js";
import { stateMark } from "../term/theme.js";
import type { StateKind } from "../term/glyphs.js";
import type { Hint } from "./widget.js";

/** Row 0: where one is, how well the data flows, who one is, what time it is. */
export interface StatusLineOptions {
  /** Product, context, view and what is below it. */
  readonly crumbs: readonly string[];
  /** Words that must not be overlooked, e.g. `READ-ONLY` or `PAUSED`. */
  readonly flags?: readonly string[];
  readonly connection: { readonly kind: StateKind; readonly text: string };
  /** Further words at the right, the last one kept longest, e.g. user and clock. */
  readonly right?: readonly string[];
}

/**
 * Draws the status line on the first row.
 * ```ts
 * paintStatusLine(row, { crumbs: ['Latchkey', 'Overview'], connection: { kind: 'ok', text: 'live 2Hz' } });
 * ```
 */
export function paintStatusLine(painter: Painter, options: StatusLineOptions): void {
  painter.cover({ ...painter.area, height: 1 }, "statusBar");
  const { glyphs } = painter;
  const crumbs = options.crumbs.join(` ${glyphs.crumb} `);
  const mark = stateMark(options.connection.kind, glyphs);
  const flags = (options.flags ?? []).map((flag) => ({
    text: ` ${flag} `,
    style: "toastWarn" as const,
  }));
  let right = [...(options.right ?? [])];
  const fixed: Span[] = [
    ...flags,
    { text: ` ${mark.glyph} ${options.connection.text}`, style: mark.style },
  ];
  // The breadcrumb keeps at least a third of the row; words at the right go before it does.
  const least = Math.min(paintedWidth(crumbs) + 2, Math.floor(painter.width / 3));
  while (right.length > 0 && spanWidth(fixed) + wordsWidth(right) + least > painter.width) {
    right = right.slice(1);
  }
  const spans = [...fixed, ...right.map((word) => ({ text: `  ${word}` }))];
  const x = Math.max(0, painter.width - spanWidth(spans) - 1);
  painter.spans(1, 0, [{ text: crumbs, style: "strong" }], Math.max(0, x - 2));
  painter.spans(x, 0, spans);
  painter.tint({ ...painter.area, height: 1 }, "statusBar");
}

function spanWidth(spans: readonly Span[]): number {
  return spans.reduce((sum, span) => sum + paintedWidth(span.text), 0);
}

function wordsWidth(words: readonly string[]): number {
  return words.reduce((sum, word) => sum + 2 + paintedWidth(word), 1);
}

/** One view that can be reached by its key. */
export interface Tab {
  readonly key: string;
  readonly label: string;
  /** Label for narrow terminals, at most four letters. */
  readonly short: string;
}

/** Row 1: the views. */
export function paintTabBar(painter: Painter, tabs: readonly Tab[], active: string): void {
  const labels = tabLabels(tabs, painter.width, active);
  let x = 0;
  tabs.forEach((tab, i) => {
    // Without colour or inverse the brackets still tell which view is active.
    const label = labels[i] ?? "";
    const current = tab.key === active;
    const text = current ? `[${label.slice(1, -1)}]` : label;
    x += painter.text(x, 0, text, current ? "tabActive" : "tab");
  });
}

/** The view whose tab is at a column of a bar of this width, for clicks. */
export function tabAt(
  tabs: readonly Tab[],
  bar: { readonly width: number; readonly active: string },
  x: number,
): Tab | undefined {
  let end = 0;
  const labels = tabLabels(tabs, bar.width, bar.active);
  return tabs.find((_, i) => {
    end += paintedWidth(labels[i] ?? "");
    return x < end;
  });
}

/** Whole names where all of them fit, else short ones, else the name of the active view alone. */
function tabLabels(tabs: readonly Tab[], width: number, active: string): readonly string[] {
  const full = tabs.map((tab) => ` ${tab.key} ${tab.label} `);
  const short = tabs.map((tab) => ` ${tab.key} ${tab.short} `);
  const fits = (labels: readonly string[]): boolean =>
    labels.reduce((sum, label) => sum + paintedWidth(label), 0) <= width;
  if (fits(full)) return full;
  if (fits(short)) return short;
  return tabs.map((tab) => (tab.key === active ? ` ${tab.key} ${tab.short} ` : ` ${tab.key} `));
}

/** Last row: what the keys do here. */
export interface HintBarOptions {
  /** The keymaps in the order in which keys are looked up. */
  readonly keymaps: readonly Keymap[];
  /** Actions that are never cut off; they stand at the right. */
  readonly always: readonly string[];
}

/**
 * Draws the hint bar on the first row of the painter. Hints are cut from the least important; the
 * ones in `always` (help and quit) are placed first and never cut.
 */
export function paintHintBar(painter: Painter, options: HintBarOptions): void {
  const shown = reachable(options.keymaps).filter(isHint);
  const isFixed = (one: Reachable): boolean => options.always.includes(one.binding.action);
  const fixed = shown.filter(isFixed);
  const others = shown
    .filter((one) => !isFixed(one))
    .toSorted((a, b) => (b.binding.priority ?? 0) - (a.binding.priority ?? 0));
  let room = painter.width - 1 - fixed.reduce((sum, one) => sum + hintWidth(one), 0);
  const kept = new Set<Reachable>();
  for (const one of others) {
    const width = hintWidth(one);
    if (width > room) break;
    room -= width;
    kept.add(one);
  }
  let x = 1;
  for (const one of [...shown.filter((hint) => kept.has(hint)), ...fixed]) {
    x += painter.spans(x, 0, hintSpans(one));
  }
}

/** Draws what the keys of an open window do, instead of those of the view below it. */
export function paintHints(painter: Painter, hints: readonly Hint[]): void {
  let x = 1;
  for (const [keys, words] of hints) {
    for (const key of keys.split(" ")) {
      x += painter.text(x, 0, `<${keyLabel(key)}>`, "key") + 1;
    }
    x += painter.text(x, 0, words, "keyText") + 2;
  }
}

function isHint({ binding }: Reachable): boolean {
  return binding.hint !== undefined && binding.hidden?.() !== true;
}

function hintSpans({ binding, keys }: Reachable): Span[] {
  const off = binding.disabledReason?.() !== undefined;
  return [
    { text: `<${keyLabel(keys[0] ?? "")}>`, style: off ? "disabled" : "key" },
    { text: ` ${binding.hint ?? ""}  `, style: off ? "disabled" : "keyText" },
  ];
}

function hintWidth(one: Reachable): number {
  return spanWidth(hintSpans(one));
}
