import type { Message } from "@bufbuild/protobuf";
import { BackupInfoSchema, type BackupResponse } from "../../proto/gen/latchkey/v1/system_pb.js";
import { bytes } from "../present/format.js";
import { fieldsOf } from "./output.js";

/** How far a backup is, in a line; what it holds, once that is known. */
export function backupLine(message: Message): string | undefined {
  const { part } = message as BackupResponse;
  if (part.case === "progress") {
    return `${bytes(part.value.writtenBytes)} written of about ${bytes(part.value.totalBytes)}`;
  }
  // The first message comes before the backup is made.
  const isMade = part.case === "info" && part.value.sha256.length > 0;
  return isMade ? fieldsOf(BackupInfoSchema, part.value) : undefined;
}
