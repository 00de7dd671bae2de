import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  RootKeySource,
  VaultStatus_State,
  type VaultStatusSchema,
} from "../../../proto/gen/latchkey/v1/system_pb.js";
import type { RootKeyKind } from "../../vault/root-key/provider.js";
import type { VaultState, VaultStatus } from "../../vault/vault.js";
import { rotationMessage, type RotationProgress } from "../system-rotation.js";
import { int64, timeOf } from "./values.js";

/** One key pair of the vault. */
export interface VaultKeyFacts {
  readonly version: number;
  readonly sealedCount: number;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

/** What is known of the vault in addition to its own status. */
export interface VaultFacts {
  readonly rootKeyVersion: number;
  readonly keys: readonly VaultKeyFacts[];
  readonly quarantined: number;
  readonly unreadable: number;
  readonly rotation: RotationProgress | undefined;
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

export function vaultMessage(
  status: VaultStatus,
  facts: VaultFacts | undefined,
): MessageInitShape<typeof VaultStatusSchema> {
  const { vaultKeyVersion } = status;
  const rotation = facts?.rotation;
  return {
    state: STATES[status.state],
    rootKeySource: SOURCES[status.rootKeyKind],
    rootKeyVersion: facts?.rootKeyVersion ?? 0,
    vaultKeys: keysOf(status, facts).map(({ version, sealedCount, createdAt }) => ({
      version,
      current: version === vaultKeyVersion,
      sealedCount: int64(sealedCount),
      createTime: timeOf(createdAt),
    })),
    pepperVersion: status.pepperVersion,
    quarantinedCount: facts?.quarantined ?? 0,
    unreadableCount: facts?.unreadable ?? 0,
    ...(rotation?.state === "RUNNING" ? { rotation: rotationMessage(rotation) } : {}),
  };
}

function keysOf(status: VaultStatus, facts: VaultFacts | undefined): readonly VaultKeyFacts[] {
  if (facts !== undefined) return facts.keys.toSorted((one, other) => other.version - one.version);
  const { vaultKeyVersion: version } = status;
  return version === 0 ? [] : [{ version, sealedCount: 0, createdAt: 0 }];
}
