import type { Mark } from "../present/states.js";
import type { Glyphs } from "../term/glyphs.js";
import type { Span } from "../term/painter.js";
import { stateMark } from "../term/theme.js";

/** A state as symbol and word, for a table cell or a line of text. */
export function markCell({ kind, word }: Mark, glyphs: Glyphs): readonly Span[] {
  const { glyph, style } = stateMark(kind, glyphs);
  return [{ text: `${glyph} ${word}`, style }];
}
