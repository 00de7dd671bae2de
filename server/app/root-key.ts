import path from "node:path";
import type { Config } from "../config.js";
import { Fault } from "../core/fault.js";
import type { Logger } from "../core/logger.js";
import type { Random } from "../core/random.js";
import { Secret } from "../core/secret.js";
import { rootKeyOf } from "../vault/keyring.js";
import type { WrappedKey } from "../vault/ports.js";
import { createEnvironmentRootKeyProvider } from "../vault/root-key/environment.js";
import { createFileRootKeyProvider } from "../vault/root-key/file.js";
import { createKmsRootKeyProvider, isKeptByService } from "../vault/root-key/kms.js";
import type { LocalRootKeyTools } from "../vault/root-key/local-root-key.js";
import { createPassphraseProvider, isUnderPassphrase } from "../vault/root-key/passphrase.js";
import type { RootKeyProvider } from "../vault/root-key/provider.js";
import { createSystemdCredentialProvider } from "../vault/root-key/systemd.js";
import { createTransitService, type HttpPost } from "../vault/root-key/transit.js";
import { loadSodium } from "../vault/sodium.js";

const ENVIRONMENT_VARIABLE = "LATCHKEY_ROOT_KEY";
const TRANSIT_MOUNT_DEFAULT = "transit";
const TRANSIT_KEY_DEFAULT = "latchkey";

/** What root key providers are made from. */
export interface RootKeyParts {
  readonly config: Config;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly random: Random;
  readonly logger: Logger;
  readonly httpPost: HttpPost;
}

/**
 * Makes the provider that the setting `rootKey` names; where `nextRootKey` names one too, it is tried when
 * the first has another key, so that a rotation to it survives a restart. Throws Fault `config_invalid`.
 */
export async function rootKeyProvider(options: RootKeyParts): Promise<RootKeyProvider> {
  const { rootKey, nextRootKey } = options.config;
  const provider = await rootKeyProviderOf(options, rootKey);
  if (nextRootKey === "") return provider;
  return withSuccessor(provider, await rootKeyProviderOf(options, nextRootKey), options.logger);
}

/** Makes the provider that a source such as `file:/etc/latchkey.key` names. Throws Fault `config_invalid`. */
export async function rootKeyProviderOf(
  options: RootKeyParts,
  source: string,
): Promise<RootKeyProvider> {
  const { config, env, random, logger } = options;
  const tools: LocalRootKeyTools = { sodium: await loadSodium(), random };
  const [kind, argument] = splitSource(source);
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
      const variable = argument ?? ENVIRONMENT_VARIABLE;
      const value = env[variable];
      return createEnvironmentRootKeyProvider({
        ...tools,
        variable,
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
      throw new Fault("config_invalid", `--root-key names no known source: ${source}.`);
  }
}

/**
 * A vault whose root key was moved to a passphrase or a transit engine would otherwise only complain of a wrong
 * key. Throws Fault `config_invalid`.
 */
export function checkRootKeySource(
  { rootKey, nextRootKey }: Pick<Config, "rootKey" | "nextRootKey">,
  stored: readonly WrappedKey[],
): void {
  if (stored.length === 0) return;
  const { header } = rootKeyOf(stored);
  if (isUnderPassphrase(header) && rootKey !== "passphrase") {
    throw new Fault(
      "config_invalid",
      "This vault's root key comes from a passphrase; start the server with --root-key passphrase.",
    );
  }
  const isTransit = (source: string): boolean => splitSource(source)[0] === "transit";
  if (isKeptByService(header) && !isTransit(rootKey) && !isTransit(nextRootKey)) {
    throw new Fault(
      "config_invalid",
      "This vault's root key is wrapped by a transit engine; start the server with --root-key transit:<url>.",
    );
  }
}

/** Opens with the second provider what the first has no key for. */
function withSuccessor(
  provider: RootKeyProvider,
  successor: RootKeyProvider,
  logger: Logger,
): RootKeyProvider {
  return {
    ...provider,
    async open(expected, passphrase) {
      try {
        return await provider.open(expected, passphrase);
      } catch (error) {
        if (!(error instanceof Fault) || error.code !== "root_key_wrong") throw error;
        const key = await successor.open(expected, passphrase);
        logger.warn(
          { source: successor.describe() },
          "the root key was rotated: give its source as --root-key from the next start on",
        );
        return key;
      }
    },
  };
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
