import {
  ClientKey_State,
  type ClientKey,
  type GetClientKeyStatsResponse,
} from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import { ago, count, until } from "../present/format.js";
import { clientKeyDetails } from "../present/client-keys.js";
import { clientKeyMark, kindWord } from "../present/states.js";
import { Selected } from "../state/selected.js";
import type { Binding } from "../term/keymap.js";
import type { Column } from "../widgets/table-columns.js";
import { confirm } from "../widgets/confirm.js";
import { asking, perform, whyNotMine, writing } from "./actions.js";
import { openClientKeyForm, openRotateClientKey } from "./client-key-forms.js";
import { openClientKeyEdit } from "./client-key-edit.js";
import { openCurl } from "./client-key-curl.js";
import { revokeNow } from "./client-key-secret.js";
import { byServer, ListView } from "./list-view.js";
import { markCell } from "./mark-cell.js";
import { noticeColumn } from "./notice-column.js";
import { revealByorKey, revealClientKey } from "./reveal.js";
import type { View, ViewContext } from "./view.js";

const GROUP = "CLIENT KEYS";
const STATS_DAYS = 7;

/** Screen 3: what callers present to the proxy. */
export function createClientKeysView(context: ViewContext): View {
  const { api, clock } = context;
  const stats = new Selected<GetClientKeyStatsResponse>({
    fetch: (id, signal) => api.clientKeys.getClientKeyStats({ id, days: STATS_DAYS }, { signal }),
    clock,
    onChange: context.requestFrame,
  });
  return new ListView<ClientKey>({
    id: "client-keys",
    title: "Client keys",
    short: "Keys",
    context,
    columns: columnsOf(context),
    fetch: async (query, signal) => {
      const answer = await api.clientKeys.listClientKeys(query, { signal });
      return {
        rows: answer.clientKeys,
        nextPageToken: answer.nextPageToken,
        total: Number(answer.totalEstimate),
      };
    },
    idOf: (key) => key.id,
    nameOf: (key) => key.name,
    rowStyle: (key) => (key.state === ClientKey_State.ACTIVE ? undefined : "muted"),
    emptyText: "no client keys yet: press n to make the first one",
    naturalSort: { column: "create_time", descending: true },
    filterHelp: "owner=alice kind=super state=active name:ci words",
    detail: (key) => clientKeyDetails(key, stats.value, clock.now()),
    onSelect: (key) => stats.want(context.may("client_key.get_stats") ? key?.id : undefined),
    bindings: (list) => [
      ...makingBindings(context, list),
      ...secretBindings(context, list),
      ...endingBindings(context, list),
    ],
  });
}

function columnsOf(context: ViewContext): readonly Column<ClientKey>[] {
  return [...identityColumns(context), noticeColumn(context), ...useColumns(context)];
}

function identityColumns({ glyphs }: ViewContext): readonly Column<ClientKey>[] {
  return [
    {
      id: "name",
      title: "NAME",
      width: { min: 12, share: 3, max: 64 },
      sortKey: byServer,
      cell: (key) => key.name,
    },
    {
      id: "owner",
      title: "OWNER",
      width: { min: 8, share: 1, max: 32 },
      priority: 3,
      sortKey: byServer,
      cell: (key) => key.ownerUsername,
    },
    {
      id: "prefix",
      title: "PREFIX",
      width: { min: 12, share: 1, max: 18 },
      priority: 1,
      cell: (key) => key.prefix,
    },
    { id: "kind", title: "KIND", width: 5, sortKey: byServer, cell: (key) => kindWord(key.kind) },
    {
      id: "state",
      title: "STATE",
      width: 10,
      sortKey: byServer,
      cell: (key) => markCell(clientKeyMark(key.state), glyphs()),
    },
  ];
}

function useColumns({ clock }: ViewContext): readonly Column<ClientKey>[] {
  return [
    {
      id: "call_count",
      title: "CALLS",
      width: 6,
      align: "right",
      priority: 4,
      sortKey: byServer,
      cell: (key) => count(key.callCount),
    },
    {
      id: "calls_24h",
      title: "IN 24H",
      width: 6,
      align: "right",
      priority: 5,
      cell: (key) => count(key.calls24h),
    },
    {
      id: "expire_time",
      title: "EXPIRES",
      width: 7,
      align: "right",
      priority: 2,
      sortKey: byServer,
      cell: (key) => until(key.expireTime, clock.now()),
    },
    {
      id: "last_used_time",
      title: "USED",
      width: 6,
      align: "right",
      sortKey: byServer,
      cell: (key) => ago(key.lastUsedTime, clock.now()),
    },
    {
      id: "limits",
      title: "MODELS",
      width: { min: 10, share: 2, max: 30 },
      priority: 6,
      cell: (key) => key.modelAllowlist.join(", ") || "all",
    },
  ];
}

function makingBindings(context: ViewContext, list: ListView<ClientKey>): readonly Binding[] {
  const refresh = (): void => list.refresh();
  const revoked = (): string | undefined => whyEnded(list);
  return [
    writing(context, "client_key.create", {
      keys: ["n"],
      action: "client-keys.new",
      description: "make a new client key; its secret is shown once",
      group: GROUP,
      hint: "new",
      priority: 5,
      run: () => openClientKeyForm(context, { refresh }),
    }),
    writing(
      context,
      "client_key.update",
      {
        keys: ["e"],
        action: "client-keys.edit",
        description: "edit name, expiry, models, addresses, limits",
        group: GROUP,
        hint: "edit",
        priority: 3,
        run: () => list.withRow((key) => openClientKeyEdit(context, key, refresh)),
      },
      list.noRow,
    ),
    writing(
      context,
      "client_key.rotate",
      {
        keys: ["R"],
        action: "client-keys.rotate",
        description: "give the key a new secret; the old one may work on for a while",
        group: GROUP,
        hint: "rotate",
        priority: 3,
        run: () => list.withRow((key) => openRotateClientKey(context, key, refresh)),
      },
      revoked,
    ),
    {
      keys: ["o"],
      action: "client-keys.calls",
      description: "show the calls of this key",
      group: GROUP,
      hint: "calls",
      disabledReason: list.noRow,
      run: () => list.withRow((key) => context.goTo("calls", `client_key=${key.id}`)),
    },
  ];
}

function secretBindings(context: ViewContext, list: ListView<ClientKey>): readonly Binding[] {
  return [
    asking(
      context,
      "client_key.reveal",
      {
        keys: ["u"],
        action: "client-keys.reveal",
        description: "show the secret of a recoverable key to its owner; audited",
        group: GROUP,
        run: () => list.withRow((key) => revealClientKey(context, key)),
      },
      () => whyNotRecoverable(context, list),
    ),
    asking(context, "client_key.get_byor", {
      keys: ["b"],
      action: "client-keys.byor",
      description: "show your own BYOR key; made if there is none",
      group: GROUP,
      run: () => revealByorKey(context),
    }),
    {
      keys: ["c"],
      action: "client-keys.curl",
      description: "show how to call with this key",
      group: GROUP,
      disabledReason: list.noRow,
      run: () => list.withRow((key) => openCurl(context, key)),
    },
  ];
}

function endingBindings(context: ViewContext, list: ListView<ClientKey>): readonly Binding[] {
  const refresh = (): void => list.refresh();
  return [
    writing(
      context,
      "client_key.disable",
      {
        keys: ["d"],
        action: "client-keys.toggle",
        description: "disable or enable the key (reversible)",
        group: GROUP,
        hint: "on/off",
        priority: 2,
        run: () => list.withRow((key) => toggle(context, key, refresh)),
      },
      () => whyEnded(list),
    ),
    writing(
      context,
      "client_key.revoke",
      {
        keys: ["r"],
        action: "client-keys.revoke",
        description: "revoke the key: it ends for good, record and calls stay",
        group: GROUP,
        hint: "revoke",
        priority: 2,
        run: () => list.withRow((key) => revoke(context, key, refresh)),
      },
      () => whyEnded(list),
    ),
    writing(
      context,
      "client_key.delete",
      {
        keys: ["ctrl-d"],
        action: "client-keys.delete",
        description: "delete the key with all its call logs (type its name)",
        group: GROUP,
        hint: "delete",
        run: () => list.withRow((key) => remove(context, key, refresh)),
      },
      list.noRow,
    ),
  ];
}

function whyNotRecoverable(context: ViewContext, list: ListView<ClientKey>): string | undefined {
  const key = list.selected;
  if (key === undefined) return list.noRow();
  if (!key.recoverable) return "no copy of it is kept: rotate it (R) for a new secret";
  return whyNotMine(context, key.ownerId);
}

/** Why a key cannot be changed any more. */
function whyEnded(list: ListView<ClientKey>): string | undefined {
  if (list.selected?.state === ClientKey_State.REVOKED) return "the key is revoked for good";
  return list.noRow();
}

function toggle(context: ViewContext, key: ClientKey, refresh: () => void): void {
  const { clientKeys } = context.api;
  const { id, name, enabled } = key;
  perform(context, {
    permission: enabled ? "client_key.disable" : "client_key.enable",
    work: () =>
      enabled ? clientKeys.disableClientKey({ id }) : clientKeys.enableClientKey({ id }),
    done: `${name} is ${enabled ? "disabled" : "enabled"}`,
    refresh,
  });
}

function revoke(context: ViewContext, key: ClientKey, refresh: () => void): void {
  confirm(context.modals, {
    title: `Revoke ${key.name}?`,
    text: [
      `${key.prefix}… of ${key.ownerUsername} is refused from the next call on, and its streams are cut. It can never be used again; d would only disable it.`,
      "Its record and its calls stay.",
    ],
    action: "Revoke",
    onConfirm: () => revokeNow(context, key, refresh),
  });
}

function remove(context: ViewContext, key: ClientKey, refresh: () => void): void {
  confirm(context.modals, {
    title: "Delete a client key",
    text: [
      `${key.name} (${key.prefix}…) is removed together with all its call logs and statistics, ${count(key.callCount)} calls. This cannot be undone.`,
      "To keep the logs, press esc and revoke it instead (r).",
    ],
    action: "Delete with all calls",
    typeName: key.name,
    id: key.id,
    onConfirm: () =>
      perform(context, {
        permission: "client_key.delete",
        work: () =>
          context.api.clientKeys.deleteClientKey({ id: key.id, expectedVersion: key.version }),
        done: `${key.name} and its calls are deleted`,
        refresh,
      }),
  });
}
