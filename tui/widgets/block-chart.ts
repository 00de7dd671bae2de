import type { Painter } from "../term/painter.js";
import type { StyleRef } from "../term/theme.js";
import { chartScale, type ChartData } from "./chart-scale.js";

/**
 * Draws series as columns of blocks, for terminals without braille and for little room. The first
 * series is filled; the others are marked at their height by their number, which the legend tells.
 */
export function paintBlockChart(
  painter: Painter,
  data: ChartData,
  style: (index: number) => StyleRef,
): void {
  if (painter.height < 2 || painter.width < 8) return;
  const scale = chartScale(data.series, data.max);
  const write = data.format ?? String;
  const top = write(scale.max);
  const gutter = Math.min(painter.width - 4, Math.max(top.length, write(0).length) + 1);
  const rows = painter.height - 1;
  painter.field({ x: 0, y: 0, width: gutter - 1, align: "right" }, top, "muted");
  painter.field({ x: 0, y: rows - 1, width: gutter - 1, align: "right" }, write(0), "muted");
  const plot = painter.within({ x: gutter, y: 0, width: painter.width - gutter, height: rows });
  data.series.forEach((series, i) => {
    const values = resample(series.values, plot.width);
    values.forEach((value, x) => {
      const percent = scale.percent(value);
      const mark = i === 0 ? undefined : blockMark(i, plot);
      if (!Number.isNaN(percent)) paintColumn(plot, x, { percent, mark, style: style(i) });
    });
  });
  paintLabels(painter, gutter, rows, data.labels);
}

/** What stands for a series in a chart of blocks and in its legend: colour alone tells nobody without it. */
export function blockMark(index: number, { glyphs }: Painter): string {
  return index === 0 ? glyphs.barFull : String(index + 1);
}

function paintColumn(
  plot: Painter,
  x: number,
  column: {
    readonly percent: number;
    /** Absent for the series that is filled. */
    readonly mark: string | undefined;
    readonly style: StyleRef;
  },
): void {
  const { spark, barFull } = plot.glyphs;
  const levels = spark.length;
  const eighths = Math.max(1, Math.round((column.percent / 100) * plot.height * levels));
  const full = Math.floor((eighths - 1) / levels);
  const y = plot.height - 1 - full;
  if (column.mark !== undefined) {
    plot.text(x, y, column.mark, column.style);
    return;
  }
  for (let below = y + 1; below < plot.height; below += 1)
    plot.text(x, below, barFull, column.style);
  plot.text(x, y, spark[(eighths - 1) % levels] ?? barFull, column.style);
}

function paintLabels(painter: Painter, gutter: number, y: number, labels: readonly string[]): void {
  const first = labels[0] ?? "";
  const last = labels.at(-1) ?? "";
  painter.text(gutter, y, first, "muted");
  if (painter.width - gutter > first.length + last.length + 2) {
    painter.field({ x: gutter, y, width: painter.width - gutter, align: "right" }, last, "muted");
    painter.text(gutter, y, first, "muted");
  }
}

/** Brings values to one per cell, the newest at the right: greatest of those that share a cell. */
function resample(values: readonly (number | null)[], width: number): (number | null)[] {
  if (values.length <= width) {
    const blank: null[] = Array.from({ length: width - values.length }, () => null);
    return [...blank, ...values];
  }
  return Array.from({ length: width }, (_, cell) => {
    const from = Math.floor((cell * values.length) / width);
    const to = Math.max(from + 1, Math.floor(((cell + 1) * values.length) / width));
    const here = values.slice(from, to).filter((value) => value !== null);
    return here.length === 0 ? null : Math.max(...here);
  });
}
