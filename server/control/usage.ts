import type { ServiceImpl } from "@connectrpc/connect";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { StreamInfo_Kind } from "../../proto/gen/latchkey/v1/common_pb.js";
import type { UsageService } from "../../proto/gen/latchkey/v1/usage_pb.js";
import type { Limits } from "../core/limits.js";
import { userIdOf } from "../keys/owners.js";
import { authorize, mayAll } from "../keys/policy.js";
import type { LiveOverview } from "../metering/live-overview.js";
import { actorKey } from "./context.js";
import { onlySections } from "./messages/overview-sections.js";
import { overviewMessage, type CallQueue } from "./messages/overview.js";
import { usageReportRpcs, type UsageReportsDeps } from "./usage-reports.js";

const INTERVAL_MS_DEFAULT = 500;
const INTERVAL_MS_MIN = 250;
const INTERVAL_MS_MAX = 5000;
const WINDOW_SECONDS_DEFAULT = 60;
const TOP_N_MAX = 10;
/** Those that wait are counted for all callers together, which is nothing for one of them to see. */
const NO_QUEUE: CallQueue = { waiting: 0, waitingMax: 0 };

export interface UsageDeps extends UsageReportsDeps {
  readonly overview: LiveOverview;
  /** The overview of one owner's calls and keys, for callers who may see only their own things. */
  readonly ownerOverview: (ownerId: string) => Promise<LiveOverview>;
  /** Limits of the whole server, or of one owner. */
  readonly limitsOf: (ownerId: string | undefined) => Limits;
  /** Whether a provider key is this user's own. */
  readonly ownsKey: (ownerId: string, providerKeyId: string) => boolean;
  /** Calls of all callers that wait for admission. */
  readonly queue: () => CallQueue;
  readonly vaultLocked: () => boolean;
  readonly nodeId: string;
}

/** What has been used, and what happens now. */
export function usageService(deps: UsageDeps): Partial<ServiceImpl<typeof UsageService>> {
  return {
    ...usageReportRpcs(deps),
    async *watchOverview(request, context) {
      const actor = context.values.get(actorKey);
      authorize(actor, "usage.watch_overview");
      const ownerId = mayAll(actor, "usage.watch_overview") ? undefined : userIdOf(actor);
      const overview = ownerId === undefined ? deps.overview : await deps.ownerOverview(ownerId);
      const intervalMs = clamp(request.intervalMs || INTERVAL_MS_DEFAULT);
      const topN = Math.min(request.topN || TOP_N_MAX, TOP_N_MAX);
      let afterErrorSeq = Number(request.afterErrorSeq);
      let first = true;
      const updates = overview.subscribe({
        intervalMs,
        windowSeconds: request.windowSeconds || WINDOW_SECONDS_DEFAULT,
        signal: context.signal,
      });
      for await (const { snapshot, dropped } of updates) {
        const view = {
          intervalMs,
          topN,
          afterErrorSeq,
          vaultLocked: deps.vaultLocked(),
          names: deps.names,
          limits: deps.limitsOf(ownerId),
          queue: ownerId === undefined ? deps.queue() : NO_QUEUE,
          own: ownerId !== undefined,
          seesKey: (id: string) => ownerId === undefined || deps.ownsKey(ownerId, id),
        };
        yield {
          stream: {
            kind: first ? StreamInfo_Kind.JOINED : StreamInfo_Kind.DATA,
            seq: BigInt(snapshot.seq),
            dropped: BigInt(dropped),
            serverTime: timestampFromMs(snapshot.atMs),
            nodeId: first ? deps.nodeId : "",
          },
          overview: onlySections(overviewMessage(snapshot, view), request.sections),
        };
        first = false;
        afterErrorSeq = Math.max(afterErrorSeq, snapshot.errors[0]?.seq ?? 0);
      }
    },
  };
}

function clamp(intervalMs: number): number {
  return Math.min(Math.max(intervalMs, INTERVAL_MS_MIN), INTERVAL_MS_MAX);
}
