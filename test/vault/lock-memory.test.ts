import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { scryptSync } from "node:crypto";
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { systemRandom } from "../../server/core/random.js";
import { Secret } from "../../server/core/secret.js";
import { rootKeyOf, unwrapKeys } from "../../server/vault/keyring.js";
import type { WrappedKey } from "../../server/vault/ports.js";
import { createFileRootKeyProvider } from "../../server/vault/root-key/file.js";
import { createPassphraseProvider } from "../../server/vault/root-key/passphrase.js";
import { loadSodium } from "../../server/vault/sodium.js";
import { temporaryFolder } from "./fixtures.js";

const CHUNK_BYTES = 4 * 1024 * 1024;
/** Half of a key is enough to recognise it, and finds copies of which a part was overwritten. */
const NEEDLE_BYTES = 16;
const PASSPHRASE = "correct horse battery staple";
const CHILD = path.join(path.dirname(fileURLToPath(import.meta.url)), "lock-child.js");

test("a locked server has no byte of the root key or of any other key in its memory", async (t) => {
  if (process.platform !== "linux") return t.skip("reads /proc");
  const unlocked = await keysFoundIn(await temporaryFolder(t), "stay");
  if (unlocked === undefined) return t.skip("the memory of a child process is not readable here");
  // The scan can find keys: an unlocked server has them all.
  assert.ok(unlocked.found.size >= unlocked.keys);
  const locked = await keysFoundIn(await temporaryFolder(t), "lock");
  assert.deepEqual([...locked!.found], []);
  const passphrase = await keysFoundIn(await temporaryFolder(t), "lock", PASSPHRASE);
  assert.deepEqual([...passphrase!.found], []);
});

interface Found {
  readonly found: ReadonlySet<string>;
  readonly keys: number;
}

/** Undefined if this system does not let a parent read its child's memory. */
async function keysFoundIn(
  folder: string,
  mode: "lock" | "stay",
  ...passphrase: readonly string[]
): Promise<Found | undefined> {
  const child = spawn(process.execPath, [CHILD, folder, mode, ...passphrase], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  try {
    const line = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout }).once("line", resolve);
      child.once("exit", (code) => reject(new Error(`child ended with ${code}`)));
    });
    const needles = await needlesOf(folder, line, passphrase[0]);
    const found = scan(child.pid!, needles);
    return found === undefined ? undefined : { found, keys: needles.size };
  } finally {
    child.stdin.end();
  }
}

/** Every half of every key, and of the root key, under its name. */
async function needlesOf(
  folder: string,
  line: string,
  passphrase: string | undefined,
): Promise<Map<string, Buffer>> {
  const tools = { sodium: await loadSodium(), random: systemRandom };
  const file = path.join(folder, "root.key");
  const entries = JSON.parse(line) as (Omit<WrappedKey, "wrapped" | "publicKey"> & {
    wrapped: string;
    publicKey: string | null;
  })[];
  const stored = entries.map((entry) => ({
    ...entry,
    wrapped: Buffer.from(entry.wrapped, "base64"),
    publicKey: entry.publicKey === null ? null : Buffer.from(entry.publicKey, "base64"),
  }));
  const expected = rootKeyOf(stored);
  const [root, provider] =
    passphrase === undefined
      ? [fileKey(file), createFileRootKeyProvider({ ...tools, path: file })]
      : [derivedKey(passphrase, expected.header), createPassphraseProvider(tools)];
  const secret = passphrase === undefined ? undefined : new Secret(passphrase);
  const { all } = await unwrapKeys(stored, await provider.open(expected, secret), tools.sodium);
  const keys = new Map<string, Uint8Array>([["ROOT", root]]);
  for (const { purpose, version, key } of all) keys.set(`${purpose} ${version}`, key);
  const needles = new Map<string, Buffer>();
  for (const [name, key] of keys) {
    needles.set(`${name} first half`, Buffer.from(key.slice(0, NEEDLE_BYTES)));
    needles.set(`${name} second half`, Buffer.from(key.slice(NEEDLE_BYTES)));
  }
  return needles;
}

function fileKey(file: string): Buffer {
  return Buffer.from(readFileSync(file, "utf8").trim(), "hex");
}

/** The same derivation as the provider's, from its documented header: tag, ln, r, p, salt. */
function derivedKey(passphrase: string, header: Uint8Array): Buffer {
  const [, ln = 0, r = 0, p = 0] = header;
  return scryptSync(passphrase, header.subarray(4), 32, { N: 2 ** ln, r, p, maxmem: 2 ** 28 });
}

function scan(pid: number, needles: ReadonlyMap<string, Buffer>): Set<string> | undefined {
  let memory: number;
  try {
    memory = openSync(`/proc/${pid}/mem`, "r");
  } catch {
    return undefined;
  }
  const found = new Set<string>();
  const buffer = Buffer.alloc(CHUNK_BYTES + NEEDLE_BYTES);
  for (const [start, end] of writableRegions(pid)) {
    for (let at = start; at < end; at += CHUNK_BYTES) {
      const wanted = Math.min(CHUNK_BYTES + NEEDLE_BYTES, end - at);
      const bytes = readAt(memory, buffer, { at, wanted });
      for (const [name, needle] of needles) {
        if (buffer.subarray(0, bytes).includes(needle)) found.add(name);
      }
    }
  }
  closeSync(memory);
  return found;
}

/** Pages that were never touched cannot be read; they hold nothing. */
function readAt(memory: number, buffer: Buffer, part: { at: number; wanted: number }): number {
  try {
    return readSync(memory, buffer, 0, part.wanted, part.at);
  } catch {
    return 0;
  }
}

function writableRegions(pid: number): (readonly [number, number])[] {
  const regions: (readonly [number, number])[] = [];
  for (const line of readFileSync(`/proc/${pid}/maps`, "utf8").split("\n")) {
    const match = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line);
    if (match === null) continue;
    regions.push([Number.parseInt(match[1]!, 16), Number.parseInt(match[2]!, 16)]);
  }
  return regions;
}
