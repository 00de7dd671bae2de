/** One line of a chart; null is a gap: no data, which is not zero. */
export interface ChartSeries {
  readonly name: string;
  readonly values: readonly (number | null)[];
}

/** What a chart shows. */
export interface ChartData {
  readonly series: readonly ChartSeries[];
  /** One label per value, oldest first; printed where there is room. */
  readonly labels: readonly string[];
  /** Writes a value for the axis, e.g. `1.2M`; default plain numbers. */
  readonly format?: (value: number) => string;
  /** Fixed upper end of the axis; default a round number above the greatest value. */
  readonly max?: number;
}

/** Turns values into shares of an axis that begins at zero. */
export interface ChartScale {
  /** Value at the upper end; always above zero. */
  readonly max: number;
  /** 0 to 100, or NaN for a gap. */
  percent(value: number | null): number;
}

const STEPS = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10] as const;

/** A scale that holds all values, with a round upper end unless one is given. */
export function chartScale(
  series: readonly { readonly values: readonly (number | null)[] }[],
  fixedMax: number | undefined,
): ChartScale {
  let greatest = 0;
  for (const { values } of series) {
    for (const value of values) {
      if (value !== null && Number.isFinite(value) && value > greatest) greatest = value;
    }
  }
  const max = fixedMax !== undefined && fixedMax > 0 ? fixedMax : roundUp(greatest);
  return {
    max,
    percent: (value) => {
      if (value === null || !Number.isFinite(value)) return NaN;
      return Math.min(100, Math.max(0, (value / max) * 100));
    },
  };
}

/**
 * What stands beside equal steps from zero up: as many labels as there is room for, but no text twice, which
 * would say that nothing lies between.
 */
export function axisLabels(
  max: number,
  countMax: number,
  write: (value: number) => string,
): readonly string[] {
  for (let count = countMax; count > 1; count--) {
    const labels = Array.from({ length: count }, (_, i) => write((max * i) / count));
    if (new Set(labels).size === count) return labels;
  }
  return [write(0)];
}

/** The next number that reads well on an axis; 1 when there is nothing to show. */
export function roundUp(value: number): number {
  if (!(value > 0) || !Number.isFinite(value)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = STEPS.find((one) => one * power >= value) ?? 10;
  return step * power;
}
