import type { Dialect } from "../core/provider.js";
import type { Page } from "./request/browsers.js";
import type { Match } from "./route/match.js";
import type { RequestHead } from "./request/request-head.js";

/** What the head of a request that is a call was read as. All requests with the same head share it, so nothing of it changes. */
export class CallHead {
  readonly head: RequestHead;
  readonly match: Match;
  readonly path: string;
  /** As sent, without `?`. */
  readonly query: string;
  readonly spoken: Dialect;
  readonly page: Page | undefined;

  constructor(parts: CallHead) {
    this.head = parts.head;
    this.match = parts.match;
    this.path = parts.path;
    this.query = parts.query;
    this.spoken = parts.spoken;
    this.page = parts.page;
  }
}
