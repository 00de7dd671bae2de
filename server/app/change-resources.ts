import { ResourceKind } from "../../proto/gen/latchkey/v1/system_pb.js";
import type { NameLookup } from "../control/names.js";
import { allocationMessage } from "../control/pool.js";
import { clientKeyMessage } from "../control/messages/client-keys.js";
import { modelMessage, type RewritesOf } from "../control/messages/models.js";
import { providerKeyMessage } from "../control/messages/provider-keys.js";
import { presetServices, providerMessage } from "../control/messages/providers.js";
import { rewritesMessage } from "../control/messages/rewrites.js";
import { settingsMessage } from "../control/messages/settings.js";
import { userMessage } from "../control/messages/users.js";
import type { BudgetBook, ProviderKeyFacts } from "../control/ports.js";
import type { ChangesDeps } from "../control/system-changes.js";
import type { NoticeDays } from "../keys/notices.js";
import { type ModelRewrites, type Rewrite, rewritesIn } from "../keys/rewrites.js";
import type { Settings } from "../keys/settings.js";
import { isSettingName } from "../keys/settings-table.js";
import type { ChangeKinds } from "../core/change.js";
import type { Clock } from "../core/clock.js";
import { ALLOCATION_SETTING, type Allocation } from "../pool/allocation.js";

/** Shows the resource of a change as its service would show it. */
export function changeResources(parts: {
  readonly names: NameLookup;
  readonly facts: ProviderKeyFacts;
  readonly budgets: BudgetBook;
  readonly noticeDays: () => NoticeDays;
  readonly settings: Pick<Settings, "values">;
  readonly allocation: () => Allocation;
  readonly rewritesOf: RewritesOf;
  readonly rewrites: Pick<ModelRewrites, "unserved">;
  readonly clock: Clock;
}): ChangesDeps["resourceOf"] {
  const { names, facts, budgets, noticeDays, rewritesOf, clock } = parts;
  const services = presetServices();
  return (change) => {
    const nowMs = clock.now();
    if (change.value === null) return undefined;
    switch (change.kind) {
      case "user": {
        // Only callers who may see all users are told of them.
        const value = userMessage(change.value, { nowMs, budgets, withNote: true });
        return { kind: ResourceKind.USER, resource: { case: "user", value } };
      }
      case "provider": {
        const value = providerMessage(change.value, undefined, services);
        return { kind: ResourceKind.PROVIDER, resource: { case: "provider", value } };
      }
      case "model": {
        const value = modelMessage(change.value, { names, rewritesOf, nowMs });
        return { kind: ResourceKind.MODEL, resource: { case: "model", value } };
      }
      case "provider_key": {
        const context = { names, facts, noticeDays: noticeDays(), nowMs };
        const value = providerKeyMessage(change.value, context);
        return { kind: ResourceKind.PROVIDER_KEY, resource: { case: "providerKey", value } };
      }
      case "client_key": {
        const context = { names, budgets, noticeDays: noticeDays(), nowMs };
        const value = clientKeyMessage(change.value, context);
        return { kind: ResourceKind.CLIENT_KEY, resource: { case: "clientKey", value } };
      }
      case "setting":
        return settingResource(parts, change.value);
      default:
        return change satisfies never;
    }
  };
}

/** Settings and the allocation are shown as they are now, which is at least as new as the change. */
function settingResource(
  parts: Pick<Parameters<typeof changeResources>[0], "settings" | "allocation" | "rewrites">,
  { id, value: text }: ChangeKinds["setting"],
): ReturnType<ChangesDeps["resourceOf"]> {
  if (id === ALLOCATION_SETTING) {
    const value = allocationMessage(parts.allocation());
    return { kind: ResourceKind.ALLOCATION, resource: { case: "allocation", value } };
  }
  const found = rewritesIn(id, text);
  if (found !== undefined) {
    const unserved = (rewrite: Rewrite) => parts.rewrites.unserved(rewrite);
    const value = rewritesMessage(found.kind, found.rewrites, unserved);
    return { kind: ResourceKind.REWRITES, resource: { case: "rewrites", value } };
  }
  if (!isSettingName(id)) return undefined;
  const value = settingsMessage(parts.settings.values);
  return { kind: ResourceKind.SETTINGS, resource: { case: "settings", value } };
}
