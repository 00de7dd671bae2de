import { plainIp } from "../core/ip.js";
import { AuditLog } from "../keys/audit-log.js";
import { ByorKeys } from "../keys/byor-keys.js";
import { seedCatalog } from "../keys/catalog-seed.js";
import { ClientKeyDirectory } from "../keys/client-key-directory.js";
import { ClientKeyImport } from "../keys/client-key-import.js";
import { ClientKeyMint } from "../keys/client-key-mint.js";
import { ClientKeyUses } from "../keys/client-key-uses.js";
import { ClientKeys } from "../keys/client-keys.js";
import { Identities } from "../keys/identities.js";
import { Models } from "../keys/models.js";
import { Operations } from "../keys/operations.js";
import { PasswordGate } from "../keys/password-gate.js";
import type { BaseUrlPolicy, ConfirmCaller } from "../keys/ports.js";
import { ExpiryWatch } from "../keys/expiry-watch.js";
import { ProviderKeyImport } from "../keys/provider-key-import.js";
import { ProviderKeys } from "../keys/provider-keys.js";
import { Providers } from "../keys/providers.js";
import { Sessions } from "../keys/sessions.js";
import { Settings } from "../keys/settings.js";
import { Users } from "../keys/users.js";
import { PasswordHasher } from "../vault/password.js";
import { TrustedProxies } from "../gateway/request/caller-address.js";
import type { Foundation } from "./foundation.js";
import { isLoopback } from "./loopback.js";
import { clientKeyForms, sessionTokens } from "./keys-vault.js";
import { Names } from "./names.js";

/** Username of the account that the first start makes for the local socket; it has no password. */
const FIRST_ADMIN = "admin";

/** Everything that the control port can be asked to do with people and keys. */
export interface UseCases {
  readonly operations: Operations;
  readonly auditLog: AuditLog;
  readonly settings: Settings;
  readonly users: Users;
  readonly sessions: Sessions;
  readonly identities: Identities;
  readonly providers: Providers;
  readonly models: Models;
  readonly providerKeys: ProviderKeys;
  readonly providerKeyImport: ProviderKeyImport;
  readonly clientKeys: ClientKeys;
  readonly clientKeyImport: ClientKeyImport;
  readonly byorKeys: ByorKeys;
  readonly directory: ClientKeyDirectory;
  readonly names: Names;
}

/** Builds the use cases, writes what a first start needs and loads what is kept in memory. */
export async function startUseCases(
  foundation: Foundation,
  baseUrls: BaseUrlPolicy,
): Promise<UseCases> {
  const { storage, vault, clock, ids, feed, logger: log, random, lifecycle } = foundation;
  const store = storage.keys;
  const reader = store.read;
  const forms = clientKeyForms(random);
  const tokens = sessionTokens(random);
  const passwords = new PasswordHasher({ random });
  const operations = new Operations({ store, clock, log });
  const settings = new Settings({ operations, reader, feed, log });
  const proxies = new TrustedProxies(foundation.config.trustedProxies);
  const bringsOthers = (ip: string): boolean => isLoopback(plainIp(ip)) || proxies.trusts(ip);
  const gate = new PasswordGate({ operations, passwords, settings, clock, bringsOthers });
  const sessions = new Sessions({ operations, gate, passwords, tokens, settings, ids, clock });
  const mint = new ClientKeyMint({ vault, forms });
  const uses = new ClientKeyUses({ store, clock, log });
  const directory = new ClientKeyDirectory({ reader, feed, vault, forms, uses, clock, log });
  const users = new Users({ operations, passwords, settings, ids });
  const names = new Names();

  await settings.start();
  lifecycle.started("settings", () => settings.stop());
  const admin = await users.createFirstAdmin({ username: FIRST_ADMIN });
  if (admin !== undefined) log.info({ username: admin.username }, "first administrator made");
  await seedCatalog({ store, clock, log });
  await directory.start();
  lifecycle.started("client key directory", () => directory.stop());
  const identities = new Identities({ reader, feed, clientKeys: directory, tokens, clock });
  await identities.start();
  lifecycle.started("identities", () => identities.stop());

  const expiry = new ExpiryWatch({ store, clientKeys: directory, clock, log });
  expiry.start();
  lifecycle.started("expiry watch", () => expiry.stop());
  const confirm: ConfirmCaller = (actor, password) => sessions.confirm(actor, password);
  const providerKeys = new ProviderKeys({ operations, vault, ids, clock, confirm });

  return {
    operations,
    auditLog: new AuditLog({ operations }),
    settings,
    users,
    sessions,
    identities,
    providers: new Providers({ operations, vault, baseUrls, ids }),
    models: new Models({ operations, ids }),
    providerKeys,
    providerKeyImport: new ProviderKeyImport({ operations, store, providerKeys, clock }),
    clientKeys: new ClientKeys({ operations, mint, ids, settings, clock, confirm }),
    clientKeyImport: new ClientKeyImport({ operations, store, vault, forms, ids, settings, clock }),
    byorKeys: new ByorKeys({ operations, mint, ids, settings, clock }),
    directory,
    names,
  };
}
