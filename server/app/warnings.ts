import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  Warning_Severity as Severity,
  type WarningSchema,
} from "../../proto/gen/latchkey/v1/system_pb.js";
import { numberOf } from "../core/number-of.js";
import type { VaultFacts } from "../control/messages/vault.js";
import type { ControlParts } from "./control-port.js";
import { othersAccess } from "../storage/data-folder.js";
import { isLoopback } from "./loopback.js";
import { callersFor, openFilesMax } from "./open-files.js";

type Warning = MessageInitShape<typeof WarningSchema> & { readonly severity: Severity };

/** What an operator should look at, worst first. */
export function warningsOf(parts: ControlParts, vault: VaultFacts): Warning[] {
  const all = [
    ...stateWarnings(parts),
    ...secretWarnings(vault),
    ...setUpWarnings(parts),
    ...listWarnings(parts),
  ];
  return all.toSorted((one, other) => other.severity - one.severity);
}

function stateWarnings({ foundation, serving }: ControlParts): Warning[] {
  const warnings: Warning[] = [];
  const { journal, recorder } = serving.accounting.status;
  const { vault } = foundation;
  if (vault.state === "LOCKED") {
    warnings.push(
      critical("vault_locked", "Calls are refused: unlock the vault with `latchkey vault unlock`."),
    );
  }
  if (vault.state === "UNINITIALISED") {
    warnings.push(
      critical(
        "vault_uninitialised",
        "There is no root key yet: choose a passphrase with `latchkey vault unlock`.",
      ),
    );
  }
  if (journal.failing) {
    warnings.push(
      critical("journal_failing", "Calls cannot be written to the journal: is the disk full?"),
    );
  }
  if (recorder.lostCalls > 0) {
    warnings.push(
      critical("calls_lost", `${recorder.lostCalls} calls could not be recorded since the start.`),
    );
  }
  return warnings;
}

function secretWarnings({ quarantined, unreadable, rotation }: VaultFacts): Warning[] {
  const warnings: Warning[] = [];
  if (quarantined > 0) {
    warnings.push(
      critical(
        "secrets_quarantined",
        `${numberOf(quarantined, "stored secret was", "stored secrets were")} altered outside Latchkey, and what was altered is not used: find out by whom, then restore a backup or enter it again.`,
      ),
    );
  }
  if (unreadable > 0) {
    warnings.push(
      critical(
        "secrets_unreadable",
        `${numberOf(unreadable, "stored secret is", "stored secrets are")} under a key that the vault does not have: restore a backup, or enter again what it does not open.`,
      ),
    );
  }
  if (rotation?.state === "FAILED") {
    warnings.push(warning("rotation_stopped", rotation.message));
  }
  return warnings;
}

function setUpWarnings({ foundation, backup }: ControlParts): Warning[] {
  const { config, vault } = foundation;
  const warnings = [...folderWarnings(config.data), ...fileWarnings(config.callerSocketsMax)];
  if (vault.status().rootKeyKind === "ENVIRONMENT") {
    warnings.push(
      warning(
        "root_key_from_environment",
        "The root key comes from the environment, which other processes of this user can read: move it with `latchkey vault rotate-root-key --source file`.",
      ),
    );
  }
  if (!isLoopback(config.controlHost) && config.tlsCert === "") {
    warnings.push(
      warning(
        "control_without_tls",
        `The control API is open on ${config.controlHost} without TLS: give --tls-cert and --tls-key unless a proxy adds it.`,
      ),
    );
  }
  if (!isLoopback(config.proxyHost) && config.proxyTlsCert === "") {
    warnings.push(
      warning(
        "proxy_without_tls",
        `The proxy port is open on ${config.proxyHost} without TLS: client keys cross the network in clear. Give --proxy-tls-cert and --proxy-tls-key unless a proxy adds it.`,
      ),
    );
  }
  if (backup.latest === undefined) {
    warnings.push(
      info("no_backup", "No backup was made yet: make one with `latchkey vault backup`."),
    );
  }
  return warnings;
}

/** Looked at anew each time, so that it is gone when the mode has been changed. */
function folderWarnings(folder: string): Warning[] {
  const others = othersAccess(folder);
  if (others === undefined) return [];
  const level = others.writes ? critical : warning;
  const may = others.writes ? "put files of their own into" : "look into";
  return [
    level(
      "data_folder_open",
      `Other users of this host may ${may} the data folder (mode ${others.mode}): \`chmod 700 ${folder}\` as its owner.`,
    ),
  ];
}

/** The system closes a connection for which no file is left, and tells nobody. */
function fileWarnings(callerSocketsMax: number): Warning[] {
  const files = openFilesMax();
  const callers = files === undefined ? Infinity : callersFor(files);
  if (callerSocketsMax <= callers) return [];
  return [
    warning(
      "few_open_files",
      `Only ${files} files may be open, and a call takes two: beyond ${callers} callers are cut off without a word. Raise the limit (LimitNOFILE= in a unit, ulimits in compose), or set --caller-sockets-max to ${callers}.`,
    ),
  ];
}

/** Warnings of shared providers only; those of custom ones concern only their owners. */
function listWarnings({ serving: { lists, catalog } }: ControlParts): Warning[] {
  const untold = new Map<string, string>();
  for (const { provider, problem } of lists.problems) {
    if (catalog.isShared(provider)) untold.set(provider.slug, problem);
  }
  if (untold.size === 0) return [];
  const shown = [...untold].slice(0, LISTS_SHOWN_MAX).map(([slug, why]) => `${slug} (${why})`);
  const more = untold.size > shown.length ? ` and ${untold.size - shown.length} more` : "";
  return [
    info(
      "models_not_listed",
      `GET /v1/models shows no news of providers that did not tell their models: ${shown.join(", ")}${more}.`,
    ),
  ];
}

/** Named in a warning. */
const LISTS_SHOWN_MAX = 5;

const critical = (code: string, message: string): Warning => ({
  severity: Severity.CRITICAL,
  code,
  message,
});
const warning = (code: string, message: string): Warning => ({
  severity: Severity.WARNING,
  code,
  message,
});
const info = (code: string, message: string): Warning => ({
  severity: Severity.INFO,
  code,
  message,
});
