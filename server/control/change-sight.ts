import { ResourceKind } from "../../proto/gen/latchkey/v1/system_pb.js";
import type { Actor } from "../core/audit.js";
import type { Change, ChangeKind } from "../core/change.js";
import type { Model } from "../core/provider.js";
import { grantOf, type Action } from "../keys/policy.js";
import type { KeysReader } from "../keys/ports.js";

/** What a watcher is told of a change. A setting's kind is known only from what it holds. */
export type Sight =
  | "HIDDEN"
  | {
      readonly operation: "SET" | "DELETED";
      readonly kind: ResourceKind;
      /** The id by which the API knows the resource. */
      readonly id: string;
    };

type Reader = Pick<KeysReader, "providers" | "models" | "providerKeys" | "clientKeys">;

/** Which changes a watcher sees. */
export interface ChangeSight {
  of(change: Change): Sight;
  /**
   * True for a deletion from before what the watcher sees was read: nobody knows any more whether they saw the thing,
   * or by which name.
   */
  misses(change: Change): boolean;
  /** True for kinds that the watcher asked for and may list. */
  wants(kind: ResourceKind): boolean;
}

/** Each kind of change with its kind in the API and the permission that shows it. */
const SHOWN: Record<Exclude<ChangeKind, "setting">, readonly [ResourceKind, Action]> = {
  user: [ResourceKind.USER, "user.list"],
  provider: [ResourceKind.PROVIDER, "provider.list"],
  model: [ResourceKind.MODEL, "model.list"],
  provider_key: [ResourceKind.PROVIDER_KEY, "provider_key.list"],
  client_key: [ResourceKind.CLIENT_KEY, "client_key.list"],
};

const SETTINGS_SHOWN: readonly (readonly [ResourceKind, Action])[] = [
  [ResourceKind.SETTINGS, "system.get_settings"],
  [ResourceKind.ALLOCATION, "pool.get_allocation"],
  [ResourceKind.REWRITES, "rewrite.get"],
];

/**
 * Reads the permission table for a watcher. A watcher who may list only their own things is told of those alone.
 * Because a deletion does not say whose the thing was, the ids of what the watcher sees now are read first.
 */
export async function changeSight(
  reader: Reader,
  actor: Actor,
  kinds: readonly ResourceKind[],
): Promise<ChangeSight> {
  const isAsked = (kind: ResourceKind): boolean => kinds.length === 0 || kinds.includes(kind);
  const grants = new Map(
    [...Object.values(SHOWN), ...SETTINGS_SHOWN].map(([kind, action]) => [
      kind,
      isAsked(kind) ? grantOf(actor, action) : "DENY",
    ]),
  );
  const known: Known = {
    own: [...grants.values()].includes("OWN") ? await ownIds(reader, actor) : new Set(),
    models: new Map((await reader.models.all()).map((model) => [model.id, model])),
  };
  return {
    wants: (kind) => grants.get(kind) === "ALLOW",
    misses({ kind, value }) {
      if (kind === "setting" || value !== null) return false;
      const grant = grants.get(SHOWN[kind][0]);
      return grant === "OWN" || (grant === "ALLOW" && kind === "model");
    },
    of(change) {
      if (change.kind === "setting") {
        return { operation: "SET", kind: ResourceKind.UNSPECIFIED, id: "" };
      }
      const [kind] = SHOWN[change.kind];
      const id = change.kind === "model" ? modelName(known, change) : change.id;
      const grant = grants.get(kind);
      const isSeen = grant === "ALLOW" || (grant === "OWN" && isOwn(known, actor, change));
      remember(known, change);
      const operation = change.value === null ? "DELETED" : "SET";
      return isSeen && id !== "" ? { operation, kind, id } : "HIDDEN";
    },
  };
}

/** What a change alone does not say. */
interface Known {
  /** Ids of the providers and keys that a watcher sees who may list only their own things. */
  readonly own: Set<string>;
  /** Models by their internal ids. */
  readonly models: Map<string, Pick<Model, "providerId" | "modelId">>;
}

/** Empty for a model that was never seen. */
function modelName(known: Known, change: Change & { kind: "model" }): string {
  const model = change.value ?? known.models.get(change.id);
  return model === undefined ? "" : `${model.providerId}/${model.modelId}`;
}

/** True for what belongs to the watcher, or belonged to them until it was deleted. */
function isOwn({ own, models }: Known, actor: Actor, change: Change): boolean {
  if (change.kind === "model") {
    const model = change.value ?? models.get(change.id);
    return model !== undefined && own.has(model.providerId);
  }
  if (change.value === null) return own.has(change.id);
  const isMine = belongsTo(actor, change);
  if (isMine) own.add(change.id);
  return isMine;
}

function belongsTo(actor: Actor, change: Change): boolean {
  switch (change.kind) {
    case "user":
      return change.id === actor.userId;
    case "provider":
      return change.value?.createdBy === null || change.value?.createdBy === actor.userId;
    case "provider_key":
    case "client_key":
      return change.value?.ownerId === actor.userId;
    default:
      return false;
  }
}

function remember({ own, models }: Known, change: Change): void {
  if (change.kind === "model" && change.value !== null) models.set(change.id, change.value);
  if (change.value !== null) return;
  own.delete(change.id);
  models.delete(change.id);
}

async function ownIds(reader: Reader, actor: Actor): Promise<Set<string>> {
  const userId = actor.userId ?? "";
  const seen = (await reader.providers.all()).filter(
    ({ createdBy }) => createdBy === null || createdBy === userId,
  );
  const providerKeys = await reader.providerKeys.ofOwner(userId);
  const clientKeys = await reader.clientKeys.ofOwner(userId);
  return new Set([userId, ...[...seen, ...providerKeys, ...clientKeys].map(({ id }) => id)]);
}
