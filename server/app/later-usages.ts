import { LaterUsages } from "../gateway/later-usage.js";
import { GATEWAY_LIMITS } from "../gateway/limits.js";
import type { Foundation } from "./foundation.js";

/**
 * What responses used that is still to be counted: what the last process left when it stopped, and left to the next one
 * by this. A kill loses it; nothing of it counts twice.
 */
export async function startLaterUsages({ lifecycle, storage }: Foundation): Promise<LaterUsages> {
  const usages = new LaterUsages(GATEWAY_LIMITS.homesMax);
  for (const later of await storage.laterUsages.takeAll()) usages.note(later);
  lifecycle.started("usage that is told later", () => storage.laterUsages.leave(usages.all));
  return usages;
}
