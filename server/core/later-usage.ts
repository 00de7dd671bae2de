import type { TokenUsage, UsageCounts, UsageParts } from "./call.js";
import type { RouteTarget } from "./provider.js";
import { inTier } from "./service-tier.js";

/** What is to be known of a response to count what it used once its provider tells all of that. */
export interface LaterUsage {
  /** The model that was asked, at whose price the usage counts. */
  readonly target: Pick<RouteTarget, "upstreamModel" | "price">;
  /** What has been counted of it so far. */
  readonly counted: TokenUsage;
}

/** What is left to be counted of what a response used in all. */
export function restOf(told: TokenUsage, counted: TokenUsage): TokenUsage {
  const rest = (of: "input" | "output" | "cacheRead" | "cacheWrite" | "reasoning"): number =>
    Math.max(0, told[of] - counted[of]);
  const parts = restOfParts(told.parts, counted.parts);
  const left = {
    input: rest("input"),
    output: rest("output"),
    cacheRead: rest("cacheRead"),
    cacheWrite: rest("cacheWrite"),
    reasoning: rest("reasoning"),
    ...(parts === undefined ? {} : { parts }),
  };
  return inTier(left, told.parts?.serviceTier);
}

/** Undefined where nothing is left that is priced apart. What a tool used is told once the response is done, and so once. */
function restOfParts(
  { imageTool, ...told }: UsageParts = {},
  counted: UsageCounts = {},
): UsageParts | undefined {
  const rest = Object.entries(told).flatMap(([name, count]: [string, unknown]) => {
    const left = Number(count) - (counted[name as keyof UsageCounts] ?? 0);
    return left > 0 ? [[name, left] as const] : [];
  });
  const parts = rest.length === 0 ? undefined : Object.fromEntries(rest);
  return imageTool === undefined ? parts : { ...parts, imageTool };
}
