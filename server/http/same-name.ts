/** Whether `lower`, a name in lower case, stands in `raw` at `start`, in whatever case. */
export function isNameAt(raw: Buffer, start: number, lower: Buffer): boolean {
  for (let i = 0; i < lower.length; i++) {
    const byte = raw[start + i] ?? 0;
    const folded = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    if (folded !== lower[i]) return false;
  }
  return true;
}
