/** A rectangle of cells. In a painter it is relative to the painter's own top left corner. */
export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A fixed number of cells, or a share of what the fixed ones leave. */
export type Size = number | { readonly share: number; readonly min?: number };

/** The part of `inner` that lies inside `outer`, both in the same coordinates. */
export function intersect(outer: Rect, inner: Rect): Rect {
  const x = Math.max(outer.x, inner.x);
  const y = Math.max(outer.y, inner.y);
  const right = Math.min(outer.x + outer.width, inner.x + inner.width);
  const bottom = Math.min(outer.y + outer.height, inner.y + inner.height);
  return { x, y, width: Math.max(0, right - x), height: Math.max(0, bottom - y) };
}

/** A rectangle smaller by `dx` columns on each side and `dy` rows above and below. */
export function inset(rect: Rect, dx: number, dy: number): Rect {
  return {
    x: rect.x + dx,
    y: rect.y + dy,
    width: Math.max(0, rect.width - 2 * dx),
    height: Math.max(0, rect.height - 2 * dy),
  };
}

/** A box of at most the wished size in the middle of `outer`. */
export function centered(outer: Rect, width: number, height: number): Rect {
  const w = Math.min(width, outer.width);
  const h = Math.min(height, outer.height);
  return {
    x: outer.x + ((outer.width - w) >> 1),
    y: outer.y + ((outer.height - h) >> 1),
    width: w,
    height: h,
  };
}

/** Stacks areas from the top; the sizes always add up to the height, without gaps. */
export function splitRows(rect: Rect, sizes: readonly Size[]): Rect[] {
  let y = rect.y;
  return divide(rect.height, sizes).map((height) => {
    const part = { x: rect.x, y, width: rect.width, height };
    y += height;
    return part;
  });
}

/** Puts areas side by side from the left; the sizes always add up to the width, without gaps. */
export function splitColumns(rect: Rect, sizes: readonly Size[]): Rect[] {
  let x = rect.x;
  return divide(rect.width, sizes).map((width) => {
    const part = { x, y: rect.y, width, height: rect.height };
    x += width;
    return part;
  });
}

/**
 * Divides `total` cells. Fixed sizes are served first and in order, shares divide the rest, and
 * the cells lost to rounding go to the first shares, so that edges line up at every terminal size.
 */
export function divide(total: number, sizes: readonly Size[]): number[] {
  let left = total;
  const parts = sizes.map((size) => {
    const wish = typeof size === "number" ? size : (size.min ?? 0);
    const given = Math.max(0, Math.min(wish, left));
    left -= given;
    return given;
  });
  const shares = sizes.map((size) => (typeof size === "number" ? 0 : size.share));
  const sum = shares.reduce((a, b) => a + b, 0);
  if (sum <= 0 || left <= 0) return parts;
  const extra = shares.map((share) => Math.floor((left * share) / sum));
  let rest = left - extra.reduce((a, b) => a + b, 0);
  return parts.map((part, i) => {
    const bonus = rest > 0 && (shares[i] ?? 0) > 0 ? 1 : 0;
    rest -= bonus;
    return part + (extra[i] ?? 0) + bonus;
  });
}
