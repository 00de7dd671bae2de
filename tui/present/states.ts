import { ClientKey_Kind, ClientKey_State } from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import {
  ProviderKey_Eligibility,
  ProviderKey_Health,
  ProviderKey_Tier,
  ProviderKey_Visibility,
  type ProviderKey,
} from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { OverviewProvider_State } from "../../proto/gen/latchkey/v1/usage_pb.js";
import type { StateKind } from "../term/glyphs.js";

/** A state as a symbol and a word: colour never carries the meaning alone. */
export interface Mark {
  readonly kind: StateKind;
  readonly word: string;
}

const HEALTH: Readonly<Record<ProviderKey_Health, Mark>> = {
  [ProviderKey_Health.UNSPECIFIED]: { kind: "pending", word: "?" },
  [ProviderKey_Health.UNKNOWN]: { kind: "pending", word: "untried" },
  [ProviderKey_Health.HEALTHY]: { kind: "ok", word: "healthy" },
  [ProviderKey_Health.DEGRADED]: { kind: "warn", word: "degraded" },
  [ProviderKey_Health.COOLDOWN]: { kind: "partial", word: "cooling" },
  [ProviderKey_Health.EXHAUSTED]: { kind: "partial", word: "exhausted" },
  [ProviderKey_Health.INVALID]: { kind: "fail", word: "invalid" },
};

/** A key whose secret is refused, or that is disabled, is shown as such whatever its health. */
export function providerKeyMark(key: ProviderKey): Mark {
  if (key.eligibility === ProviderKey_Eligibility.QUARANTINED)
    return { kind: "fail", word: "altered" };
  if (key.eligibility === ProviderKey_Eligibility.UNREADABLE)
    return { kind: "fail", word: "unreadable" };
  if (!key.enabled) return { kind: "off", word: "disabled" };
  return HEALTH[key.health] ?? { kind: "pending", word: String(key.health) };
}

const CLIENT_KEY_STATES: Readonly<Record<ClientKey_State, Mark>> = {
  [ClientKey_State.UNSPECIFIED]: { kind: "pending", word: "?" },
  [ClientKey_State.ACTIVE]: { kind: "ok", word: "active" },
  [ClientKey_State.DISABLED]: { kind: "off", word: "disabled" },
  [ClientKey_State.EXPIRED]: { kind: "fail", word: "expired" },
  [ClientKey_State.REVOKED]: { kind: "fail", word: "revoked" },
};

export function clientKeyMark(state: ClientKey_State): Mark {
  return CLIENT_KEY_STATES[state] ?? { kind: "pending", word: String(state) };
}

const PROVIDER_STATES: Readonly<Record<OverviewProvider_State, Mark>> = {
  [OverviewProvider_State.UNSPECIFIED]: { kind: "pending", word: "?" },
  [OverviewProvider_State.OK]: { kind: "ok", word: "ok" },
  [OverviewProvider_State.DEGRADED]: { kind: "warn", word: "degraded" },
  [OverviewProvider_State.DOWN]: { kind: "fail", word: "down" },
  [OverviewProvider_State.IDLE]: { kind: "off", word: "idle" },
};

export function providerMark(state: OverviewProvider_State): Mark {
  return PROVIDER_STATES[state] ?? { kind: "pending", word: String(state) };
}

const TIERS: Readonly<Record<ProviderKey_Tier, string>> = {
  [ProviderKey_Tier.UNSPECIFIED]: "?",
  [ProviderKey_Tier.PRIMARY]: "primary",
  [ProviderKey_Tier.BACKUP]: "backup",
  [ProviderKey_Tier.OVERFLOW]: "overflow",
};

export function tierWord(tier: ProviderKey_Tier): string {
  return TIERS[tier] ?? String(tier);
}

export function visibilityWord(key: ProviderKey): string {
  return key.visibility === ProviderKey_Visibility.PUBLIC ? "public" : "private";
}

const KINDS: Readonly<Record<ClientKey_Kind, string>> = {
  [ClientKey_Kind.UNSPECIFIED]: "?",
  [ClientKey_Kind.STANDARD]: "own",
  [ClientKey_Kind.SUPER]: "super",
  [ClientKey_Kind.BYOR]: "byor",
};

export function kindWord(kind: ClientKey_Kind): string {
  return KINDS[kind] ?? String(kind);
}
