import type { Condition } from "../core/page.js";
import type { UsageFilter } from "../core/usage.js";
import { OWNER_FIELD, type KeysReader } from "../keys/ports.js";
import type { TimeSpan } from "../metering/usage-buckets.js";

/** Client keys that came and went in a period. */
export interface ClientKeyCounts {
  readonly created: number;
  readonly expired: number;
}

/** Counts the client keys of the owner and key that a report is about; a time in the future has not passed yet. */
export async function clientKeyCounts(
  reader: Pick<KeysReader["clientKeys"], "list">,
  period: TimeSpan,
  { filter, nowMs }: { readonly filter: UsageFilter; readonly nowMs: number },
): Promise<ClientKeyCounts> {
  const { ownerId, clientKeyId } = filter;
  const whose: Condition[] = [
    ...(ownerId === null ? [] : [{ field: OWNER_FIELD, op: "=", value: ownerId } as const]),
    ...(clientKeyId === null ? [] : [{ field: "id", op: "=", value: clientKeyId } as const]),
  ];
  const count = async (field: "createTime" | "expireTime", toMs: number): Promise<number> => {
    const conditions: Condition[] = [
      ...whose,
      { field, op: ">=", value: String(period.fromMs) },
      { field, op: "<", value: String(toMs) },
    ];
    const page = { text: "", orderBy: "", descending: false, pageSize: 1, pageToken: "" };
    return (await reader.list({ ...page, conditions })).total;
  };
  const [created, expired] = await Promise.all([
    count("createTime", period.toMs),
    count("expireTime", Math.min(period.toMs, nowMs + 1)),
  ]);
  return { created, expired };
}
