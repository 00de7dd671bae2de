import type { MessageInitShape } from "@bufbuild/protobuf";
import { StreamInfo_Kind } from "../../proto/gen/latchkey/v1/common_pb.js";
import {
  LogLine_Level,
  type LogLineSchema,
  type TailLogRequest,
  type TailLogResponseSchema,
} from "../../proto/gen/latchkey/v1/system_pb.js";
import type { Actor } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import { authorize } from "../keys/policy.js";
import { LOG_RING_LINES, type LogBatch, type LogLine, type LogRing } from "../observe/log-ring.js";
import type { LogLevel } from "../observe/logger.js";
import { orSilence } from "./heartbeat.js";
import { int64, timeOf } from "./messages/values.js";

export interface LogDeps {
  readonly logRing: LogRing;
  readonly clock: Clock;
  readonly nodeId: string;
}

type Message = MessageInitShape<typeof TailLogResponseSchema>;

const LEVELS: Record<LogLevel, LogLine_Level> = {
  debug: LogLine_Level.DEBUG,
  info: LogLine_Level.INFO,
  warn: LogLine_Level.WARN,
  error: LogLine_Level.ERROR,
};

/** Lines of the server's log, as they are written. A watcher that reads slowly misses lines, which are counted. */
export async function* tailLog(
  deps: LogDeps,
  actor: Actor,
  request: TailLogRequest,
  signal: AbortSignal,
): AsyncGenerator<Message, void, undefined> {
  authorize(actor, "system.tail_log");
  // Ends the subscription too when the consumer stops: a generator that waits cannot be returned from.
  const ended = new AbortController();
  const lines = deps.logRing.subscribe({
    minLevel: levelOf(request.minLevel),
    contains: request.contains,
    backfill: Math.min(request.backfill, LOG_RING_LINES),
    follow: !request.noFollow,
    signal: AbortSignal.any([signal, ended.signal]),
  });
  let seq = 0;
  let dropped = 0;
  const message = (kind: StreamInfo_Kind, batch?: LogBatch): Message => {
    seq += batch?.lines.length ?? 0;
    dropped = batch?.dropped ?? dropped;
    return {
      stream: {
        kind,
        seq: int64(seq),
        dropped: int64(dropped),
        serverTime: timeOf(deps.clock.now()),
        nodeId: kind === StreamInfo_Kind.JOINED ? deps.nodeId : "",
      },
      lines: batch?.lines.map(lineMessage) ?? [],
    };
  };
  yield message(StreamInfo_Kind.JOINED);
  try {
    let next = lines.next();
    for (;;) {
      const got = await orSilence(deps.clock, next);
      if (got === "SILENCE") {
        yield message(StreamInfo_Kind.HEARTBEAT);
        continue;
      }
      if (got.done === true) return;
      yield message(StreamInfo_Kind.DATA, got.value);
      next = lines.next();
    }
  } finally {
    ended.abort();
    await lines.return();
  }
}

function levelOf(level: LogLine_Level): LogLevel {
  switch (level) {
    case LogLine_Level.DEBUG:
      return "debug";
    case LogLine_Level.WARN:
      return "warn";
    case LogLine_Level.ERROR:
      return "error";
    default:
      return "info";
  }
}

function lineMessage(line: LogLine): MessageInitShape<typeof LogLineSchema> {
  return {
    time: timeOf(line.atMs),
    level: LEVELS[line.level],
    module: line.module,
    message: line.message,
    fields: { ...line.fields },
  };
}
