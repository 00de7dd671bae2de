import { paintedWidth, type Painter, type Span } from "../term/painter.js";
import { inset } from "../term/rect.js";
import type { StyleRef } from "../term/theme.js";

/** What stands in the frame of a pane. */
export interface PaneOptions {
  readonly title: string;
  /** Text at the right end of the upper edge, e.g. the sort order. Given up first when narrow. */
  readonly right?: string;
  /** Text in the lower edge at the right, e.g. the rows shown. */
  readonly bottom?: string;
  readonly focused?: boolean;
  readonly tone?: "normal" | "danger" | "modal";
  /** Blank columns between frame and inside; default 1. */
  readonly padding?: number;
}

/**
 * Draws a frame with its titles and returns the painter for its inside.
 * ```ts
 * const inner = paintPane(painter, { title: 'Providers', right: 'sort:req/s ▼', focused: true });
 * table.paint(inner);
 * ```
 */
export function paintPane(painter: Painter, options: PaneOptions): Painter {
  const border = borderStyle(options);
  painter.frame(painter.area, border);
  const room = painter.width - 4;
  const title = options.title === "" ? "" : ` ${options.title} `;
  const used = title === "" || room <= 0 ? 0 : 1 + Math.min(paintedWidth(title), room);
  if (used > 0) paintEdge(painter, 0, { text: title, style: titleStyle(options) }, "left");
  const right = options.right ?? "";
  if (right !== "" && paintedWidth(right) + 4 + used <= painter.width - 2) {
    paintEdge(painter, 0, { text: ` ${right} `, style: "muted" }, "right");
  }
  const bottom = options.bottom ?? "";
  if (bottom !== "" && paintedWidth(bottom) + 4 <= room) {
    paintEdge(painter, painter.height - 1, { text: ` ${bottom} `, style: "muted" }, "right");
  }
  return painter.within(inset(painter.area, 1 + (options.padding ?? 1), 1));
}

function paintEdge(painter: Painter, y: number, span: Span, side: "left" | "right"): void {
  const width = Math.min(paintedWidth(span.text), painter.width - 4);
  if (width <= 0) return;
  const x = side === "left" ? 2 : painter.width - 2 - width;
  painter.spans(x, y, [span], width);
}

function borderStyle(options: PaneOptions): StyleRef {
  if (options.tone === "danger") return "dangerBorder";
  if (options.tone === "modal" || options.focused === true) return "borderFocus";
  return "border";
}

function titleStyle(options: PaneOptions): StyleRef {
  if (options.tone === "danger") return "danger";
  return options.focused === true || options.tone === "modal" ? "header" : "title";
}
