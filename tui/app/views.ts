import type { Api } from "../api/services.js";
import { createAuditView } from "../screens/audit.js";
import { CallsView } from "../screens/calls.js";
import { createClientKeysView } from "../screens/client-keys.js";
import { createModelsView } from "../screens/models.js";
import { OverviewView } from "../screens/overview.js";
import { createProviderKeysView } from "../screens/provider-keys.js";
import { SystemView } from "../screens/system.js";
import { UsageView } from "../screens/usage.js";
import { createUsersView } from "../screens/users.js";
import type { View, ViewContext } from "../screens/view.js";

/** A view that the dashboard may offer. */
export interface ViewSpec {
  /** The key that shows it. */
  readonly key: string;
  /** Names for the command line, the usual one first. */
  readonly names: readonly string[];
  /** Without this permission the view is not offered. */
  readonly action: string;
  /** A cheap call of what the view lives on; UNIMPLEMENTED takes the view away. */
  readonly probe: (api: Api, signal: AbortSignal) => Promise<unknown>;
  readonly create: (context: ViewContext) => View;
}

const ONE = { pageSize: 1 };

/** All views in the order of their keys. */
export const VIEWS: readonly ViewSpec[] = [
  {
    key: "1",
    names: ["overview", "home"],
    action: "usage.watch_overview",
    probe: async () => undefined,
    create: (context) => new OverviewView(context),
  },
  {
    key: "2",
    names: ["provider-keys", "pkeys", "vendor"],
    action: "provider_key.list",
    probe: (api, signal) => api.providerKeys.listProviderKeys(ONE, { signal }),
    create: createProviderKeysView,
  },
  {
    key: "3",
    names: ["keys", "client-keys"],
    action: "client_key.list",
    probe: (api, signal) => api.clientKeys.listClientKeys(ONE, { signal }),
    create: createClientKeysView,
  },
  {
    key: "4",
    names: ["users", "user"],
    action: "user.list",
    probe: (api, signal) => api.users.listUsers(ONE, { signal }),
    create: createUsersView,
  },
  {
    key: "5",
    names: ["calls", "requests", "req"],
    action: "call.list",
    probe: (api, signal) => api.calls.listCalls(ONE, { signal }),
    create: (context) => new CallsView(context),
  },
  {
    key: "6",
    names: ["usage", "trend"],
    action: "usage.get_trend",
    probe: (api, signal) => api.usage.getTrend({ maxBuckets: 1 }, { signal }),
    create: (context) => new UsageView(context),
  },
  {
    key: "7",
    names: ["models", "providers", "provider"],
    action: "model.list",
    probe: (api, signal) => api.providers.listModels(ONE, { signal }),
    create: createModelsView,
  },
  {
    key: "8",
    names: ["audit", "events"],
    action: "audit.list",
    probe: (api, signal) => api.audit.listEvents(ONE, { signal }),
    create: createAuditView,
  },
  {
    key: "9",
    names: ["system", "vault", "status", "nodes"],
    action: "system.get_status",
    probe: (api, signal) => api.system.getStatus({}, { signal }),
    create: (context) => new SystemView(context),
  },
];
