import path from "node:path";
import { Fault } from "../../core/fault.js";
import { readKeyFile } from "./file.js";
import {
  asGiven,
  createLocalRootKey,
  expectRootKey,
  type LocalRootKeyTools,
} from "./local-root-key.js";
import type { RootKey, RootKeyProvider } from "./provider.js";

/** systemd guards the folder and may show an access list as group bits, so only the world's bits count. */
const WORLD = 0o007;

export interface SystemdCredentialOptions extends LocalRootKeyTools {
  /** Value of `CREDENTIALS_DIRECTORY`; undefined outside of a systemd service. */
  readonly folder: string | undefined;
  /** E.g. `latchkey-root-key`. */
  readonly name: string;
}

/** The root key as a systemd credential: `LoadCredentialEncrypted=latchkey-root-key:/etc/…`. */
export function createSystemdCredentialProvider(
  options: SystemdCredentialOptions,
): RootKeyProvider {
  const source = `systemd credential ${options.name}`;
  return {
    kind: "SYSTEMD_CREDENTIAL",
    needsPassphrase: false,
    describe: () => source,
    open: async (expected) => expectRootKey(await read(options), expected, `the ${source}`),
    create: async () => asGiven(await read(options)),
  };
}

async function read(options: SystemdCredentialOptions): Promise<RootKey> {
  const { folder, name } = options;
  if (!/^[\w.-]+$/.test(name) || name.startsWith(".")) {
    throw new Fault("config_invalid", `${name} is no name of a systemd credential.`);
  }
  const bytes =
    folder === undefined ? undefined : await readKeyFile(path.join(folder, name), WORLD);
  if (bytes === undefined) {
    throw new Fault(
      "config_invalid",
      `There is no systemd credential ${name}; add \`LoadCredential=${name}:<file>\` to the service unit.`,
    );
  }
  return createLocalRootKey(options, bytes);
}
