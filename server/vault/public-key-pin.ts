import { createHash } from "node:crypto";
import { open, readFile, rename } from "node:fs/promises";
import { Fault } from "../core/fault.js";
import { canonical } from "./bytes.js";
import type { PublicKeyPin } from "./ports.js";

/** What a pin says of a public key; not secret. */
export function pinOf(version: number, publicKey: Uint8Array): string {
  const named = canonical("latchkey/public-key-pin/v1", [version, publicKey]);
  return `v${version} ${createHash("sha256").update(named).digest("hex")}`;
}

/** Keeps the pin in a small file in the data folder, replaced as a whole. */
export function createFilePin(options: { readonly path: string }): PublicKeyPin {
  const { path } = options;
  return {
    async read() {
      try {
        return (await readFile(path, "utf8")).trim();
      } catch (thrown) {
        if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw unusable(path, thrown);
      }
    },
    async write(pin) {
      try {
        const handle = await open(`${path}.next`, "w", 0o600);
        try {
          await handle.writeFile(`${pin}\n`);
          await handle.sync();
        } finally {
          await handle.close();
        }
        await rename(`${path}.next`, path);
      } catch (thrown) {
        throw unusable(path, thrown);
      }
    },
  };
}

function unusable(path: string, cause: unknown): Fault {
  return new Fault(
    "data_folder_unusable",
    `The file ${path} cannot be read or written; check that the data folder belongs to the server's user and has space.`,
    { cause },
  );
}
