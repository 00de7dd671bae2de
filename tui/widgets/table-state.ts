import type { Painter } from "../term/painter.js";
import { wrap, safe } from "../term/safe.js";
import type { StyleName } from "../term/theme.js";

/** Whether the rows of a table can be believed, and what to say if not. */
export type TableState =
  | { readonly kind: "loading" }
  | { readonly kind: "ready" }
  /** The rows are old; they stay on the screen, dimmed. */
  | { readonly kind: "stale" }
  | { readonly kind: "error"; readonly message: string }
  | { readonly kind: "denied"; readonly message: string };

/** Draws the notice that stands in place of rows; false when the rows are to be drawn. */
export function paintTableState(
  painter: Painter,
  state: TableState,
  rowCount: number,
  emptyText: string,
): boolean {
  const { glyphs } = painter;
  if (state.kind === "error") return notice(painter, `${glyphs.fail} ${state.message}`, "danger");
  if (state.kind === "denied") return notice(painter, `${glyphs.warn} ${state.message}`, "warn");
  if (rowCount > 0) return false;
  if (state.kind === "loading") return notice(painter, `${spinner(painter)} loading`, "muted");
  return notice(painter, emptyText, "muted");
}

/** The spinner's picture for this frame. */
export function spinner(painter: Painter): string {
  const { spinner: frames } = painter.glyphs;
  return frames[Math.floor(painter.frameTime / 100) % frames.length] ?? "";
}

function notice(painter: Painter, text: string, style: StyleName): true {
  const lines = wrap(safe(text), Math.max(1, painter.width - 4)).slice(0, painter.height);
  const top = Math.max(0, Math.min(3, (painter.height - lines.length) >> 1));
  lines.forEach((line, i) => {
    painter.field({ x: 2, y: top + i, width: painter.width - 4, align: "center" }, line, style);
  });
  return true;
}
