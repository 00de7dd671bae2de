import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  Node_Role,
  type GetStatusResponseSchema,
  type SystemService,
} from "../../proto/gen/latchkey/v1/system_pb.js";
import { PROTO_REVISION } from "../../proto/gen/revision.js";
import type { Actor } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import { Secret } from "../core/secret.js";
import { authorize } from "../keys/policy.js";
import type { Settings } from "../keys/settings.js";
import type { VaultStatus } from "../vault/vault.js";
import { actorKey } from "./context.js";
import { settingsMessage, settingsPatchOf } from "./messages/settings.js";
import { vaultMessage, type VaultFacts } from "./messages/vault.js";
import { backupStream, type BackupDeps } from "./system-backup.js";
import { watchChanges, type ChangesDeps } from "./system-changes.js";
import { tailLog, type LogDeps } from "./system-log.js";
import {
  rotateRootKeyStream,
  rotateVaultKeyStream,
  type RotationDeps,
  type Rotations,
} from "./system-rotation.js";

/** What only the running process knows of itself, already in the words of the API. */
export type ProcessFacts = Pick<
  MessageInitShape<typeof GetStatusResponseSchema>,
  | "listeners"
  | "database"
  | "journal"
  | "process"
  | "warnings"
  | "registrationEnabled"
  | "demo"
  | "lastBackup"
> & { readonly vault?: VaultFacts };

/** An option that the server was started with. */
export interface ConfigLine {
  readonly name: string;
  readonly value: string;
  /** `default`, `file`, `environment` or `flag`. */
  readonly source: string;
  readonly description: string;
}

export interface SystemDeps {
  readonly version: string;
  readonly nodeId: string;
  readonly dataFolder: string;
  readonly startedAtMs: number;
  readonly clock: Clock;
  readonly vaultStatus: () => VaultStatus;
  /** Both are audited by what is passed in. */
  readonly unlock: (actor: Actor, passphrase: Secret) => Promise<void>;
  readonly lock: (actor: Actor) => Promise<void>;
  readonly facts: () => Promise<ProcessFacts>;
  /** RPCs whose part is missing are not served. */
  readonly rotations?: Rotations | undefined;
  readonly backup?: BackupDeps["backup"] | undefined;
  readonly settings?: Pick<Settings, "get" | "update"> | undefined;
  readonly config?: readonly ConfigLine[] | undefined;
  readonly logRing?: LogDeps["logRing"] | undefined;
  readonly changes?: Omit<ChangesDeps, "clock" | "nodeId"> | undefined;
}

type Service = Partial<ServiceImpl<typeof SystemService>>;

/** The server itself: its state, its vault, its settings, its log. */
export function systemService(deps: SystemDeps): Service {
  return {
    ...statusPart(deps),
    ...rotationPart(deps),
    ...settingsPart(deps),
    ...backupPart(deps),
    ...logPart(deps),
    ...changesPart(deps),
  };
}

function statusPart(deps: SystemDeps) {
  const vault = async () => vaultMessage(deps.vaultStatus(), (await deps.facts()).vault);
  return {
    async getStatus(_request, context) {
      const actor = context.values.get(actorKey);
      authorize(actor, "system.get_status");
      return statusOf(deps, actor.role === "ADMIN" || actor.role === "OPERATOR");
    },
    async unlock(request, context) {
      const actor = context.values.get(actorKey);
      authorize(actor, "system.unlock");
      await deps.unlock(actor, new Secret(request.passphrase));
      return { vault: await vault() };
    },
    async lock(_request, context) {
      const actor = context.values.get(actorKey);
      authorize(actor, "system.lock");
      await deps.lock(actor);
      return { vault: await vault() };
    },
  } satisfies Service;
}

/** What an operator is told goes beyond what every signed-in caller may know. */
async function statusOf(
  deps: SystemDeps,
  isOperator: boolean,
): Promise<MessageInitShape<typeof GetStatusResponseSchema>> {
  const nowMs = deps.clock.now();
  const { vault, registrationEnabled, demo, ...facts } = await deps.facts();
  const { listeners, warnings, ...others } = facts;
  const startTime = timestampFromMs(deps.startedAtMs);
  const vaultStatus = vaultMessage(deps.vaultStatus(), vault);
  const common = {
    version: deps.version,
    protoRevision: PROTO_REVISION,
    serverTime: timestampFromMs(nowMs),
    startTime,
    uptimeSeconds: BigInt(Math.floor((nowMs - deps.startedAtMs) / 1000)),
    nodeId: deps.nodeId,
    ...(registrationEnabled === undefined ? {} : { registrationEnabled }),
    ...(demo === undefined ? {} : { demo }),
  };
  if (!isOperator) return { ...common, vault: { state: vaultStatus.state ?? 0 } };
  return {
    ...common,
    ...others,
    vault: vaultStatus,
    dataFolder: deps.dataFolder,
    listeners: listeners ?? [],
    warnings: warnings ?? [],
    nodes: [
      {
        id: deps.nodeId,
        role: Node_Role.LEADER,
        version: deps.version,
        startTime,
        lastSeenTime: timestampFromMs(nowMs),
        cpuCores: facts.process?.cpuCores ?? 0,
        rssBytes: facts.process?.rssBytes ?? 0n,
        proxyAddress: listeners?.[0]?.address ?? "",
        vaultState: vaultStatus.state ?? 0,
      },
    ],
  };
}

function rotationPart({ rotations, clock }: SystemDeps): Service {
  if (rotations === undefined) return {};
  const deps: RotationDeps = { rotations, clock };
  return {
    rotateVaultKey: (_request, context) =>
      rotateVaultKeyStream(deps, context.values.get(actorKey), context.signal),
    rotateRootKey: (request, context) =>
      rotateRootKeyStream(deps, context.values.get(actorKey), request),
  };
}

function settingsPart({ settings, config = [] }: SystemDeps): Service {
  if (settings === undefined) return {};
  return {
    async getSettings(_request, context) {
      const values = await settings.get(context.values.get(actorKey));
      return { settings: settingsMessage(values), config: [...config] };
    },
    async updateSettings(request, context) {
      const actor = context.values.get(actorKey);
      authorize(actor, "system.update_settings");
      const values = await settings.update(actor, settingsPatchOf(request));
      return { settings: settingsMessage(values) };
    },
  };
}

function backupPart({ backup, clock }: SystemDeps): Service {
  if (backup === undefined) return {};
  return {
    backup: (request, context) =>
      backupStream({ backup, clock }, context.values.get(actorKey), request),
  };
}

function logPart({ logRing, clock, nodeId }: SystemDeps): Service {
  if (logRing === undefined) return {};
  return {
    tailLog: (request, context) =>
      tailLog({ logRing, clock, nodeId }, context.values.get(actorKey), request, context.signal),
  };
}

function changesPart({ changes, clock, nodeId }: SystemDeps): Service {
  if (changes === undefined) return {};
  const deps = { ...changes, clock, nodeId };
  return {
    watchChanges: (request, context) =>
      watchChanges(deps, context.values.get(actorKey), request, context.signal),
  };
}
