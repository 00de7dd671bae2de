import type { Actor } from "../core/audit.js";
import type { AttemptOutcome, CallRecord } from "../core/call.js";
import type { Clock } from "../core/clock.js";
import { Fault } from "../core/fault.js";
import type { Condition, PageQuery } from "../core/page.js";
import { TIERS, type ProviderKey, type Tier } from "../core/provider-key.js";
import type { BaseUrlPolicy, KeysReader, KeysVault } from "../keys/ports.js";
import { bindingOf } from "../keys/provider-key-rules.js";
import type { ProviderKeys } from "../keys/provider-keys.js";
import type { LedgerStore } from "../metering/ports.js";
import { diagnose, verdictOf, type DiagnosisItem, type FailedAttempt } from "./diagnosis.js";
import type { ProviderKeyFacts } from "./ports.js";

const RECENT_ATTEMPTS = 20;
/** How many calls are searched for failed attempts after which another key served the call. */
const RECOVERED_CALLS = 100;

/** What a diagnosis looks at. */
export interface DiagnosisDeps {
  readonly providerKeys: Pick<ProviderKeys, "permitted">;
  readonly reader: Pick<KeysReader, "users" | "providers" | "providerKeys">;
  readonly vault: Pick<KeysVault, "open">;
  readonly baseUrls: BaseUrlPolicy;
  readonly ledger: Pick<LedgerStore, "listCalls">;
  readonly facts: ProviderKeyFacts;
  /** Whether a model belongs to a service of a provider; the catalogue knows. */
  readonly inService: (providerId: string, service: string, model: string) => boolean;
  readonly clock: Clock;
}

export interface Diagnosis {
  readonly key: ProviderKey;
  readonly items: readonly DiagnosisItem[];
  readonly tierReached: Tier | null;
  readonly recentErrors: readonly FailedAttempt[];
  readonly verdict: string;
}

/** Goes through everything that can keep a key from being used. Changes nothing. */
export async function diagnoseKey(
  deps: DiagnosisDeps,
  actor: Actor,
  request: { readonly id: string; readonly model: string },
): Promise<Diagnosis> {
  const { facts, reader } = deps;
  const { model } = request;
  const key = await deps.providerKeys.permitted(actor, "provider_key.diagnose", request.id);
  const [owner, provider, tierReached, attempts] = await Promise.all([
    reader.users.get(key.ownerId),
    reader.providers.get(key.providerId),
    tierReachedBy(deps, key),
    attemptsWith(deps, key),
  ]);
  const recent = attempts.slice(0, RECENT_ATTEMPTS);
  const [secretProblem, baseUrlProblem] =
    provider === undefined
      ? [null, null]
      : await Promise.all([
          problemOf(() => deps.vault.open(key.sealed, bindingOf(key, provider))),
          problemOf(() => deps.baseUrls.check(provider.baseUrl)),
        ]);
  const items = diagnose({
    key,
    health: facts.figuresOf(key).health ?? key.health,
    eligibility: facts.eligibilityOf(key),
    owner,
    provider,
    secretProblem,
    baseUrlProblem,
    model,
    inService:
      key.service === null || model === ""
        ? undefined
        : deps.inService(key.providerId, key.service, model),
    tierReached,
    recentAttempts: recent.length,
    recentFailures: recent.filter(isFailed),
    nowMs: deps.clock.now(),
  });
  const recentErrors = attempts.filter(isFailed).slice(0, RECENT_ATTEMPTS);
  return { key, items, tierReached, recentErrors, verdict: verdictOf(items) };
}

/** The first tier in which the owner has an eligible key of the same provider. */
async function tierReachedBy(deps: DiagnosisDeps, key: ProviderKey): Promise<Tier | null> {
  const keys = await deps.reader.providerKeys.ofOwner(key.ownerId);
  const eligible = keys.filter(
    (each) => each.providerId === key.providerId && deps.facts.eligibilityOf(each) === "ELIGIBLE",
  );
  return TIERS.find((tier) => eligible.some((each) => each.tier === tier)) ?? null;
}

/**
 * Attempts with the key, newest first. A call is found under the key of its last attempt. Failed attempts after which
 * another key served the call are therefore looked for among the latest calls with several attempts, of the provider
 * and of all.
 */
async function attemptsWith(
  { ledger }: DiagnosisDeps,
  key: ProviderKey,
): Promise<readonly FailedAttempt[]> {
  const recovered: Condition = { field: "attemptCount", op: ">", value: "1" };
  const pages = await Promise.all([
    ledger.listCalls(newest(RECENT_ATTEMPTS, [is("providerKeyId", key.id)])),
    ledger.listCalls(newest(RECOVERED_CALLS, [is("providerId", key.providerId), recovered])),
    ledger.listCalls(newest(RECOVERED_CALLS, [recovered])),
  ]);
  const calls = new Map<string, CallRecord>();
  for (const call of pages.flatMap(({ items }) => items)) calls.set(call.id, call);
  return [...calls.values()]
    .flatMap((call) =>
      call.attempts
        .filter((attempt) => attempt.providerKeyId === key.id)
        .map((attempt) => ({
          callId: call.id,
          at: Math.round(call.startedAt + attempt.startedMs),
          attempt,
        })),
    )
    .toSorted((a, b) => b.at - a.at);
}

/** The caller's own errors, callers who left, and what this host could not do say nothing about the key. */
const SAY_NOTHING: ReadonlySet<AttemptOutcome> = new Set([
  "OK",
  "CALLER_ABORTED",
  "NO_SOCKET",
  "REQUEST_REFUSED",
]);

function isFailed({ attempt }: FailedAttempt): boolean {
  return !SAY_NOTHING.has(attempt.outcome);
}

async function problemOf(work: () => Promise<unknown>): Promise<string | null> {
  try {
    await work();
    return null;
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown.publicMessage;
    throw thrown;
  }
}

function is(field: string, value: string): Condition {
  return { field, op: "=", value };
}

function newest(pageSize: number, conditions: readonly Condition[]): PageQuery {
  return { conditions, text: "", orderBy: "", descending: true, pageSize, pageToken: "" };
}
