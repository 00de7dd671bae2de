import { toJson } from "@bufbuild/protobuf";
import {
  GetStatusResponseSchema,
  SystemService,
  type GetStatusResponse,
} from "../../proto/gen/latchkey/v1/system_pb.js";
import {
  OverviewSchema,
  UsageService,
  type Overview,
} from "../../proto/gen/latchkey/v1/usage_pb.js";
import { ApiError } from "../api/api-error.js";
import { statusText } from "../present/status-text.js";
import { jsonText } from "./output.js";
import type { CliPort } from "./port.js";

/** Prints one look at the server: what the dashboard's first screen shows, for scripts and for a glance. */
export async function printStatus(
  json: boolean,
  port: Pick<CliPort, "client" | "write" | "nowMs" | "signal">,
): Promise<void> {
  const [status, overview] = await Promise.all([
    port.client(SystemService).getStatus({}, { signal: port.signal }),
    firstOverview(port),
  ]);
  port.write(json ? `${jsonOf(status, overview)}\n` : statusText(status, overview, port.nowMs()));
}

/** The first snapshot of the stream; undefined for those who may not see the whole server. */
async function firstOverview(
  port: Pick<CliPort, "client" | "signal">,
): Promise<Overview | undefined> {
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, port.signal]);
  try {
    for await (const { overview } of port.client(UsageService).watchOverview({}, { signal })) {
      if (overview !== undefined) return overview;
    }
    return undefined;
  } catch (error) {
    if (error instanceof ApiError && error.code === "PERMISSION_DENIED") return undefined;
    throw error;
  } finally {
    stop.abort();
  }
}

function jsonOf(status: GetStatusResponse, overview: Overview | undefined): string {
  const options = { useProtoFieldName: true };
  return jsonText({
    status: toJson(GetStatusResponseSchema, status, options),
    overview: overview === undefined ? null : toJson(OverviewSchema, overview, options),
  });
}
