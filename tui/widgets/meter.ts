import type { Painter, Span } from "../term/painter.js";
import type { Glyphs } from "../term/glyphs.js";
import type { StyleRef } from "../term/theme.js";

/** A bar between two amounts. */
export interface BarOptions {
  /** Amount shown; not a number or below zero draws an empty bar. */
  readonly value: number;
  /** Amount of a full bar; default 1, so that `value` is a ratio. */
  readonly max?: number;
  readonly width: number;
  readonly style?: StyleRef;
}

/** A meter of one row: label, bar, figure. */
export interface MeterOptions {
  readonly label: string;
  readonly value: number;
  readonly max?: number;
  /** Figure after the bar, e.g. `14/16`. */
  readonly text: string;
  readonly style?: StyleRef;
  /** Cells kept for the label, so that meters below each other line up; default 9. */
  readonly labelWidth?: number;
  /** Cells kept for the figure; default the length of `text`. */
  readonly textWidth?: number;
}

/** How full a bar is, from 0 to 1, whatever numbers come in. */
export function fullness(value: number, max = 1): number {
  if (Number.isNaN(value) || !(max > 0)) return 0;
  return Math.min(1, Math.max(0, value / max));
}

/**
 * The bar alone, as pieces for a table cell or a line of text. Something above zero shows at
 * least one cell and something below the maximum leaves at least one empty: neither "none" nor
 * "all" is ever shown by rounding.
 */
export function barSpans(options: BarOptions, glyphs: Glyphs): Span[] {
  const width = Math.max(0, options.width);
  const ratio = fullness(options.value, options.max);
  let full = Math.round(ratio * width);
  if (ratio > 0 && full === 0 && width > 0) full = 1;
  if (ratio < 1 && full === width && width > 1) full = width - 1;
  return [
    { text: glyphs.barFull.repeat(full), style: options.style ?? "accent" },
    { text: glyphs.barEmpty.repeat(width - full), style: "barEmpty" },
  ];
}

/**
 * Draws a meter on the first row of the painter.
 * ```ts
 * paintMeter(painter.within(row), { label: 'primary', value: 14, max: 16, text: '14/16' });
 * ```
 */
export function paintMeter(painter: Painter, options: MeterOptions): void {
  const labelWidth = Math.min(options.labelWidth ?? 9, Math.max(0, painter.width - 4));
  const textWidth = Math.min(
    options.textWidth ?? options.text.length,
    Math.max(0, painter.width - labelWidth - 4),
  );
  painter.field({ x: 0, y: 0, width: labelWidth - 1 }, options.label);
  const barWidth = painter.width - labelWidth - textWidth - 1;
  const bar = {
    value: options.value,
    width: barWidth,
    ...(options.max === undefined ? {} : { max: options.max }),
    ...(options.style === undefined ? {} : { style: options.style }),
  };
  painter.spans(labelWidth, 0, barSpans(bar, painter.glyphs));
  painter.field(
    { x: painter.width - textWidth, y: 0, width: textWidth, align: "right" },
    options.text,
  );
}
