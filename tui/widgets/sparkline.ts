import type { Glyphs } from "../term/glyphs.js";

/** How a sparkline is scaled. */
export interface SparklineOptions {
  readonly width: number;
  /** Value of the lowest bar; default 0, so that a steady line stays as high as it is. */
  readonly min?: number;
  /** Value of the highest bar; default the greatest value shown. */
  readonly max?: number;
}

/**
 * The newest values as a row of bars, one cell each; a gap in the data stays blank, it is not
 * zero. Shorter data stands at the right, where the newest belongs.
 * ```ts
 * painter.text(x, y, sparkline(requestsPerSecond, { width: 12 }, painter.glyphs), 'accent');
 * ```
 */
export function sparkline(
  values: readonly (number | null)[],
  options: SparklineOptions,
  glyphs: Glyphs,
): string {
  const width = Math.max(0, options.width);
  const shown = width === 0 ? [] : values.slice(-width);
  const numbers = shown.filter((value): value is number => isNumber(value));
  const min = options.min ?? 0;
  const max = options.max ?? Math.max(min, ...numbers);
  const bars = shown.map((value) => bar(value, min, max, glyphs));
  return " ".repeat(width - bars.length) + bars.join("");
}

function isNumber(value: number | null): value is number {
  return value !== null && Number.isFinite(value);
}

function bar(value: number | null, min: number, max: number, glyphs: Glyphs): string {
  if (!isNumber(value)) return " ";
  const top = glyphs.spark.length - 1;
  const ratio = max > min ? (value - min) / (max - min) : 0;
  const level = Math.min(top, Math.max(0, Math.round(ratio * top)));
  return glyphs.spark[level] ?? " ";
}
