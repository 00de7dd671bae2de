/*
 * Types of the canvas widgets that are used. They are imported by their own paths: the package's
 * index also loads its map, picture and markdown widgets with everything behind them.
 */
declare module "blessed-contrib/lib/widget/charts/line.js" {
  import type { Widgets } from "blessed";

  export interface LineSeries {
    title: string;
    x: readonly string[];
    y: readonly number[];
    style?: { line: number | string };
  }
  /** The drawing context of the canvas, as far as charts are adapted through it. */
  export interface CanvasContext {
    lineTo(x: number, y: number): void;
    moveTo(x: number, y: number): void;
    beginPath(): void;
    fillText(text: string, x: number, y: number): void;
  }
  export interface LineElement extends Widgets.BoxElement {
    ctx: CanvasContext;
    canvasSize: { width: number; height: number };
    calcSize(): void;
    setData(data: readonly LineSeries[]): void;
  }
  const line: (options: Record<string, unknown>) => LineElement;
  export default line;
}

declare module "blessed-contrib/lib/widget/gauge.js" {
  import type { Widgets } from "blessed";

  export interface GaugeElement extends Widgets.BoxElement {
    canvasSize: { width: number; height: number };
    calcSize(): void;
    setPercent(percent: number): void;
  }
  const gauge: (options: Record<string, unknown>) => GaugeElement;
  export default gauge;
}
