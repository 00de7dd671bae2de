import donut, { type DonutElement } from "blessed-contrib/lib/widget/donut.js";
import type { Guest, GuestHost, Painter } from "../term/painter.js";
import type { Rect } from "../term/rect.js";
import { fullness, paintMeter } from "./meter.js";
import { canvasText } from "./canvas-context.js";
import type { Widget } from "./widget.js";

/** What a donut shows. */
export interface DonutData {
  readonly label: string;
  /** Share from 0 to 1. */
  readonly ratio: number;
  readonly tone?: "ok" | "warn" | "danger";
}

const columnsMin = 22;
const rowsMin = 10;

/** The library takes more than this for a percentage: 1.0 must never reach it. */
const ratioMax = 0.999;
const ratioMin = 0.01;

/** A ring for very wide screens; the one-row meter elsewhere. */
export class Donut implements Widget, Guest {
  #data: DonutData = { label: "", ratio: 0 };
  #element: DonutElement | undefined;
  #size = "";
  #drawn = "";
  #color = 7;
  #track = 8;

  update(data: DonutData): void {
    this.#data = data;
  }

  paint(painter: Painter): void {
    const { label, tone } = this.#data;
    const ratio = fullness(this.#data.ratio);
    const color = painter.style(tone ?? "accent").fg;
    const roomy = painter.width >= columnsMin && painter.height >= rowsMin;
    if (!roomy || color === undefined || !painter.glyphs.braille || ratio < ratioMin) {
      const text = `${Math.round(ratio * 100)}%`;
      paintMeter(painter, { label, value: ratio, text, style: tone ?? "accent" });
      return;
    }
    this.#color = Math.max(1, color);
    this.#track = Math.max(1, painter.theme.axis);
    painter.guest(this);
  }

  place(rect: Rect, host: GuestHost): void {
    const size = `${rect.x},${rect.y},${rect.width},${rect.height}`;
    const percent = Math.min(ratioMax, Math.max(ratioMin, fullness(this.#data.ratio)));
    if (size !== this.#size || this.#element === undefined) {
      this.remove();
      this.#size = size;
      this.#element = this.#build(rect, host);
    }
    const wanted = `${percent.toFixed(2)} ${this.#color} ${this.#data.label}`;
    if (wanted === this.#drawn) return;
    this.#drawn = wanted;
    this.#element.setData([{ percent, label: canvasText(this.#data.label), color: this.#color }]);
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

  #build(rect: Rect, host: GuestHost): DonutElement {
    const radius = Math.min(rect.width - 6, rect.height * 2 - 12);
    const element = donut({
      screen: host.screen,
      left: rect.x,
      top: rect.y,
      width: rect.width,
      height: rect.height,
      wrap: false,
      tags: false,
      radius: Math.max(6, radius),
      arcWidth: 3,
      yPadding: 2,
      remainColor: this.#track,
      data: [],
      style: {},
    });
    host.parent.append(element);
    return element;
  }
}
