import type { Painter } from "./painter.js";

/** Smallest terminal in which the dashboard is drawn, in columns. */
export const columnsMin = 60;

/** Smallest terminal in which the dashboard is drawn, in rows. */
export const rowsMin = 16;

/** Says what is wrong and what helps, down to a window of a single cell. */
export function paintTooSmall(painter: Painter, columns: number, rows: number): void {
  painter.cover(painter.area);
  painter.hideCursor();
  const lines = [
    "terminal too small",
    `${columns}x${rows}, needs ${columnsMin}x${rowsMin}`,
    "enlarge it, or ctrl-c quits",
  ];
  const top = Math.max(0, (painter.height - lines.length) >> 1);
  lines.forEach((line, i) => {
    painter.field({ x: 0, y: top + i, width: painter.width, align: "center" }, line, "warn");
  });
}
