import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { Fault } from "../core/fault.js";
import type { Vault } from "./vault.js";

export const MANIFEST_NAME = "manifest.json";

const FORMAT = 1;
const MANIFEST_BYTES_MAX = 1024 * 1024;
/** Backups are flat folders; anything else in a name could lead out of them. */
const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export interface ManifestFile {
  readonly name: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

/** What a backup holds; the MAC covers all of it. */
export interface Manifest {
  readonly format: number;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** The vault that can verify and open the backup. */
  readonly rootKeyId: string;
  readonly files: readonly ManifestFile[];
  readonly mac: string;
}

/**
 * Describes the named files of a folder as the text of its manifest. Throws Fault `vault_locked`, and
 * `invalid_argument` for a name that is no plain file name.
 */
export async function createManifest(
  vault: Vault,
  backup: { readonly folder: string; readonly names: readonly string[]; readonly nowMs: number },
): Promise<string> {
  const files: ManifestFile[] = [];
  for (const name of backup.names.toSorted()) {
    if (!FILE_NAME.test(name) || name === MANIFEST_NAME) {
      throw new Fault("invalid_argument", `${name} cannot be the name of a file in a backup.`);
    }
    files.push(await describeFile(backup.folder, name));
  }
  const rootKeyId = vault.status().rootKeyId ?? "";
  const body = { format: FORMAT, createdAt: backup.nowMs, rootKeyId, files };
  const manifest: Manifest = { ...body, mac: vault.documentMac(canonicalText(body)) };
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}

/**
 * Verifies a backup folder against its manifest: the MAC first, then every file. The vault must be unlocked
 * over the keyring of the backup. Throws Fault `database_corrupt` naming everything that is wrong.
 */
export async function verifyBackup(vault: Vault, folder: string): Promise<Manifest> {
  const manifest = await readManifest(folder);
  const { mac, ...body } = manifest;
  if (!vault.documentMacFits(canonicalText(body), mac)) {
    throw damaged(["its manifest was not made by this vault, or was changed"]);
  }
  const wrong: string[] = [];
  for (const file of manifest.files) {
    const found = await describeFile(folder, file.name).catch(() => undefined);
    if (found === undefined) wrong.push(`${file.name} is missing`);
    else if (found.bytes !== file.bytes) {
      wrong.push(`${file.name} has ${found.bytes} bytes instead of ${file.bytes}`);
    } else if (found.sha256 !== file.sha256) wrong.push(`${file.name} was changed`);
  }
  const known = new Set([MANIFEST_NAME, ...manifest.files.map((file) => file.name)]);
  for (const name of await readdir(folder)) {
    if (!known.has(name)) wrong.push(`${name} does not belong to it`);
  }
  if (wrong.length > 0) throw damaged(wrong);
  return manifest;
}

/** Reads a manifest without trusting it: enough to find the root key for a restore. */
export async function readManifest(folder: string): Promise<Manifest> {
  const file = path.join(folder, MANIFEST_NAME);
  const text = await readFile(file, "utf8").catch((thrown: unknown) => {
    throw new Fault("not_found", `There is no backup in ${folder}: ${MANIFEST_NAME} is missing.`, {
      cause: thrown,
    });
  });
  const manifest = text.length <= MANIFEST_BYTES_MAX ? parseManifest(text) : undefined;
  if (manifest === undefined) throw damaged(["its manifest is not readable"]);
  return manifest;
}

function parseManifest(text: string): Manifest | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { format, createdAt, rootKeyId, files, mac } = value as Record<string, unknown>;
  if (format !== FORMAT || typeof createdAt !== "number") return undefined;
  if (typeof rootKeyId !== "string" || typeof mac !== "string") return undefined;
  if (!Array.isArray(files) || !files.every(isManifestFile)) return undefined;
  return { format, createdAt, rootKeyId, files: files.map(plainFile), mac };
}

function isManifestFile(value: unknown): value is ManifestFile {
  if (typeof value !== "object" || value === null) return false;
  const { name, bytes, sha256 } = value as Record<string, unknown>;
  if (typeof name !== "string" || !FILE_NAME.test(name)) return false;
  return typeof bytes === "number" && typeof sha256 === "string";
}

function plainFile({ name, bytes, sha256 }: ManifestFile): ManifestFile {
  return { name, bytes, sha256 };
}

/** One text for one content, whatever the order or the spacing in the file. */
function canonicalText(body: Omit<Manifest, "mac">): string {
  const files = body.files.map(({ name, bytes, sha256 }) => [name, bytes, sha256]);
  return JSON.stringify([body.format, body.createdAt, body.rootKeyId, files]);
}

async function describeFile(folder: string, name: string): Promise<ManifestFile> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of createReadStream(path.join(folder, name))) {
    const part = chunk as Uint8Array;
    hash.update(part);
    bytes += part.length;
  }
  return { name, bytes, sha256: hash.digest("hex") };
}

function damaged(problems: readonly string[]): Fault {
  return new Fault(
    "database_corrupt",
    `The backup is damaged: ${problems.join("; ")}. Use another backup.`,
  );
}
