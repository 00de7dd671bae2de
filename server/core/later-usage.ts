import type { TokenUsage } from "./call.js";
import type { RouteTarget } from "./provider.js";

/** A response whose provider has not told yet what it used in all. */
export interface LaterUsage {
  readonly ownerId: string;
  /** The client key that asked for it; empty where that was not kept. */
  readonly clientKeyId: string;
  readonly responseId: string;
  /** The model that was asked, at whose price the usage counts. */
  readonly target: Pick<RouteTarget, "upstreamModel" | "price">;
  /** What has been counted of it so far. */
  readonly counted: TokenUsage;
}
