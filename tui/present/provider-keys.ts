import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  ProviderKey_Eligibility,
  type GetProviderKeyHealthResponse,
  type GetProviderKeyUsageResponse,
  type HealthCheck,
  type ProviderKey,
} from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { ago, count, duration, money, percent, since, until } from "./format.js";
import { budgetUse, limitsText } from "./limits.js";
import { noticeWords } from "./notices.js";
import { providerKeyMark, tierWord, visibilityWord } from "./states.js";
import { minuteOf } from "./when.js";

const ELIGIBILITY: Readonly<Record<ProviderKey_Eligibility, string>> = {
  [ProviderKey_Eligibility.UNSPECIFIED]: "not known",
  [ProviderKey_Eligibility.ELIGIBLE]: "yes",
  [ProviderKey_Eligibility.DISABLED]: "no: disabled",
  [ProviderKey_Eligibility.INVALID]: "no: the provider refuses it",
  [ProviderKey_Eligibility.COOLDOWN]: "no: cooling down",
  [ProviderKey_Eligibility.EXHAUSTED]: "no: the provider's quota is used up",
  [ProviderKey_Eligibility.EXPIRED]: "no: expired",
  [ProviderKey_Eligibility.OWNER_BANNED]: "no: its owner is banned",
  [ProviderKey_Eligibility.PROVIDER_DISABLED]: "no: its provider is disabled",
  [ProviderKey_Eligibility.MODEL_NOT_ALLOWED]: "no: model not allowed",
  [ProviderKey_Eligibility.OUT_OF_SCOPE]: "no: out of scope",
  [ProviderKey_Eligibility.LIMIT_REACHED]: "no: a limit here is reached",
  [ProviderKey_Eligibility.QUARANTINED]: "no: its record was altered",
  [ProviderKey_Eligibility.UNREADABLE]: "no: its secret cannot be opened",
};

/** What is known of a key beyond its row in the list; each part may be missing. */
export interface ProviderKeyFacts {
  readonly health: GetProviderKeyHealthResponse | undefined;
  /** The last 24 hours, in hours. */
  readonly usage: GetProviderKeyUsageResponse | undefined;
}

/** Draws values as a row of bars. */
type Trend = (values: readonly (number | null)[]) => string;

type Lines = readonly (readonly [label: string, value: string])[];

/** Everything about a provider key, as labels with values. */
export function providerKeyDetails(
  key: ProviderKey,
  facts: ProviderKeyFacts | undefined,
  view: { readonly nowMs: number; readonly trend: Trend },
): Lines {
  const { nowMs, trend } = view;
  return [
    ...identity(key, nowMs),
    ...use(key, nowMs),
    ...dayLines(facts?.usage, trend),
    ...fitness(key, facts?.health, nowMs),
  ];
}

function identity(key: ProviderKey, nowMs: number): Lines {
  const made = key.createTime === undefined ? "-" : minuteOf(timestampMs(key.createTime));
  return [
    ["id", key.id],
    ["provider", `${key.providerSlug}  service ${key.service || "all"}`],
    ["owner", `${key.ownerUsername}${key.anonymous ? " (anonymous in the pool)" : ""}`],
    ["secret", `${key.preview}  vault key ${key.vaultKeyVersion}${age(key, nowMs)}`],
    ...optional("not used", key.secretProblem),
    ["scope", `${visibilityWord(key)}, ${tierWord(key.tier)}, weight ${key.weight}`],
    ["models", key.modelAllowlist.join(", ") || "all"],
    ["created", made],
    ["expires", until(key.expireTime, nowMs)],
    ...optional("what for", key.description),
    ...optional("quota group", key.quotaGroup),
  ];
}

/** How old the present secret is. */
function age({ secretTime }: ProviderKey, nowMs: number): string {
  return secretTime === undefined ? "" : `  set ${ago(secretTime, nowMs)} ago`;
}

function use(key: ProviderKey, nowMs: number): Lines {
  const budgets = budgetUse(key.budgetUsage);
  return [
    ["used", `${count(key.useCount)} attempts, ${count(key.successCount)} good`],
    ["last used", since(key.lastUsedTime, nowMs)],
    ["recent", `ok ${percent(key.successRatio)}  p95 ${duration(key.latencyP95Ms)}`],
    ["limits", limitsText(key.limits) || "none"],
    ...budgets.map((text) => ["", text] as const),
  ];
}

function fitness(
  key: ProviderKey,
  health: GetProviderKeyHealthResponse | undefined,
  nowMs: number,
): Lines {
  const { checks = [] } = health ?? {};
  const cooling = key.cooldownEndTime;
  const reset = key.quotaResetTime;
  return [
    ["state", providerKeyMark(key).word],
    ["can serve", ELIGIBILITY[key.eligibility] ?? String(key.eligibility)],
    ...optional("cooldown", cooling === undefined ? "" : `ends in ${until(cooling, nowMs)}`),
    ...optional("quota", reset === undefined ? "" : `renewed in ${until(reset, nowMs)}`),
    ["failures", `${key.consecutiveFailures} in a row`],
    ...optional("last error", key.lastError),
    ...optional("notices", noticeWords(key.notices)),
    ...checks
      .slice(0, 5)
      .map((check, i) => [i === 0 ? "checks" : "", checkText(check, nowMs)] as const),
  ];
}

function checkText(check: HealthCheck, nowMs: number): string {
  const status = check.httpStatus === 0 ? "" : ` ${check.httpStatus}`;
  const outcome = check.error === "" ? "ok" : check.error;
  return `${ago(check.time, nowMs)} ago${status} ${outcome} ${duration(Number(check.latencyMs))}`;
}

/** The last day: a trend, sums, and whose calls they were. */
function dayLines(usage: GetProviderKeyUsageResponse | undefined, trend: Trend): Lines {
  const totals = usage?.totals;
  if (usage === undefined || totals === undefined) return [];
  const tokens = (totals.tokens?.input ?? 0n) + (totals.tokens?.output ?? 0n);
  const hours = usage.buckets.map(({ gap, totals: sums }) =>
    gap ? null : Number(sums?.calls ?? 0n),
  );
  const shares = usage.clientKeys.slice(0, 4).map(({ label, totals: of }) => {
    const share = totals.calls === 0n ? 0 : Number(of?.calls ?? 0n) / Number(totals.calls);
    return `${label || "others"} ${Math.round(share * 100)}%`;
  });
  return [
    ["calls 24h", `${trend(hours)} ${count(totals.calls)}`],
    [
      "",
      `${count(tokens)} tokens, ${money(totals.costMicros)}, errors ${count(totals.errorCalls)}`,
    ],
    ...optional("used by", shares.join("  ")),
  ];
}

/** A line for what is there; none for what is not. */
function optional(label: string, value: string): Lines {
  return value === "" ? [] : [[label, value]];
}
