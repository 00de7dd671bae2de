/** One for all: nobody may change a list that was read, and most are empty. */
const EMPTY: readonly never[] = [];

/** A JSON array in a text column; the empty one, which is the usual case, costs no parsing. */
export function readList<T = string>(text: string | null): readonly T[] {
  if (text === null || text === "[]") return EMPTY;
  // Only this module's own writers fill these columns.
  return JSON.parse(text) as readonly T[];
}

export function readObject<T>(text: string | null): T | null {
  return text === null ? null : (JSON.parse(text) as T);
}

/** SQL has no booleans that SQLite and PostgreSQL share; 0 and 1 they do. */
export function flag(value: boolean): number {
  return value ? 1 : 0;
}

/** The driver binds Buffers only. The bytes are shared, not copied. */
export function bytes(value: Uint8Array): Buffer {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}
