import path from "node:path";
import type { Config } from "../config.js";
import type { HttpGet } from "../control/jwt.js";
import type { ConfigLine } from "../control/system.js";
import type { Clock } from "../core/clock.js";
import { IdSource } from "../core/ids.js";
import type { Logger } from "../core/logger.js";
import type { Random } from "../core/random.js";
import { ChangeFeed } from "../keys/change-feed.js";
import type { Lifecycle } from "../lifecycle.js";
import type { LogRing } from "../observe/log-ring.js";
import { othersAccess } from "../storage/data-folder.js";
import { openStorage, type Storage } from "../storage/open.js";
import { createFilePin } from "../vault/public-key-pin.js";
import type { HttpPost } from "../vault/root-key/transit.js";
import { createVault, type Vault } from "../vault/vault.js";
import { AuditNews } from "./audit-news.js";
import { checkRootKeySource, rootKeyProvider } from "./root-key.js";

/** What the world outside gives to a server. */
export interface World {
  readonly config: Config;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly lifecycle: Lifecycle;
  readonly httpPost: HttpPost;
  readonly httpGet: HttpGet;
  /** Calls `reload` whenever the operator asks for files to be read anew (SIGHUP). */
  readonly onReload: (reload: () => void) => void;
  /** The newest lines of the log. */
  readonly logRing: LogRing;
  /** The options in force and where they are from, for the settings page. */
  readonly configLines: readonly ConfigLine[];
  /** Called at the first connection to the proxy port. */
  readonly onFirstCaller: () => void;
}

/** What all other parts are built on. */
export interface Foundation extends World {
  readonly ids: IdSource;
  readonly feed: ChangeFeed;
  readonly auditNews: AuditNews;
  readonly storage: Storage;
  readonly vault: Vault;
}

/**
 * Opens the database and the vault. They need each other: the audit chain is signed with the vault's key,
 * and the vault's wrapped keys are in the database. So the chain asks for its signature when it is needed.
 */
export async function openFoundation(world: World): Promise<Foundation> {
  const { config, clock, random, logger, lifecycle } = world;
  const feed = new ChangeFeed({ log: logger });
  const auditNews = new AuditNews();
  let vault: Vault | undefined;
  const storage = await openStorage({
    dataFolder: config.data,
    clock,
    logger,
    onCommit: (changes, auditEvents) => {
      feed.publish(changes);
      auditNews.committed(auditEvents);
    },
    auditMac: (hash) => (vault?.state === "UNLOCKED" ? vault.auditMac(hash) : null),
    checkAuditMac: (hash, mac) => vault?.auditMacFits(hash, mac) === true,
  });
  lifecycle.started("storage", () => storage.close());
  const folder = config.data;
  const others = othersAccess(folder);
  if (others !== undefined) logger.warn({ folder, ...others }, "the data folder is open to others");
  checkRootKeySource(config, await storage.keyring.loadKeyring());
  vault = await createVault({
    store: storage.keyring,
    rootKey: await rootKeyProvider(world),
    pin: createFilePin({ path: path.join(config.data, "vault.pin") }),
    random,
    clock,
    logger,
  });
  const opened = vault;
  lifecycle.started("vault", () => opened.close());
  await opened.start();
  return {
    ...world,
    ids: new IdSource({ clock, random }),
    feed,
    auditNews,
    storage,
    vault: opened,
  };
}
