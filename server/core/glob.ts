/**
 * True when `text` fits `pattern`, in which `*` stands for any run of characters and `?` for one.
 * Upper and lower case are the same, as providers take model ids either way. Runs in
 * O(pattern × text) at worst, so that a hostile pattern cannot stall the process.
 */
export function globMatches(pattern: string, text: string): boolean {
  if (pattern === "*") return true;
  return matchFolded(pattern.toLowerCase(), text.toLowerCase());
}

/** True when any of `patterns` fits; an empty list allows everything. */
export function allowedBy(patterns: readonly string[], text: string): boolean {
  if (patterns.length === 0) return true;
  for (const pattern of patterns) if (globMatches(pattern, text)) return true;
  return false;
}

/** Two-pointer match that goes back to the latest `*` only, which is enough for globs. */
function matchFolded(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let starAt = -1;
  let resumeAt = 0;
  while (t < text.length) {
    const wanted = pattern.charCodeAt(p);
    if (wanted === STAR) {
      starAt = p++;
      resumeAt = t;
    } else if (p < pattern.length && (wanted === text.charCodeAt(t) || wanted === ANY_ONE)) {
      p++;
      t++;
    } else if (starAt >= 0) {
      p = starAt + 1;
      t = ++resumeAt;
    } else {
      return false;
    }
  }
  while (pattern.charCodeAt(p) === STAR) p++;
  return p === pattern.length;
}

const STAR = 42;
const ANY_ONE = 63;
