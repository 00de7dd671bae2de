import {
  ProviderKey_Visibility,
  type ProviderKey,
} from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { ago, count, duration, percent } from "../present/format.js";
import { budgetUse } from "../present/limits.js";
import { providerKeyDetails, type ProviderKeyFacts } from "../present/provider-keys.js";
import { providerKeyMark, tierWord, visibilityWord } from "../present/states.js";
import { Selected } from "../state/selected.js";
import type { Binding } from "../term/keymap.js";
import type { Column } from "../widgets/table-columns.js";
import { sparkline } from "../widgets/sparkline.js";
import { confirm } from "../widgets/confirm.js";
import { asking, perform, whyNotMine, writing } from "./actions.js";
import { byServer, ListView } from "./list-view.js";
import { markCell } from "./mark-cell.js";
import { noticeColumn } from "./notice-column.js";
import { fetchProviderKeyFacts } from "./provider-key-facts.js";
import { openProviderKeyForm, openRotateProviderKey } from "./provider-key-forms.js";
import { openProviderKeyTest } from "./provider-key-test.js";
import { openDiagnosis } from "./provider-key-diagnosis.js";
import { revealProviderKey } from "./reveal.js";
import type { View, ViewContext } from "./view.js";

const GROUP = "PROVIDER KEYS";
/** One bar for each hour of a day. */
const TREND_WIDTH = 24;

/** Screen 2: the secrets of providers. */
export function createProviderKeysView(context: ViewContext): View {
  const { api, clock } = context;
  const facts = new Selected<ProviderKeyFacts>({
    fetch: (id, signal) => fetchProviderKeyFacts(context, id, signal),
    clock,
    onChange: context.requestFrame,
  });
  return new ListView<ProviderKey>({
    id: "provider-keys",
    title: "Provider keys",
    short: "Prov",
    context,
    columns: columnsOf(context),
    fetch: async (query, signal) => {
      const answer = await api.providerKeys.listProviderKeys(query, { signal });
      return {
        rows: answer.providerKeys,
        nextPageToken: answer.nextPageToken,
        total: Number(answer.totalEstimate),
      };
    },
    idOf: (key) => key.id,
    nameOf: (key) => key.name,
    rowStyle: (key) => (key.enabled ? undefined : "muted"),
    emptyText: "no provider keys yet: press n to store the first one",
    naturalSort: { column: "create_time", descending: true },
    filterHelp: "provider=openai tier=backup health=invalid enabled=true words",
    detail: (key) =>
      providerKeyDetails(key, facts.value, {
        nowMs: clock.now(),
        trend: (values) => sparkline(values, { width: TREND_WIDTH }, context.glyphs()),
      }),
    onSelect: (key) => facts.want(key?.id),
    bindings: (list) => bindingsOf(context, list, () => facts.refresh()),
  });
}

function columnsOf(context: ViewContext): readonly Column<ProviderKey>[] {
  return [...identityColumns(context), noticeColumn(context), ...useColumns(context)];
}

function identityColumns({ glyphs }: ViewContext): readonly Column<ProviderKey>[] {
  return [
    {
      id: "name",
      title: "NAME",
      width: { min: 12, share: 3, max: 64 },
      sortKey: byServer,
      cell: (key) => key.name,
    },
    {
      id: "provider",
      title: "PROVIDER",
      width: { min: 9, share: 2, max: 32 },
      sortKey: byServer,
      cell: (key) => key.providerSlug,
    },
    {
      id: "service",
      title: "SERVICE",
      width: 8,
      priority: 6,
      cell: (key) => key.service || "all",
    },
    {
      id: "tier",
      title: "TIER",
      width: 8,
      sortKey: byServer,
      cell: (key) => tierWord(key.tier),
    },
    { id: "preview", title: "SECRET", width: 12, priority: 1, cell: (key) => key.preview },
    {
      id: "visibility",
      title: "SCOPE",
      width: 7,
      priority: 4,
      cell: (key) => visibilityWord(key),
    },
    {
      id: "health",
      title: "STATE",
      width: 12,
      sortKey: byServer,
      cell: (key) => markCell(providerKeyMark(key), glyphs()),
    },
  ];
}

function useColumns({ clock }: ViewContext): readonly Column<ProviderKey>[] {
  return [
    {
      id: "success_ratio",
      title: "OK",
      width: 6,
      align: "right",
      priority: 2,
      cell: (key) => percent(key.successRatio),
    },
    {
      id: "latency",
      title: "P95",
      width: 5,
      align: "right",
      priority: 3,
      cell: (key) => duration(key.latencyP95Ms),
    },
    {
      id: "use_count",
      title: "USED",
      width: 6,
      align: "right",
      priority: 5,
      sortKey: byServer,
      cell: (key) => count(key.useCount),
    },
    {
      id: "quota",
      title: "QUOTA",
      width: { min: 14, share: 1, max: 24 },
      priority: 7,
      cell: (key) => budgetUse(key.budgetUsage)[0] ?? "-",
    },
    {
      id: "owner",
      title: "OWNER",
      width: { min: 10, share: 1, max: 32 },
      priority: 8,
      sortKey: byServer,
      cell: (key) => key.ownerUsername,
    },
    {
      id: "last_used_time",
      title: "LAST",
      width: 6,
      align: "right",
      priority: 3,
      sortKey: byServer,
      cell: (key) => ago(key.lastUsedTime, clock.now()),
    },
  ];
}

function bindingsOf(
  context: ViewContext,
  list: ListView<ProviderKey>,
  refreshHealth: () => void,
): readonly Binding[] {
  const refresh = (): void => {
    list.refresh();
    refreshHealth();
  };
  return [
    writing(context, "provider_key.create", {
      keys: ["n"],
      action: "provider-keys.new",
      description: "store a new provider key",
      group: GROUP,
      hint: "new",
      priority: 5,
      run: () => openProviderKeyForm(context, { refresh }),
    }),
    writing(
      context,
      "provider_key.update",
      {
        keys: ["e"],
        action: "provider-keys.edit",
        description: "edit name, tier, models, limits",
        group: GROUP,
        hint: "edit",
        priority: 4,
        run: () => list.withRow((key) => openProviderKeyForm(context, { key, refresh })),
      },
      list.noRow,
    ),
    asking(
      context,
      "provider_key.test",
      {
        keys: ["t"],
        action: "provider-keys.test",
        description: "test the connection, step by step",
        group: GROUP,
        hint: "test",
        priority: 4,
        run: () => list.withRow((key) => testStored(context, key, refresh)),
      },
      list.noRow,
    ),
    asking(
      context,
      "provider_key.diagnose",
      {
        keys: ["D"],
        action: "provider-keys.diagnose",
        description: "say why calls do not use the key",
        group: GROUP,
        run: () => list.withRow((key) => openDiagnosis(context, key)),
      },
      list.noRow,
    ),
    ...stateBindings(context, list, refresh),
    ...secretBindings(context, list, refresh),
  ];
}

function stateBindings(
  context: ViewContext,
  list: ListView<ProviderKey>,
  refresh: () => void,
): readonly Binding[] {
  return [
    writing(
      context,
      "provider_key.disable",
      {
        keys: ["d"],
        action: "provider-keys.toggle",
        description: "disable or enable the key",
        group: GROUP,
        hint: "on/off",
        priority: 3,
        run: () => list.withRow((key) => toggle(context, key, refresh)),
      },
      list.noRow,
    ),
    writing(
      context,
      "provider_key.set_visibility",
      {
        keys: ["v"],
        action: "provider-keys.visibility",
        description: "donate the key to the pool, or take it back",
        group: GROUP,
        hint: "scope",
        run: () => list.withRow((key) => changeVisibility(context, key, refresh)),
      },
      list.noRow,
    ),
    writing(
      context,
      "provider_key.delete",
      {
        keys: ["ctrl-d"],
        action: "provider-keys.delete",
        description: "delete the key for good (type its name)",
        group: GROUP,
        hint: "delete",
        run: () => list.withRow((key) => remove(context, key, refresh)),
      },
      list.noRow,
    ),
  ];
}

function secretBindings(
  context: ViewContext,
  list: ListView<ProviderKey>,
  refresh: () => void,
): readonly Binding[] {
  return [
    writing(
      context,
      "provider_key.rotate",
      {
        keys: ["R"],
        action: "provider-keys.rotate",
        description: "replace the secret",
        group: GROUP,
        hint: "rotate",
        run: () => list.withRow((key) => openRotateProviderKey(context, key, refresh)),
      },
      list.noRow,
    ),
    asking(
      context,
      "provider_key.reveal",
      {
        keys: ["u"],
        action: "provider-keys.reveal",
        description: "show the secret to its owner; audited",
        group: GROUP,
        run: () => list.withRow((key) => revealProviderKey(context, key)),
      },
      () => list.noRow() ?? whyNotMine(context, list.selected?.ownerId),
    ),
  ];
}

function testStored(context: ViewContext, key: ProviderKey, refresh: () => void): void {
  openProviderKeyTest(context, {
    title: key.name,
    target: { case: "id", value: key.id },
    onEnd: refresh,
  });
}

function toggle(context: ViewContext, key: ProviderKey, refresh: () => void): void {
  const { providerKeys } = context.api;
  const { id, name, enabled } = key;
  perform(context, {
    permission: enabled ? "provider_key.disable" : "provider_key.enable",
    work: () =>
      enabled ? providerKeys.disableProviderKey({ id }) : providerKeys.enableProviderKey({ id }),
    done: `${name} is ${enabled ? "disabled" : "enabled"}`,
    refresh,
  });
}

function changeVisibility(context: ViewContext, key: ProviderKey, refresh: () => void): void {
  const publish = key.visibility !== ProviderKey_Visibility.PUBLIC;
  const visibility = publish ? ProviderKey_Visibility.PUBLIC : ProviderKey_Visibility.PRIVATE;
  confirm(context.modals, {
    title: publish ? `Donate ${key.name} to the pool?` : `Take ${key.name} back?`,
    text: [
      publish
        ? "Super keys of all users may then draw on it. The secret stays sealed; nobody sees it."
        : "Super keys no longer draw on it from the next call on; your own client keys still do.",
    ],
    action: publish ? "Make public" : "Make private",
    onConfirm: () =>
      perform(context, {
        permission: "provider_key.set_visibility",
        work: () =>
          context.api.providerKeys.setProviderKeyVisibility({
            id: key.id,
            visibility,
            anonymous: publish && key.anonymous,
          }),
        done: `${key.name} is ${publish ? "public" : "private"}`,
        refresh,
      }),
  });
}

function remove(context: ViewContext, key: ProviderKey, refresh: () => void): void {
  confirm(context.modals, {
    title: "Delete a provider key",
    text: [
      `${key.name} (${key.providerSlug}, ${key.preview}) is removed with its sealed secret. This cannot be undone.`,
      "Calls it has served stay in the log.",
    ],
    action: "Delete",
    typeName: key.name,
    id: key.id,
    onConfirm: () =>
      perform(context, {
        permission: "provider_key.delete",
        work: () =>
          context.api.providerKeys.deleteProviderKey({
            id: key.id,
            expectedVersion: key.version,
          }),
        done: `${key.name} is deleted`,
        refresh,
      }),
  });
}
