import path from "node:path";
import type { NewRootKeyRequest } from "../control/system-rotation.js";
import { Fault, invalidField } from "../core/fault.js";
import type { Secret } from "../core/secret.js";
import { rootKeyOf } from "../vault/keyring.js";
import { createFileRootKeyProvider } from "../vault/root-key/file.js";
import { createPassphraseProvider } from "../vault/root-key/passphrase.js";
import type { RootKeyKind, RootKeyProvider } from "../vault/root-key/provider.js";
import { loadSodium } from "../vault/sodium.js";
import type { Foundation } from "./foundation.js";
import { rootKeyProviderOf } from "./root-key.js";

/** What was done, for the answer and the audit event. */
export interface RootKeyRotated {
  /** How many keys of the vault were wrapped under the new root key. */
  readonly wrappedKeys: number;
  /** What the operator has to do now; empty when nothing. */
  readonly todo: string;
}

/**
 * Wraps the vault's keys under a new root key, while serving. Throws Fault `vault_locked`, `root_key_wrong`
 * for a wrong present passphrase, `failed_precondition` for a source that is not set up, and the Faults of
 * the new source.
 */
export async function rotateRootKey(
  foundation: Foundation,
  request: NewRootKeyRequest,
): Promise<RootKeyRotated> {
  const { vault, storage } = foundation;
  const { rootKeyKind } = vault.status();
  if (vault.state !== "UNLOCKED") {
    throw new Fault("vault_locked", "The vault is locked; unlock it, then rotate its root key.");
  }
  if (rootKeyKind === "PASSPHRASE") await checkPassphrase(foundation, request.currentPassphrase);
  const kind = request.kind ?? rootKeyKind;
  if (kind === "PASSPHRASE" && request.newPassphrase === undefined) {
    throw invalidField("new_passphrase", "is needed for a root key that comes from a passphrase.");
  }
  const { provider, setting } = await providerFor(foundation, kind, kind === rootKeyKind);
  await vault.rotateRootKey(provider, request.newPassphrase);
  const wrappedKeys = (await storage.keyring.loadKeyring()).length;
  const isSameSetting = setting === foundation.config.rootKey;
  const todo = isSameSetting
    ? ""
    : `From now on start the server with --root-key ${setting} (LATCHKEY_ROOT_KEY_SOURCE), or it will not find this root key.`;
  return { wrappedKeys, todo };
}

/** A signed-in session alone must not be enough to lock the owner of the passphrase out. */
async function checkPassphrase(foundation: Foundation, given: Secret | undefined): Promise<void> {
  if (given === undefined) {
    throw invalidField("current_passphrase", "is needed: the present root key comes from one.");
  }
  const { storage, random } = foundation;
  const provider = createPassphraseProvider({ sodium: await loadSodium(), random });
  const key = await provider.open(rootKeyOf(await storage.keyring.loadKeyring()), given);
  key.wipe();
}

/** The source of the new root key, with the setting that names it at the next start. */
async function providerFor(
  foundation: Foundation,
  kind: RootKeyKind,
  isSameKind: boolean,
): Promise<{ readonly provider: RootKeyProvider; readonly setting: string }> {
  const { config, random } = foundation;
  const tools = { sodium: await loadSodium(), random };
  switch (kind) {
    case "PASSPHRASE":
      return { provider: createPassphraseProvider(tools), setting: "passphrase" };
    case "FILE": {
      if (isSameKind) {
        return {
          provider: await rootKeyProviderOf(foundation, config.rootKey),
          setting: config.rootKey,
        };
      }
      const file = path.join(config.data, "root.key");
      return { provider: createFileRootKeyProvider({ ...tools, path: file }), setting: "file" };
    }
    case "TRANSIT":
      // The service has versions of its own, so the same setting gives a new key.
      if (isSameKind && config.nextRootKey === "") {
        return {
          provider: await rootKeyProviderOf(foundation, config.rootKey),
          setting: config.rootKey,
        };
      }
      break;
    case "SYSTEMD_CREDENTIAL":
    case "ENVIRONMENT":
      break;
    default:
      kind satisfies never;
  }
  return preparedProvider(foundation, kind);
}

async function preparedProvider(foundation: Foundation, kind: RootKeyKind) {
  const setting = foundation.config.nextRootKey;
  const provider = setting === "" ? undefined : await rootKeyProviderOf(foundation, setting);
  if (provider?.kind === kind) return { provider, setting };
  throw new Fault(
    "failed_precondition",
    "The new root key must be set up first: start the server with --next-root-key naming where it comes from, then rotate.",
  );
}
