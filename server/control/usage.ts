import type { ServiceImpl } from "@connectrpc/connect";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { StreamInfo_Kind } from "../../proto/gen/latchkey/v1/common_pb.js";
import type { UsageService } from "../../proto/gen/latchkey/v1/usage_pb.js";
import { authorize } from "../keys/policy.js";
import type { LiveOverview } from "../metering/live-overview.js";
import { actorKey } from "./context.js";
import { overviewMessage } from "./messages/overview.js";
import { usageReportRpcs, type UsageReportsDeps } from "./usage-reports.js";

const INTERVAL_MS_DEFAULT = 500;
const INTERVAL_MS_MIN = 250;
const INTERVAL_MS_MAX = 5000;
const WINDOW_SECONDS_DEFAULT = 60;
const TOP_N_MAX = 10;

export interface UsageDeps extends UsageReportsDeps {
  readonly overview: LiveOverview;
  readonly vaultLocked: () => boolean;
  readonly nodeId: string;
}

/** What has been used, and what happens now. */
export function usageService(deps: UsageDeps): Partial<ServiceImpl<typeof UsageService>> {
  return {
    ...usageReportRpcs(deps),
    async *watchOverview(request, context) {
      authorize(context.values.get(actorKey), "usage.watch_overview");
      const intervalMs = clamp(request.intervalMs || INTERVAL_MS_DEFAULT);
      const topN = Math.min(request.topN || TOP_N_MAX, TOP_N_MAX);
      let afterErrorSeq = Number(request.afterErrorSeq);
      let first = true;
      const updates = deps.overview.subscribe({
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
        };
        yield {
          stream: {
            kind: first ? StreamInfo_Kind.JOINED : StreamInfo_Kind.DATA,
            seq: BigInt(snapshot.seq),
            dropped: BigInt(dropped),
            serverTime: timestampFromMs(snapshot.atMs),
            nodeId: first ? deps.nodeId : "",
          },
          overview: overviewMessage(snapshot, view),
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
