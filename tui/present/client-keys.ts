import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  ClientKey_Format,
  ClientKey_Kind,
  type ClientKey,
  type GetClientKeyStatsResponse,
} from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import { count, duration, money, percent, since, until } from "./format.js";
import { budgetUse, limitsText } from "./limits.js";
import { noticeWords } from "./notices.js";
import { clientKeyMark, kindWord } from "./states.js";
import { minuteOf } from "./when.js";

const FORMATS: Readonly<Record<ClientKey_Format, string>> = {
  [ClientKey_Format.UNSPECIFIED]: "?",
  [ClientKey_Format.SK]: "sk",
  [ClientKey_Format.UUID]: "uuid",
  [ClientKey_Format.ALNUM32]: "alnum32",
  [ClientKey_Format.IMPORTED]: "imported",
};

type Lines = readonly (readonly [label: string, value: string])[];

/** Everything about a client key, as labels with values. */
export function clientKeyDetails(
  key: ClientKey,
  stats: GetClientKeyStatsResponse | undefined,
  nowMs: number,
): Lines {
  const grace = key.graceEndTime;
  const notices = noticeWords(key.notices);
  const revoked = key.revokeTime;
  return [
    ["id", key.id],
    ["owner", key.ownerUsername],
    ["kind", `${kindWord(key.kind)}: ${scopeWords(key.kind)}`],
    ["prefix", `${key.prefix}  format ${FORMATS[key.format] ?? String(key.format)}`],
    ["state", clientKeyMark(key.state).word],
    ...(revoked === undefined ? [] : [["revoked", minuteOf(timestampMs(revoked))] as const]),
    ["expires", expiryWords(key, nowMs)],
    ...(grace === undefined
      ? []
      : [["old secret", `works ${until(grace, nowMs)} longer`] as const]),
    ["models", key.modelAllowlist.join(", ") || "all"],
    ["addresses", key.ipAllowlist.join(", ") || "any"],
    ["scopes", key.scopes.join(", ") || "all, the control port too"],
    ["limits", limitsText(key.limits) || "none"],
    ...budgetUse(key.budgetUsage).map((text) => ["", text] as const),
    ...(key.description === "" ? [] : [["what for", key.description] as const]),
    ["last used", `${since(key.lastUsedTime, nowMs)}${from(key.lastUsedIp)}`],
    ["calls", `${count(key.callCount)} in all, ${count(key.calls24h)} in 24h`],
    ["created", key.createTime === undefined ? "-" : minuteOf(timestampMs(key.createTime))],
    ["secret set", since(key.secretTime, nowMs)],
    ...(key.secretProblem === "" ? [] : [["no copy", key.secretProblem] as const]),
    ...(key.recoverable ? [["recoverable", "its owner can see it again"] as const] : []),
    ...(notices === "" ? [] : [["notices", notices] as const]),
    ...statsLines(stats),
  ];
}

function statsLines(stats: GetClientKeyStatsResponse | undefined): Lines {
  const totals = stats?.totals;
  if (stats === undefined || totals === undefined) return [];
  const tokens = totals.tokens;
  const inOut = `${count(tokens?.input ?? 0n)} in, ${count(tokens?.output ?? 0n)} out`;
  const models = stats.models.slice(0, 3).map(({ label, totals: of }) => {
    return `${label || "others"} ${count(of?.calls ?? 0n)}`;
  });
  return [
    [`last ${stats.days}d`, `${count(totals.calls)} calls, ok ${percent(totals.successRatio)}`],
    ["cost", `${money(totals.costMicros)}${totals.unpricedCalls > 0n ? " + unpriced calls" : ""}`],
    ["tokens", inOut],
    ["latency", `${duration(totals.averageLatencyMs)} on average`],
    ...models.map((text, i) => [i === 0 ? "top models" : "", text] as const),
  ];
}

/** Which provider keys a kind may draw on. */
function scopeWords(kind: ClientKey_Kind): string {
  switch (kind) {
    case ClientKey_Kind.STANDARD:
      return "draws on its owner's provider keys";
    case ClientKey_Kind.SUPER:
      return "draws on the public pool only";
    case ClientKey_Kind.BYOR:
      return "its owner's keys; can be shown again";
    default:
      return "unknown";
  }
}

function expiryWords(key: ClientKey, nowMs: number): string {
  if (key.expireTime === undefined) return "never";
  return `${until(key.expireTime, nowMs)} (${minuteOf(timestampMs(key.expireTime))})`;
}

function from(address: string): string {
  return address === "" ? "" : ` from ${address}`;
}
