import type { Principal } from "../core/client-key.js";
import type { CallBook } from "./call-book.js";
import type { GatewayContext } from "./context.js";
import type { Match } from "./route/match.js";
import type { RequestHead } from "./request/request-head.js";

/** A call that was let in, as all who work on it know it. What it asks for is in its plan. */
export interface AdmittedCall {
  readonly context: GatewayContext;
  readonly id: string;
  readonly match: Match;
  readonly head: RequestHead;
  /** As sent, without `?`. */
  readonly query: string;
  /** Where it comes from. */
  readonly ip: string;
  /** How the caller reaches this server, where that matters; undefined if it is not known. */
  readonly origin: string | undefined;
  readonly principal: Principal;
  readonly book: CallBook;
}
