/** What a piece of text takes beside its letters where many are put together, or a list has one more. */
const PIECE_BYTES = 48;

/** What one more piece of text takes in memory, roughly: many short ones take far more than their letters. */
export function keptBytesOf(text: string): number {
  return text.length + PIECE_BYTES;
}
