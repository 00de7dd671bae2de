import type { Actor } from "../core/audit.js";
import { Fault } from "../core/fault.js";
import type { User } from "../core/user.js";
import type { KeysTx } from "./ports.js";

/** Client keys that go with a user in one transaction; more have to be deleted before. */
const CLIENT_KEYS_AT_ONCE_MAX = 1_000;

/** What went with a user. */
export interface RemovedUser {
  readonly user: User;
  readonly providerKeys: number;
  readonly clientKeys: number;
  readonly providers: number;
}

/**
 * Removes a user and all that is theirs: sessions, client keys with their calls, provider keys, and custom
 * providers that nobody else can use. Each key is audited and announced on its own.
 */
export async function removeUser(tx: KeysTx, actor: Actor, user: User): Promise<RemovedUser> {
  const clientKeys = await tx.clientKeys.ofOwner(user.id);
  if (clientKeys.length > CLIENT_KEYS_AT_ONCE_MAX) {
    throw new Fault(
      "failed_precondition",
      `${user.username} has ${String(clientKeys.length)} client keys: delete all but ${String(CLIENT_KEYS_AT_ONCE_MAX)} first, or disable the account instead.`,
    );
  }
  await tx.sessions.deleteOfUser(user.id);
  for (const key of clientKeys) {
    await tx.clientKeys.delete(key.id);
    await auditRemoval(tx, actor, "client_key.delete", key);
  }
  const providerKeys = await tx.providerKeys.ofOwner(user.id);
  for (const key of providerKeys) {
    await tx.providerKeys.delete(key.id);
    await auditRemoval(tx, actor, "provider_key.delete", key);
  }
  const providers = await removeProviders(tx, actor, user.id);
  await tx.users.delete(user.id);
  return {
    user,
    clientKeys: clientKeys.length,
    providerKeys: providerKeys.length,
    providers,
  };
}

async function removeProviders(tx: KeysTx, actor: Actor, userId: string): Promise<number> {
  const own = (await tx.providers.all()).filter((provider) => provider.createdBy === userId);
  if (own.length === 0) return 0;
  for (const provider of own) {
    await tx.providers.delete(provider.id);
    await auditRemoval(tx, actor, "provider.delete", {
      id: provider.id,
      name: provider.displayName,
    });
  }
  return own.length;
}

async function auditRemoval(
  tx: KeysTx,
  actor: Actor,
  action: string,
  target: { readonly id: string; readonly name: string },
): Promise<void> {
  await tx.audit.append({
    actor,
    action,
    targetId: target.id,
    targetName: target.name,
    changedFields: [],
    outcome: "OK",
    note: "with its owner",
  });
}
