import type { Attempt } from "../core/call.js";
import { allowedBy } from "../core/glob.js";
import { TIERS, type KeyHealth, type ProviderKey, type Tier } from "../core/provider-key.js";
import type { Provider } from "../core/provider.js";
import type { User } from "../core/user.js";
import type { Eligibility } from "./ports.js";

export type Question =
  | "ENABLED"
  | "NOT_EXPIRED"
  | "SECRET"
  | "OWNER"
  | "PROVIDER"
  | "HEALTH"
  | "QUOTA"
  | "MODEL"
  | "TIER"
  | "RECENT_ERRORS";

/** The answer to one question; `remedy` is empty when nothing is to be done. */
export interface Answer {
  readonly outcome: "PASSED" | "WARNING" | "FAILED" | "SKIPPED";
  readonly message: string;
  readonly remedy: string;
}

export interface DiagnosisItem extends Answer {
  readonly question: Question;
}

/** An attempt with the key that its provider did not serve. */
export interface FailedAttempt {
  readonly callId: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly attempt: Attempt;
}

/** Everything that the questions look at. */
export interface DiagnosisFacts {
  readonly key: ProviderKey;
  readonly health: KeyHealth;
  readonly eligibility: Eligibility | undefined;
  readonly owner: User | undefined;
  readonly provider: Provider | undefined;
  /** Why the secret cannot be opened; null when it can. */
  readonly secretProblem: string | null;
  /** Why the provider's address may not be called; null when it may. */
  readonly baseUrlProblem: string | null;
  /** Empty when no model is asked about. */
  readonly model: string;
  /** Whether the model belongs to the key's service; undefined when that is not known. */
  readonly inService: boolean | undefined;
  /** The tier that calls of the owner reach now; null when no key is eligible. */
  readonly tierReached: Tier | null;
  /** How many of the last attempts that were looked at failed. */
  readonly recentAttempts: number;
  readonly recentFailures: readonly FailedAttempt[];
  readonly nowMs: number;
}

/** Asks everything that can keep a key from being used. */
export function diagnose(facts: DiagnosisFacts): readonly DiagnosisItem[] {
  return (Object.keys(ANSWERS) as Question[]).map((question) => ({
    question,
    ...ANSWERS[question](facts),
  }));
}

/** The first thing that is wrong, or that nothing is. */
export function verdictOf(items: readonly DiagnosisItem[]): string {
  const failed = items.find((item) => item.outcome === "FAILED");
  if (failed !== undefined) return `${failed.message} ${failed.remedy}`.trim();
  const warning = items.find((item) => item.outcome === "WARNING");
  if (warning !== undefined) return `Nothing keeps it from being used. ${warning.message}`;
  return "Nothing is wrong with this key.";
}

const ANSWERS: Record<Question, (facts: DiagnosisFacts) => Answer> = {
  ENABLED: ({ key }) =>
    key.enabled ? passed("The key is enabled.") : failed("The key is disabled.", "Enable it."),
  NOT_EXPIRED({ key: { expiresAt }, nowMs }) {
    if (expiresAt === null) return passed("It never expires.");
    const when = new Date(expiresAt).toISOString();
    return expiresAt > nowMs
      ? passed(`It expires at ${when}.`)
      : failed(`It expired at ${when}.`, "Give it a later expiry.");
  },
  SECRET: ({ secretProblem }) =>
    secretProblem === null
      ? passed("Its secret can be opened.")
      : failed(secretProblem, "Unlock the vault, or enter the secret again by rotating the key."),
  OWNER({ owner }) {
    if (owner === undefined) return failed("Its owner is gone.", "Delete the key.");
    if (owner.state === "ACTIVE") return passed(`Its owner ${owner.username} is active.`);
    const what = owner.state === "BANNED" ? "banned" : "switched off";
    return failed(`Its owner ${owner.username} is ${what}.`, "An admin can lift that.");
  },
  PROVIDER({ provider, baseUrlProblem }) {
    if (provider === undefined) return failed("Its provider is gone.", "Delete the key.");
    if (!provider.enabled) {
      return failed(`${provider.displayName} is disabled.`, "An admin can enable the provider.");
    }
    return baseUrlProblem === null
      ? passed(`${provider.displayName} is enabled.`)
      : failed(baseUrlProblem, "Correct the provider's base URL, or allow its address.");
  },
  HEALTH: ({ health, nowMs }) => healthAnswer(health, nowMs),
  QUOTA: ({ key, health, eligibility }) => quotaAnswer(key, health, eligibility),
  MODEL: (facts) => modelAnswer(facts),
  TIER: ({ key, tierReached }) => tierAnswer(key, tierReached),
  RECENT_ERRORS: ({ recentAttempts, recentFailures }) =>
    errorsAnswer(recentAttempts, recentFailures),
};

function healthAnswer(health: KeyHealth, nowMs: number): Answer {
  const why = health.lastError === null ? "" : ` ${health.lastError}`;
  switch (health.state) {
    case "UNKNOWN":
      return health.lastError === null
        ? passed("It was not used or checked yet.")
        : warning(
            `No call with it has succeeded yet: ${health.lastError}.`,
            "Test its connection.",
          );
    case "HEALTHY":
      return passed("The provider accepts it.");
    case "DEGRADED":
      return warning(`It works, with recent failures.${why}`, "Watch its errors.");
    case "COOLDOWN": {
      const leftMs = (health.cooldownUntil ?? 0) - nowMs;
      if (leftMs <= 0) return passed("Its cooldown is over; the next call tries it.");
      const seconds = Math.ceil(leftMs / 1000);
      return failed(`It cools down for ${seconds} s more.${why}`, "Wait, or enable it again.");
    }
    case "EXHAUSTED":
      return warning(`The provider's quota was used up.${why}`, "See the question about quota.");
    case "INVALID":
      return failed(
        `The provider does not accept it.${why}`,
        "Check the secret with the provider, then rotate the key or enable it again.",
      );
    default:
      return health.state satisfies never;
  }
}

function quotaAnswer(
  key: ProviderKey,
  health: KeyHealth,
  eligibility: Eligibility | undefined,
): Answer {
  if (eligibility === "EXHAUSTED" || eligibility === "LIMIT_REACHED") {
    const atProvider = health.state === "EXHAUSTED";
    const until = health.cooldownUntil;
    const when = until === null ? "" : ` until ${new Date(until).toISOString()}`;
    return atProvider
      ? failed(`The provider's quota is used up${when}.`, "Wait, or raise the quota there.")
      : failed("Its own quota here is used up.", "Wait for the next period, or raise its limits.");
  }
  if (eligibility === undefined) return skipped("The pool does not know the key.");
  return passed(key.quota === null ? "It has no quota here." : "Its quota here is not used up.");
}

function modelAnswer({ key, model, inService }: DiagnosisFacts): Answer {
  if (model === "") return skipped("No model was asked about.");
  if (!allowedBy(key.modelAllowlist, model)) {
    return failed(`Its allow-list leaves ${model} out.`, "Add the model to its allow-list.");
  }
  if (key.service === null || inService === true) return passed(`It may serve ${model}.`);
  return inService === false
    ? failed(
        `${model} does not belong to its service ${key.service}.`,
        "Choose another service, or none.",
      )
    : skipped(`Whether ${model} belongs to its service ${key.service} is not known.`);
}

function tierAnswer(key: ProviderKey, tierReached: Tier | null): Answer {
  if (tierReached === null) {
    return warning("No key of its owner at this provider is eligible.", "Mend one of them first.");
  }
  if (TIERS.indexOf(key.tier) <= TIERS.indexOf(tierReached)) {
    return passed(`Calls reach the tier ${tierReached.toLowerCase()}.`);
  }
  return warning(
    `Keys of the tier ${tierReached.toLowerCase()} take all calls, and this one is ${key.tier.toLowerCase()}.`,
    "Nothing is to be done, unless you want it to be used before them: then change its tier.",
  );
}

function errorsAnswer(attempts: number, failures: readonly FailedAttempt[]): Answer {
  if (attempts === 0) return skipped("No attempts with it are among the latest calls.");
  const count = Math.min(failures.length, attempts);
  if (count === 0) return passed(`The last ${attempts} attempts went well.`);
  const last = failures[0]?.attempt;
  const status =
    last?.httpStatus === null || last === undefined ? "" : ` (HTTP ${last.httpStatus})`;
  return warning(
    `${count} of the last ${attempts} attempts failed, the last one with ${last?.outcome.toLowerCase() ?? "an error"}${status}.`,
    "Look at the errors below.",
  );
}

function passed(message: string): Answer {
  return { outcome: "PASSED", message, remedy: "" };
}

function warning(message: string, remedy: string): Answer {
  return { outcome: "WARNING", message, remedy };
}

function failed(message: string, remedy: string): Answer {
  return { outcome: "FAILED", message, remedy };
}

function skipped(message: string): Answer {
  return { outcome: "SKIPPED", message, remedy: "" };
}
