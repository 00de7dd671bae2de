import gauge, { type GaugeElement } from "blessed-contrib/lib/widget/gauge.js";
import type { Guest, GuestHost, Painter } from "../term/painter.js";
import type { Rect } from "../term/rect.js";
import { fullness, paintMeter } from "./meter.js";
import type { Widget } from "./widget.js";

/** What a gauge shows. */
export interface BigGaugeData {
  readonly label: string;
  readonly value: number;
  readonly max: number;
  /** Exact figure, e.g. `$41.20 of $100`. */
  readonly text: string;
  readonly tone?: "ok" | "warn" | "danger";
}

/** The library draws bar and figure on rows 2 to 4 of its canvas; less room hides them. */
const canvasRowsMin = 5;

/** The library takes 1 or less for a fraction of one: 1 % would fill the gauge. */
const percentMin = 2;

/**
 * A gauge of six rows or more for large screens; with less room, or without colours, it becomes
 * the one-row meter.
 * ```ts
 * const budget = new BigGauge();
 * budget.update({ label: 'budget', value: 41.2, max: 100, text: '$41.20 of $100' });
 * budget.paint(paintPane(painter, { title: 'Spend today' }));
 * ```
 */
export class BigGauge implements Widget, Guest {
  #data: BigGaugeData = { label: "", value: 0, max: 1, text: "" };
  #element: GaugeElement | undefined;
  #size = "";
  #drawn = "";
  #color = 7;

  update(data: BigGaugeData): void {
    this.#data = data;
  }

  paint(painter: Painter): void {
    const { label, text, value, max, tone } = this.#data;
    const percent = fullness(value, max) * 100;
    const color = painter.style(tone ?? "accent").fg;
    const drawable = painter.height >= canvasRowsMin + 1 && painter.width >= 20;
    if (!drawable || color === undefined || !painter.glyphs.braille || percent < percentMin) {
      paintMeter(painter, { label, value, max, text, style: tone ?? "accent" });
      return;
    }
    painter.spans(1, 0, [{ text: `${label}  `, style: "strong" }, { text }]);
    this.#color = Math.max(1, color);
    painter.within({ ...painter.area, y: 1, height: painter.height - 1 }).guest(this);
  }

  place(rect: Rect, host: GuestHost): void {
    const size = `${rect.x},${rect.y},${rect.width},${rect.height}`;
    if (size !== this.#size || this.#element === undefined) {
      this.remove();
      this.#size = size;
      this.#element = this.#build(rect, host);
    }
    const percent = Math.round(fullness(this.#data.value, this.#data.max) * 100);
    const wanted = `${percent} ${this.#color}`;
    if (wanted === this.#drawn) return;
    this.#drawn = wanted;
    Object.assign(this.#element.options, { stroke: this.#color, fill: "normal" });
    this.#element.setPercent(Math.max(percentMin, percent));
  }

  remove(): void {
    this.#element?.detach();
    this.#element = undefined;
    this.#size = "";
    this.#drawn = "";
  }

  destroy(): void {
    this.remove();
  }

  #build(rect: Rect, host: GuestHost): GaugeElement {
    const element = gauge({
      screen: host.screen,
      left: rect.x,
      top: rect.y,
      width: rect.width,
      height: rect.height,
      wrap: false,
      tags: false,
      percent: percentMin,
      style: {},
    });
    element.calcSize = () => {
      element.canvasSize = { width: rect.width, height: rect.height };
    };
    host.parent.append(element);
    return element;
  }
}
