import type { Clock } from "../core/clock.js";
import { FairRoom } from "../core/fair-room.js";
import { LongWorks } from "../core/long-works.js";
import type { Logger } from "../core/logger.js";
import { LongTranslations } from "../dialect/translate/thread/long-translations.js";
import { AddedOption, needsToBeAskedForUsage } from "./attempt/ways-of-asking.js";
import { StreamRoom } from "./reply/stream-room.js";
import type { Upstream } from "../upstream/upstream.js";
import { EndpointPaths } from "./route/endpoint-path.js";
import { BusyPoll } from "./busy-poll.js";
import type { GatewayLimits } from "./limits.js";
import { Homes } from "./route/homes.js";
import { HostLacks } from "./attempt/host-lacks.js";
import { LaterUsages } from "./later-usage.js";
import { Passages } from "./route/passages.js";
import { RecordRound } from "./record-round.js";
import { RefusalPace } from "./refusal-pace.js";
import { ResponseStore } from "./response-store.js";
import { ServedModels } from "./route/served-models.js";
import { Uploads } from "./request/uploads.js";
import { WaitingRoom } from "./waiting-room.js";
import type {
  Admission,
  Authenticator,
  Batches,
  CallSink,
  CallTraces,
  Limiter,
  Pool,
  Router,
  SecretOpener,
} from "./ports.js";

/** What every exchange of one gateway shares. */
export interface GatewayContext {
  readonly authenticator: Authenticator;
  readonly router: Router;
  readonly admission: Admission;
  readonly limiter: Limiter;
  readonly pool: Pool;
  readonly secrets: SecretOpener;
  readonly sink: CallSink;
  readonly records: RecordRound;
  readonly upstream: Upstream;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Undefined when calls are not traced. */
  readonly traces: CallTraces | undefined;
  readonly limits: GatewayLimits;
  readonly bodyRoom: FairRoom;
  /** What is done with long bodies. */
  readonly longWorks: LongWorks;
  readonly longTranslations: LongTranslations;
  readonly streamRoom: StreamRoom;
  readonly paths: EndpointPaths;
  readonly passages: Passages;
  readonly servedModels: ServedModels;
  readonly refusals: RefusalPace;
  readonly lacks: HostLacks;
  readonly responses: ResponseStore;
  readonly homes: Homes;
  readonly uploads: Uploads;
  readonly laterUsages: LaterUsages;
  readonly batches: Batches;
  /** `stream_options.include_usage`. */
  readonly usageOption: AddedOption;
  /** `reasoning.summary` of the Responses API. */
  readonly summaryOption: AddedOption;
  readonly waitingRoom: WaitingRoom;
  /** What is counted of a call that its caller broke off; asked anew for each. */
  readonly abortedCalls: () => AbortedCalls;
}

/** What a gateway is given; the rest of its context is its own. */
export type ContextParts = Pick<
  GatewayContext,
  | "authenticator"
  | "router"
  | "admission"
  | "limiter"
  | "pool"
  | "secrets"
  | "sink"
  | "upstream"
  | "clock"
  | "logger"
> & {
  /** What went by unless said otherwise. */
  readonly abortedCalls?: () => AbortedCalls;
  /** Undefined when calls are not traced. */
  readonly traces?: CallTraces | undefined;
  /** What an earlier process had learnt; by default nothing. */
  readonly homes?: Homes;
  /** What an earlier process left to be counted; by default nothing. */
  readonly laterUsages?: LaterUsages;
  /** By default what batches use is nobody's concern. */
  readonly batches?: Batches;
};

export const NO_BATCHES: Batches = {
  readFile: () => Promise.resolve(false),
  asked: () => Promise.resolve(),
  made: () => Promise.resolve(),
  unmade: () => undefined,
  ended: () => undefined,
  goesOn: ({ madeAt }) => madeAt,
  recorded: () => undefined,
  beforeRemoval: () => Promise.resolve(),
};

/** OBSERVED: what went by. RESERVED: the worst case that was reserved. */
export type AbortedCalls = "OBSERVED" | "RESERVED" | "NOTHING";

export function createContext(parts: ContextParts, limits: GatewayLimits): GatewayContext {
  const { clock } = parts;
  const longWorks = new LongWorks();
  return {
    authenticator: parts.authenticator,
    router: parts.router,
    admission: parts.admission,
    limiter: parts.limiter,
    pool: parts.pool,
    secrets: parts.secrets,
    sink: parts.sink,
    records: new RecordRound(parts.sink, new BusyPoll(clock, limits.busyPollMicros)),
    upstream: parts.upstream,
    clock,
    logger: parts.logger,
    traces: parts.traces,
    limits,
    bodyRoom: new FairRoom(limits.bodyBytesInFlightMax),
    longWorks,
    longTranslations: new LongTranslations({ clock, longWorks }),
    streamRoom: new StreamRoom(limits.streamBytesMax),
    paths: new EndpointPaths(),
    waitingRoom: new WaitingRoom({ clock, callsMax: limits.waitingCallsMax }),
    abortedCalls: parts.abortedCalls ?? (() => "OBSERVED"),
    passages: new Passages(),
    servedModels: new ServedModels(),
    refusals: new RefusalPace(clock, limits.refusalsPerSecond),
    lacks: new HostLacks(clock, parts.logger),
    responses: new ResponseStore(limits.keptResponseBytesMax),
    homes: parts.homes ?? new Homes(limits.homesMax),
    uploads: new Uploads(),
    laterUsages: parts.laterUsages ?? new LaterUsages(limits.homesMax),
    batches: parts.batches ?? NO_BATCHES,
    usageOption: new AddedOption(needsToBeAskedForUsage),
    summaryOption: new AddedOption(),
  };
}
