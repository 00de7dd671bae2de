import { LOSSES } from "../../server/dialect/translate/losses.js";
import { table } from "./markdown.js";

/** What translation refuses, drops and changes. */
export function losses(): string {
  const rows = Object.values(LOSSES).map(({ what, way, outcome, why }) => [
    outcome.toLowerCase(),
    way,
    what,
    why,
  ]);
  rows.sort(([a = ""], [b = ""]) => ORDER.indexOf(a) - ORDER.indexOf(b));
  return table(["", "from → to", "what", "why, or into what"], rows);
}

const ORDER = ["refused", "changed", "dropped"];
