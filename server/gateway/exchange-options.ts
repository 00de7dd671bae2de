import type { CallerConnection } from "../caller/caller-connection.js";
import type { Turn } from "../caller/turn.js";
import type { GatewayContext } from "./context.js";
import type { Exchange } from "./exchange.js";
import type { Match } from "./route/match.js";
import type { RequestHead } from "./request/request-head.js";

/** What an exchange is given. */
export interface ExchangeOptions {
  readonly context: GatewayContext;
  readonly id: string;
  readonly turn: Turn;
  readonly connection: CallerConnection;
  /** Where the call comes from. */
  readonly ip: string;
  readonly head: RequestHead;
  readonly match: Match;
  readonly path: string;
  /** As sent, without `?`. */
  readonly query: string;
  /** Called once, when nothing is left to do but to let the answer leave. */
  readonly onOver: (exchange: Exchange) => void;
}
