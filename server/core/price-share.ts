import type { Price } from "./provider.js";

/** Of a price, what is no rate, or is never cheaper or dearer. */
const SAME: ReadonlySet<string> = new Set<keyof Price>([
  "effectiveFrom",
  "longContextFrom",
  "webSearches",
  "batchPercent",
]);

/** So many hundredths of a price. Searches in the web cost as much as ever. */
export function shareOfPrice(price: Price, percent: number): Price {
  const share = (micros: number): number => Math.round((micros * percent) / 100);
  const rates = Object.entries(price).flatMap(([name, rate]: [string, unknown]) =>
    typeof rate !== "number" || SAME.has(name) ? [] : [[name, share(rate)] as const],
  );
  const images = price.images?.map((row) => ({ ...row, micros: share(row.micros) }));
  return { ...price, ...Object.fromEntries(rates), ...(images === undefined ? {} : { images }) };
}
