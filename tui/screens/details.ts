import { paintedWidth, type Painter, type Span } from "../term/painter.js";
import { safe, wrap } from "../term/safe.js";

/** A label with its value; an empty label continues the one above, an empty pair is a gap. */
export type Detail = readonly [label: string, value: string | readonly Span[]];

const COLUMN_WIDTH_MIN = 58;
const LABEL_WIDTH_MAX = 16;

/**
 * Labels in one column, values beside them; two such columns where there is room. Rows above `top`
 * are left out. Returns the rows that there are.
 */
export function paintDetails(painter: Painter, details: readonly Detail[], top = 0): number {
  const columns = painter.width >= COLUMN_WIDTH_MIN * 2 && details.length > 6 ? 2 : 1;
  const width = Math.floor(painter.width / columns);
  const labelWidth = widestLabel(details) + 2;
  const valueWidth = Math.max(1, width - labelWidth - 1);
  const lines = details.flatMap((detail) => linesOf(detail, valueWidth));
  const perColumn = Math.ceil(lines.length / columns);
  lines.forEach(({ label, value }, i) => {
    const x = Math.floor(i / perColumn) * width;
    const y = (i % perColumn) - top;
    if (y < 0) return;
    painter.field({ x, y, width: labelWidth }, label, "muted");
    painter.spans(x + labelWidth, y, value, valueWidth);
  });
  return perColumn;
}

function widestLabel(details: readonly Detail[]): number {
  const widths = details.map(([label]) => paintedWidth(label));
  return Math.min(LABEL_WIDTH_MAX, Math.max(0, ...widths));
}

/** Long text continues on the next row instead of being cut: the details are where all of it can be read. */
function linesOf([label, value]: Detail, width: number): { label: string; value: Span[] }[] {
  if (typeof value !== "string") return [{ label, value: [...value] }];
  const wrapped = value === "" ? [""] : wrap(safe(value), width);
  return wrapped.map((text, i) => ({ label: i === 0 ? label : "", value: [{ text }] }));
}
