import { LaterUsages } from "../gateway/later-usage.js";
import { GATEWAY_LIMITS } from "../gateway/limits.js";
import type { Foundation } from "./foundation.js";

/** What responses used that is still to be counted, by whoever is told of it first: what the last process left. */
export async function startLaterUsages({ storage }: Foundation): Promise<LaterUsages> {
  const usages = new LaterUsages(GATEWAY_LIMITS.homesMax);
  for (const response of await storage.batches.open()) {
    // Where its records are made already, nobody else counts it.
    if (response.records === undefined) usages.note(response);
  }
  return usages;
}
