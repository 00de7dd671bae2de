import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  StreamInfo_Kind,
  type StreamInfoSchema,
} from "../../../proto/gen/latchkey/v1/common_pb.js";
import type { Clock } from "../../core/clock.js";
import { int64, timeOf } from "./values.js";

export type StreamInfo = MessageInitShape<typeof StreamInfoSchema>;

/** How a stream stands, for each message of it. The node is named only when the watcher joins. */
export function streamInfoMessage(
  { clock, nodeId }: { readonly clock: Clock; readonly nodeId: string },
  kind: StreamInfo_Kind,
  { seq, dropped = 0, reason = "" }: { seq: number; dropped?: number; reason?: string },
): StreamInfo {
  return {
    kind,
    seq: int64(seq),
    dropped: int64(dropped),
    serverTime: timeOf(clock.now()),
    nodeId: kind === StreamInfo_Kind.JOINED ? nodeId : "",
    reason,
  };
}
