import type { Message } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  LogLine_LevelSchema,
  type LogLine,
  type TailLogResponse,
} from "../../proto/gen/latchkey/v1/system_pb.js";
import { enumWord } from "../present/enum-word.js";
import { safe } from "../term/safe.js";

const LEVEL_WIDTH = 5;

/** Lines of the server's log as text; undefined for a message that has none. */
export function logLines(message: Message): string | undefined {
  const { lines } = message as TailLogResponse;
  return lines.length === 0 ? undefined : lines.map((line) => textOf(line)).join("\n");
}

function textOf({ time, level, message, fields }: LogLine): string {
  const at = time === undefined ? "" : timestampDate(time).toISOString();
  const word = enumWord(LogLine_LevelSchema, level).padEnd(LEVEL_WIDTH);
  const more = Object.entries(fields).map(([name, value]) => `${name}=${value}`);
  return safe([at, word, message, ...more].join(" "));
}
