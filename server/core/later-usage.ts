import type { TokenUsage } from "./call.js";
import type { RouteTarget } from "./provider.js";

/** A response of which nobody has told yet what all of it used. */
export interface LaterUsage {
  readonly ownerId: string;
  /** That asked for it; empty where that was not kept. */
  readonly clientKeyId: string;
  readonly responseId: string;
  /** What it was asked of, at whose price it counts. */
  readonly target: Pick<RouteTarget, "upstreamModel" | "price">;
  /** What was counted of it so far. */
  readonly counted: TokenUsage;
}
