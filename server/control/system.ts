import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  RootKeySource,
  VaultStatus_State,
  type GetStatusResponseSchema,
  type SystemService,
  type VaultStatusSchema,
} from "../../proto/gen/latchkey/v1/system_pb.js";
import { PROTO_REVISION } from "../../proto/gen/revision.js";
import type { Actor } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import { Secret } from "../core/secret.js";
import { authorize } from "../keys/policy.js";
import type { VaultState, VaultStatus } from "../vault/vault.js";
import type { RootKeyKind } from "../vault/root-key/provider.js";
import { actorKey } from "./context.js";

/** What only the running process knows of itself, already in the words of the API. */
export type ProcessFacts = Pick<
  MessageInitShape<typeof GetStatusResponseSchema>,
  "listeners" | "database" | "journal" | "process" | "warnings" | "registrationEnabled" | "demo"
>;

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
  /** Words for what this server can do beyond the first version of the API. */
  readonly capabilities: readonly string[];
}

const STATES: Record<VaultState, VaultStatus_State> = {
  UNINITIALISED: VaultStatus_State.UNINITIALISED,
  LOCKED: VaultStatus_State.LOCKED,
  UNLOCKED: VaultStatus_State.UNLOCKED,
};

const SOURCES: Record<RootKeyKind, RootKeySource> = {
  FILE: RootKeySource.FILE,
  PASSPHRASE: RootKeySource.PASSPHRASE,
  SYSTEMD_CREDENTIAL: RootKeySource.SYSTEMD_CREDENTIAL,
  ENVIRONMENT: RootKeySource.ENVIRONMENT,
  TRANSIT: RootKeySource.KMS,
};

/** The server itself: its state and its vault. */
export function systemService(deps: SystemDeps): Partial<ServiceImpl<typeof SystemService>> {
  const vault = (): MessageInitShape<typeof VaultStatusSchema> => vaultMessage(deps.vaultStatus());
  return {
    async getStatus(_request, context) {
      authorize(context.values.get(actorKey), "system.get_status");
      const nowMs = deps.clock.now();
      return {
        version: deps.version,
        protoRevision: PROTO_REVISION,
        serverTime: timestampFromMs(nowMs),
        startTime: timestampFromMs(deps.startedAtMs),
        uptimeSeconds: BigInt(Math.floor((nowMs - deps.startedAtMs) / 1000)),
        nodeId: deps.nodeId,
        dataFolder: deps.dataFolder,
        vault: vault(),
        capabilities: [...deps.capabilities],
        ...(await deps.facts()),
      };
    },
    async unlock(request, context) {
      const actor = context.values.get(actorKey);
      authorize(actor, "system.unlock");
      await deps.unlock(actor, new Secret(request.passphrase));
      return { vault: vault() };
    },
    async lock(_request, context) {
      const actor = context.values.get(actorKey);
      authorize(actor, "system.lock");
      await deps.lock(actor);
      return { vault: vault() };
    },
  };
}

function vaultMessage(status: VaultStatus): MessageInitShape<typeof VaultStatusSchema> {
  return {
    state: STATES[status.state],
    rootKeySource: SOURCES[status.rootKeyKind],
    vaultKeys:
      status.vaultKeyVersion === 0 ? [] : [{ version: status.vaultKeyVersion, current: true }],
    pepperVersion: status.pepperVersion,
  };
}
