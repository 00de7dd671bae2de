import { Fault } from "../../core/fault.js";
import type { Logger } from "../../core/logger.js";
import type { Secret } from "../../core/secret.js";
import { wipe } from "../bytes.js";
import { parseRootKey } from "./key-text.js";
import {
  asGiven,
  createLocalRootKey,
  expectRootKey,
  type LocalRootKeyTools,
} from "./local-root-key.js";
import type { RootKey, RootKeyProvider } from "./provider.js";

export interface EnvironmentRootKeyOptions extends LocalRootKeyTools {
  /** E.g. `LATCHKEY_ROOT_KEY`. */
  readonly variable: string;
  /** Its value; undefined if it is not set. */
  readonly value: Secret | undefined;
  readonly logger: Logger;
}

/**
 * The root key in an environment variable, for development: other processes of the same user can read it,
 * and it cannot be wiped.
 */
export function createEnvironmentRootKeyProvider(
  options: EnvironmentRootKeyOptions,
): RootKeyProvider {
  const source = `environment variable ${options.variable}`;
  return {
    kind: "ENVIRONMENT",
    needsPassphrase: false,
    describe: () => source,
    open: async (expected) => expectRootKey(read(options), expected, `the ${source}`),
    create: async () => asGiven(read(options)),
  };
}

function read(options: EnvironmentRootKeyOptions): RootKey {
  const { variable, value, logger } = options;
  if (value === undefined || value.length === 0) {
    throw new Fault(
      "config_invalid",
      `${variable} is not set; set it to the output of \`openssl rand -hex 32\` or use the root key file.`,
    );
  }
  const text = Buffer.from(value.reveal(), "utf8");
  try {
    const key = createLocalRootKey(options, parseRootKey(text, variable));
    logger.warn(
      { variable },
      "the root key comes from the environment, which other processes can read: for development only",
    );
    return key;
  } finally {
    wipe(text);
  }
}
