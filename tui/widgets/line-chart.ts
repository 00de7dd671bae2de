import line, { type LineElement } from "blessed-contrib/lib/widget/charts/line.js";
import type { Guest, GuestHost, Painter } from "../term/painter.js";
import type { Rect } from "../term/rect.js";
import type { StyleRef } from "../term/theme.js";
import { adaptContext, canvasText } from "./canvas-context.js";
import { blockMark, paintBlockChart } from "./block-chart.js";
import { axisLabels, chartScale, type ChartData, type ChartScale } from "./chart-scale.js";
import type { Widget } from "./widget.js";

/** Canvas charts crash or say nothing in less room than this, in cells. */
const columnsMin = 20;
const rowsMin = 5;

/** Fewer points than this, as in the first hour of a day's chart, are drawn as columns. */
const linePointsMin = 4;

/** Charts are drawn anew at most this often: they are most of what a frame sends. */
const redrawMs = 1000;

/**
 * Lines over time. It is drawn by blessed-contrib in braille where the terminal can show that,
 * and as our own blocks elsewhere; a name in its colour stands above for each line.
 * ```ts
 * const chart = new LineChart();
 * chart.update({ series: [{ name: 'p95', values }], labels, format: formatMs });
 * chart.paint(paintPane(painter, { title: 'Latency' }));
 * ```
 */
export class LineChart implements Widget, Guest {
  #data: ChartData = { series: [], labels: [] };
  #changed = true;
  #drawnAt = -Infinity;
  #element: LineElement | undefined;
  #size = "";
  #scale: ChartScale = chartScale([], undefined);
  #colors: readonly number[] = [];
  #axis = 7;
  #frameTime = 0;
  #yLabels: string[] = [];

  /** Takes new data; it is drawn at most once a second. */
  update(data: ChartData): void {
    this.#data = data;
    this.#changed = true;
  }

  paint(painter: Painter): void {
    const { series } = this.#data;
    const points = Math.max(0, ...series.map((one) => one.values.length));
    if (points === 0) {
      painter.text(1, 0, "no data yet", "muted");
      return;
    }
    const plot = painter.within({ ...painter.area, y: 1, height: painter.height - 1 });
    const roomy = plot.width >= columnsMin && plot.height >= rowsMin;
    // Lines can be told apart by their colours only, and a line of few points is a speck.
    const isClear = series.length === 1 || painter.theme.series.length > 0;
    const isLine = isClear && pointsKnown(series) >= linePointsMin;
    const isDrawn = painter.glyphs.braille && roomy && isLine;
    this.#paintLegend(painter.within({ ...painter.area, height: 1 }), isDrawn);
    if (!isDrawn) {
      paintBlockChart(plot, this.#data, seriesStyle(painter.theme.series));
      return;
    }
    if (this.#colors !== painter.theme.series) this.#size = "";
    this.#colors = painter.theme.series;
    this.#axis = painter.theme.axis;
    this.#frameTime = painter.frameTime;
    plot.guest(this);
  }

  /** Called by the layer: puts the canvas on these cells, with a new one for each new size. */
  place(rect: Rect, host: GuestHost): void {
    const size = `${rect.x},${rect.y},${rect.width},${rect.height}`;
    if (size !== this.#size || this.#element === undefined) {
      this.remove();
      this.#size = size;
      this.#element = this.#build(rect, host);
      this.#changed = true;
      this.#drawnAt = -Infinity;
    }
    if (!this.#changed || this.#frameTime - this.#drawnAt < redrawMs) return;
    this.#changed = false;
    this.#drawnAt = this.#frameTime;
    this.#draw(this.#element, rect);
  }

  /** Called by the layer when the chart was not painted. */
  remove(): void {
    this.#element?.detach();
    this.#element = undefined;
    this.#size = "";
  }

  destroy(): void {
    this.remove();
  }

  #build(rect: Rect, host: GuestHost): LineElement {
    const element = line({
      screen: host.screen,
      left: rect.x,
      top: rect.y,
      width: rect.width,
      height: rect.height,
      wrap: false,
      tags: false,
      showLegend: false,
      minY: 0,
      // Values are handed over as percentages of the axis, so its end is always this.
      maxY: 100,
      style: {},
    });
    element.calcSize = () => {
      // The chart leaves its last row of four dots blank; one row more than is seen hides that.
      element.canvasSize = { width: rect.width * 2, height: (rect.height + 1) * 4 };
    };
    host.parent.append(element);
    adaptContext(element.ctx, (text) => this.#yLabels.shift() ?? text);
    return element;
  }

  #draw(element: LineElement, rect: Rect): void {
    const { series, format, max } = this.#data;
    this.#scale = chartScale(series, max);
    const points = Math.max(1, ...series.map((one) => one.values.length));
    const labels = Array.from({ length: points }, (_, i) => canvasText(this.#data.labels[i] ?? ""));
    const count = Math.max(2, Math.min(5, rect.height >> 1));
    const write = (value: number): string => canvasText((format ?? String)(value));
    this.#yLabels = [...axisLabels(this.#scale.max, count, write)];
    const widest = Math.max(3, ...this.#yLabels.map((label) => label.length));
    Object.assign(element.options, {
      xLabelPadding: (widest + 1) * 2,
      xPadding: (widest + 1) * 2,
      numYLabels: this.#yLabels.length,
      style: { line: "normal", text: colour(this.#axis), baseline: colour(this.#axis) },
    });
    element.setData(
      series.map((one, i) => ({
        title: canvasText(one.name),
        x: labels,
        y: labels.map((_, at) => this.#scale.percent(one.values[at] ?? null)),
        style: { line: colour(this.#colors[i % Math.max(1, this.#colors.length)] ?? -1) },
      })),
    );
    this.#yLabels = [];
  }

  #paintLegend(painter: Painter, asLines: boolean): void {
    const style = seriesStyle(painter.theme.series);
    const dashes = painter.glyphs.box.horizontal.repeat(2);
    let x = 1;
    this.#data.series.forEach((one, i) => {
      const sign = asLines ? dashes : blockMark(i, painter);
      const spans = [{ text: `${sign} `, style: style(i) }, { text: `${one.name}  ` }];
      x += painter.spans(x, 0, spans);
    });
  }
}

function pointsKnown(series: ChartData["series"]): number {
  return Math.max(0, ...series.map(({ values }) => values.filter((one) => one !== null).length));
}

/** Canvas colours must be palette numbers above 0; anything else prints a broken sequence. */
function colour(number: number): number | string {
  return number > 0 ? number : "normal";
}

/** The look of a series by its place; without colours they differ by weight. */
function seriesStyle(colors: readonly number[]): (index: number) => StyleRef {
  return (index) => {
    const fg = colors[index % Math.max(1, colors.length)];
    if (fg !== undefined) return { fg };
    return index === 0 ? "strong" : "text";
  };
}
