/** Sets apart capital letters from small ones. It also does `^` from `~`, which no name that is looked for holds. */
const CASE = 0x20;

/** Whether `raw` has at `start` the name `lower`, which is in lower case; the case in `raw` does not matter. */
export function isNameAt(raw: Buffer, start: number, lower: Buffer): boolean {
  for (let i = 0; i < lower.length; i++) {
    if (((raw[start + i] ?? 0) | CASE) !== ((lower[i] ?? 0) | CASE)) return false;
  }
  return true;
}
