import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  LogLine_Level,
  type LogLineSchema,
  type TailLogRequest,
  type TailLogResponseSchema,
} from "../../proto/gen/latchkey/v1/system_pb.js";
import type { Actor } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import { authorize } from "../keys/policy.js";
import { LOG_RING_LINES, type LogLine, type LogRing } from "../observe/log-ring.js";
import type { LogLevel } from "../observe/logger.js";
import { watchBatches } from "./batch-watch.js";
import { timeOf } from "./messages/values.js";

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
  watcher: AbortSignal,
): AsyncGenerator<Message, void, undefined> {
  authorize(actor, "system.tail_log");
  const asked = {
    minLevel: levelOf(request.minLevel),
    contains: request.contains,
    backfill: Math.min(request.backfill, LOG_RING_LINES),
    follow: !request.noFollow,
  };
  yield* watchBatches(deps, {
    subscribe: (signal) => deps.logRing.subscribe({ ...asked, signal }),
    signal: watcher,
    countOf: ({ lines }) => lines.length,
    messageOf: (stream, batch): Message => ({ stream, lines: batch?.lines.map(lineMessage) ?? [] }),
  });
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
