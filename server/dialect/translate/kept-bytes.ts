/** Bytes that a piece of text takes in addition to its letters, as one of many that are joined or in a list. */
const PIECE_BYTES = 48;

/** What one more piece of text takes in memory, roughly: many short ones take far more than their letters. */
export function keptBytesOf(text: string): number {
  return text.length + PIECE_BYTES;
}
