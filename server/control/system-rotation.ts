import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  RootKeySource,
  RotationProgress_State,
  type RotateRootKeyRequest,
  type RotationProgressSchema,
} from "../../proto/gen/latchkey/v1/system_pb.js";
import type { Actor } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import { invalidField } from "../core/fault.js";
import { Secret } from "../core/secret.js";
import { authorize } from "../keys/policy.js";
import type { RootKeyKind } from "../vault/root-key/provider.js";
import { int64, timeOf } from "./messages/values.js";
import { wakeOn } from "./wake.js";

/** Messages of a rotation come at most this often. */
const TELL_EVERY_MS = 250;
/** While nothing moves, the last message is told again this often. */
const SILENCE_MS = 1_000;

/** How far a rotation is. */
export interface RotationProgress {
  readonly state: "RUNNING" | "DONE" | "FAILED";
  /** The version that secrets are sealed with from now on. */
  readonly toVersion: number;
  /** Records done, and how many there are; `total` is 0 until they are counted. */
  readonly done: number;
  readonly total: number;
  /** Records that did not open and stay as they are. */
  readonly skipped: number;
  readonly startedAtMs: number;
  readonly elapsedMs: number;
  /** A sentence for people; may be empty. */
  readonly message: string;
}

/** What a new root key is made from. */
export interface NewRootKeyRequest {
  /** Undefined means where the present one comes from. */
  readonly kind: RootKeyKind | undefined;
  readonly currentPassphrase: Secret | undefined;
  readonly newPassphrase: Secret | undefined;
}

/** The rotations of the running server; both are audited by what is passed in. */
export interface Rotations {
  /** Starts one or joins the one that runs. Throws Fault `vault_locked`. */
  readonly beginVaultKey: (actor: Actor) => Promise<void>;
  readonly vaultKey: () => RotationProgress | undefined;
  readonly subscribe: (listener: () => void) => () => void;
  /** Done when it resolves, which takes about a second for a passphrase. Throws what the root key's source throws. */
  readonly rootKey: (actor: Actor, request: NewRootKeyRequest) => Promise<RotationProgress>;
}

export interface RotationDeps {
  readonly rotations: Rotations;
  readonly clock: Clock;
}

type Message = { readonly progress: MessageInitShape<typeof RotationProgressSchema> };

const STATES: Record<RotationProgress["state"], RotationProgress_State> = {
  RUNNING: RotationProgress_State.RUNNING,
  DONE: RotationProgress_State.DONE,
  FAILED: RotationProgress_State.FAILED,
};

/** Starts or joins a rotation of the vault key and tells how far it is until its end; leaving does not stop it. */
export async function* rotateVaultKeyStream(
  { rotations, clock }: RotationDeps,
  actor: Actor,
  signal: AbortSignal,
): AsyncGenerator<Message, void, undefined> {
  authorize(actor, "system.rotate_vault_key");
  const wake = wakeOn({ subscribe: rotations.subscribe, signal, clock, silenceMs: SILENCE_MS });
  try {
    await rotations.beginVaultKey(actor);
    for (;;) {
      const progress = rotations.vaultKey();
      if (progress === undefined) return;
      yield { progress: rotationMessage(progress) };
      if (progress.state !== "RUNNING") return;
      await pause(clock, TELL_EVERY_MS);
      if ((await wake.next()) === "LEFT") return;
    }
  } finally {
    wake.stop();
  }
}

/** Replaces the root key and tells when that is done. */
export async function* rotateRootKeyStream(
  { rotations, clock }: RotationDeps,
  actor: Actor,
  request: RotateRootKeyRequest,
): AsyncGenerator<Message, void, undefined> {
  authorize(actor, "system.rotate_root_key");
  const startTime = timeOf(clock.now());
  yield { progress: { state: RotationProgress_State.RUNNING, startTime } };
  const progress = await rotations.rootKey(actor, {
    kind: rootKeyKindOf(request.source),
    currentPassphrase: secretOf(request.currentPassphrase),
    newPassphrase: secretOf(request.newPassphrase),
  });
  yield { progress: rotationMessage(progress) };
}

export function rotationMessage(
  progress: RotationProgress,
): MessageInitShape<typeof RotationProgressSchema> {
  return {
    state: STATES[progress.state],
    toVersion: progress.toVersion,
    done: int64(progress.done),
    total: int64(progress.total),
    skipped: int64(progress.skipped),
    startTime: timeOf(progress.startedAtMs),
    elapsedMs: int64(progress.elapsedMs),
    message: progress.message,
  };
}

function rootKeyKindOf(source: RootKeySource): RootKeyKind | undefined {
  switch (source) {
    case RootKeySource.UNSPECIFIED:
      return undefined;
    case RootKeySource.FILE:
      return "FILE";
    case RootKeySource.PASSPHRASE:
      return "PASSPHRASE";
    case RootKeySource.SYSTEMD_CREDENTIAL:
      return "SYSTEMD_CREDENTIAL";
    case RootKeySource.ENVIRONMENT:
      return "ENVIRONMENT";
    case RootKeySource.KMS:
      return "TRANSIT";
    default:
      throw invalidField("source", "this server does not know that source.");
  }
}

function secretOf(text: string): Secret | undefined {
  return text === "" ? undefined : new Secret(text);
}

function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(resolve, ms);
  });
}
