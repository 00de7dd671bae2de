import path from "node:path";
import type { Config } from "../config.js";
import { Fault } from "../core/fault.js";
import type { Logger } from "../core/logger.js";
import type { Random } from "../core/random.js";
import { Secret } from "../core/secret.js";
import { createEnvironmentRootKeyProvider } from "../vault/root-key/environment.js";
import { createFileRootKeyProvider } from "../vault/root-key/file.js";
import { createKmsRootKeyProvider } from "../vault/root-key/kms.js";
import type { LocalRootKeyTools } from "../vault/root-key/local-root-key.js";
import { createPassphraseProvider } from "../vault/root-key/passphrase.js";
import type { RootKeyProvider } from "../vault/root-key/provider.js";
import { createSystemdCredentialProvider } from "../vault/root-key/systemd.js";
import { createTransitService, type HttpPost } from "../vault/root-key/transit.js";
import { loadSodium } from "../vault/sodium.js";

const ENVIRONMENT_VARIABLE = "LATCHKEY_ROOT_KEY";
const TRANSIT_MOUNT_DEFAULT = "transit";
const TRANSIT_KEY_DEFAULT = "latchkey";

/** Makes the provider that the setting `rootKey` names. Throws Fault `config_invalid`. */
export async function rootKeyProvider(options: {
  config: Config;
  env: Readonly<Record<string, string | undefined>>;
  random: Random;
  logger: Logger;
  httpPost: HttpPost;
}): Promise<RootKeyProvider> {
  const { config, env, random, logger } = options;
  const tools: LocalRootKeyTools = { sodium: await loadSodium(), random };
  const [kind, argument] = splitSource(config.rootKey);
  switch (kind) {
    case "file":
      return createFileRootKeyProvider({
        ...tools,
        path: argument ?? path.join(config.data, "root.key"),
      });
    case "passphrase":
      return createPassphraseProvider(tools);
    case "credential":
      return createSystemdCredentialProvider({
        ...tools,
        folder: env["CREDENTIALS_DIRECTORY"],
        name: argument ?? "latchkey-root-key",
      });
    case "env": {
      const value = env[ENVIRONMENT_VARIABLE];
      return createEnvironmentRootKeyProvider({
        ...tools,
        variable: ENVIRONMENT_VARIABLE,
        value: value === undefined ? undefined : new Secret(value),
        logger,
      });
    }
    case "transit":
      return createKmsRootKeyProvider({
        ...tools,
        service: createTransitService({
          address: argument ?? "",
          mount: env["LATCHKEY_TRANSIT_MOUNT"] ?? TRANSIT_MOUNT_DEFAULT,
          keyName: env["LATCHKEY_TRANSIT_KEY"] ?? TRANSIT_KEY_DEFAULT,
          tokenFile: requiredTokenFile(env),
          namespace: env["LATCHKEY_TRANSIT_NAMESPACE"],
          httpPost: options.httpPost,
        }),
      });
    default:
      throw new Fault("config_invalid", `--root-key names no known source: ${config.rootKey}.`);
  }
}

function splitSource(source: string): [string, string | undefined] {
  const at = source.indexOf(":");
  return at < 0 ? [source, undefined] : [source.slice(0, at), source.slice(at + 1)];
}

function requiredTokenFile(env: Readonly<Record<string, string | undefined>>): string {
  const file = env["LATCHKEY_TRANSIT_TOKEN_FILE"];
  if (file !== undefined && file !== "") return file;
  throw new Fault(
    "config_invalid",
    "--root-key transit:<url> needs LATCHKEY_TRANSIT_TOKEN_FILE, the file that holds the token for it.",
  );
}
