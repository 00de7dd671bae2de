import {
  BackupRequest_Target,
  RotationProgress_State,
  type BackupResponse,
  type RotationProgress,
} from "../../proto/gen/latchkey/v1/system_pb.js";
import { bytes, duration } from "../present/format.js";
import { confirm } from "../widgets/confirm.js";
import { openProgress, type Progress } from "./progress-modal.js";
import type { ViewContext } from "./view.js";

/** Asks, then seals every secret anew with a fresh vault key, while the server goes on serving. */
export function openVaultRotation(context: ViewContext, onEnd: () => void): void {
  confirm(context.modals, {
    title: "Rotate the vault key",
    text: [
      "A new vault key is made and every secret is sealed anew with it, while calls go on.",
      "It cannot be stopped once it runs; after a crash it goes on by itself.",
    ],
    action: "Rotate",
    typeName: "rotate",
    onConfirm: () =>
      openProgress(context, {
        title: "Rotating the vault key",
        permission: "system.rotate_vault_key",
        follow: (signal) => rotation(context, signal),
        note: "<esc> leaves this window; the rotation goes on",
        onEnd,
      }),
  });
}

/** Writes a backup into the server's data folder. */
export function openBackup(context: ViewContext, onEnd: () => void): void {
  openProgress(context, {
    title: "Backup into the data folder",
    permission: "system.backup",
    follow: (signal) => backup(context, signal),
    note: "<esc> cancels",
    onEnd,
  });
}

async function* rotation(context: ViewContext, signal: AbortSignal): AsyncIterable<Progress> {
  for await (const { progress } of context.api.system.rotateVaultKey({}, { signal })) {
    if (progress !== undefined) yield rotationProgress(progress);
  }
}

function rotationProgress(progress: RotationProgress): Progress {
  const { done, total, skipped, state, elapsedMs, message } = progress;
  const left = skipped > 0n ? `, ${skipped} cannot be opened and stay as they are` : "";
  const words = `${done} of ${total} secrets, ${duration(Number(elapsedMs))}${left}`;
  const end = ENDS[state];
  return {
    done: Number(done + skipped),
    total: Number(total),
    text: message === "" ? words : `${words}. ${message}`,
    ...(end === undefined ? {} : { end }),
  };
}

const ENDS: Readonly<Record<number, "done" | "failed">> = {
  [RotationProgress_State.DONE]: "done",
  [RotationProgress_State.FAILED]: "failed",
};

async function* backup(context: ViewContext, signal: AbortSignal): AsyncIterable<Progress> {
  const request = { target: BackupRequest_Target.DATA_FOLDER };
  for await (const { part } of context.api.system.backup(request, { signal })) {
    const progress = backupProgress(part);
    if (progress !== undefined) yield progress;
  }
}

function backupProgress(part: BackupResponse["part"]): Progress | undefined {
  if (part.case === "progress") {
    const { writtenBytes, totalBytes } = part.value;
    return {
      done: Number(writtenBytes),
      total: Number(totalBytes),
      text: `${bytes(writtenBytes)} of about ${bytes(totalBytes)}`,
    };
  }
  if (part.case !== "info") return undefined;
  const { name, sizeBytes, durationMs, sha256 } = part.value;
  // The size is known at the end only.
  if (sizeBytes === 0n) return { done: 0, total: 0, text: name };
  const sum = Buffer.from(sha256).toString("hex").slice(0, 16);
  const text = `${name}, ${bytes(sizeBytes)} in ${duration(Number(durationMs))}, sha256 ${sum}…`;
  return { done: 1, total: 1, text };
}
