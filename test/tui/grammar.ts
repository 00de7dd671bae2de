import { safe } from "../../tui/term/safe.js";

/** The control sequences the dashboard may send; anything else would be a leak. */
const SEQUENCES = [
  /^\u001b\[\d*(?:;\d*)*m/,
  /^\u001b\[\d*(?:;\d*)*[HCJKrABDdG]/,
  /^\u001b\[\?(?:1|12|25|1000|1006|1049|2004|2026)(?:;25)?[hl]/,
  // The shape of the cursor on the Linux console.
  /^\u001b\[\?[018]c/,
  /^\u001b[78=>]/,
  /^\u001b\(B/,
  /^[\r\u000f]/,
  /^\u001b\]52;c;[A-Za-z0-9+/=]*\u0007/,
];

/** What in the bytes is neither one of our sequences nor safe text; empty when all is well. */
export function foreignBytes(bytes: string): string[] {
  const foreign: string[] = [];
  let rest = bytes;
  while (rest !== "") {
    const text = /^[^\p{Cc}]+/u.exec(rest)?.[0];
    if (text !== undefined) {
      // A chunk may hold any number of cells, so the length cap of safe() is worked around.
      for (let at = 0; at < text.length; at += 1000) {
        const part = text.slice(at, at + 1000).normalize("NFC");
        if (safe(part) !== part && !/[\ud800-\udfff]/.test(part)) foreign.push(part);
      }
      rest = rest.slice(text.length);
      continue;
    }
    const sequence = SEQUENCES.map((one) => one.exec(rest)?.[0]).find((one) => one !== undefined);
    foreign.push(...(sequence === undefined ? [JSON.stringify(rest.slice(0, 12))] : []));
    rest = rest.slice(sequence?.length ?? 1);
  }
  return foreign;
}
