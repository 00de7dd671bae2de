import type { Loss } from "../../server/dialect/translate/loss.js";
import { LOSSES } from "../../server/dialect/translate/losses.js";
import { sublist } from "./markdown.js";

const ALL: readonly Loss[] = Object.values(LOSSES);
const OUTCOMES: readonly (readonly [outcome: string, heading: string])[] = [
  ["REFUSED", "What is refused"],
  ["CHANGED", "What is changed"],
  ["DROPPED", "What is dropped"],
];

/** What translation refuses, changes and drops, by the way that a call goes: the caller's form → the provider's. */
export function losses(): string {
  const ways = [...new Set(ALL.map(({ way }) => way))].toSorted(
    (a, b) => rankOf(a) - rankOf(b) || a.localeCompare(b),
  );
  return OUTCOMES.map(([outcome, heading]) => {
    const lists = ways.map((way) => {
      const own = ALL.filter((loss) => loss.outcome === outcome && loss.way === way);
      return sublist(
        `**${way}**`,
        own.map(({ what, why }) => `${what}. ${why}`.replaceAll(MEMBER, "`$1`")),
      );
    });
    return `### ${heading}\n\n${lists.filter((list) => list !== "").join("\n")}`;
  }).join("\n\n");
}

/** A member of a request, or a value of one. */
const MEMBER = /"([\w./-]+:?)"/g;

/** The general ways first, then those from each form, then those to each. */
function rankOf(way: string): number {
  if (way === "any → any") return 0;
  return way.startsWith("any") ? 2 : 1;
}
