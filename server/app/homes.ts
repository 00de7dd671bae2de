import { Homes } from "../gateway/route/homes.js";
import { GATEWAY_LIMITS } from "../gateway/limits.js";
import type { Foundation } from "./foundation.js";
import { WriteBehind } from "./write-behind.js";

/**
 * Whose account holds what: what the last process had learnt, and written down as this one learns and forgets. A kill
 * loses the last two seconds of it, after which such a thing is looked for with any key.
 */
export async function startHomes({
  clock,
  logger,
  lifecycle,
  storage,
}: Foundation): Promise<Homes> {
  const { homesMax } = GATEWAY_LIMITS;
  const homes = new Homes(homesMax);
  homes.load(await storage.homes.all());
  const writer = new WriteBehind({
    clock,
    logger,
    what: "homes of what providers keep",
    takeChanged: () => homes.takeChanges(),
    nameOf: ({ home }) => `${home.scope} ${home.thingId}`,
    write: (changes) => storage.homes.keep(changes),
    // As much as is kept may be learnt, and as much as was kept forgotten.
    pendingMax: 2 * homesMax,
  });
  writer.start();
  lifecycle.started("homes", () => writer.stop());
  return homes;
}
