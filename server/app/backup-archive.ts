import { createHash } from "node:crypto";
import { open, stat, type FileHandle } from "node:fs/promises";
import path from "node:path";
import { Fault } from "../core/fault.js";

/**
 * A backup is one uncompressed tar file, so that any system can look into it. Only what a backup needs of
 * the format is here: plain files with short names.
 */
const BLOCK_BYTES = 512;
const COPY_BYTES = 256 * 1024;
/** Beyond this a size does not fit into the header's eleven octal digits and is written in binary. */
const OCTAL_SIZE_MAX = 8 ** 11 - 1;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,98}$/;

/** Where the fields of a header are. */
const FIELD = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  magic: [257, 8],
} as const;

/**
 * Writes the named files of a folder, in this order, as one new archive for its owner alone, synced to the
 * disk. Answers its size in bytes and its SHA-256 in hex.
 */
export async function writeArchive(options: {
  readonly folder: string;
  readonly names: readonly string[];
  readonly target: string;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  readonly onBytes: (written: number) => void;
}): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const { folder, names, target, nowMs, onBytes } = options;
  const out = await open(target, "wx", 0o600);
  const hash = createHash("sha256");
  let bytes = 0;
  const write = async (part: Uint8Array): Promise<void> => {
    hash.update(part);
    await out.writeFile(part);
    bytes += part.length;
    onBytes(bytes);
  };
  try {
    for (const name of names) {
      const file = path.join(folder, name);
      const { size } = await stat(file);
      await write(header(name, size, nowMs));
      await eachPart(file, write);
      await write(new Uint8Array(padding(size)));
    }
    await write(new Uint8Array(2 * BLOCK_BYTES));
    await out.sync();
  } finally {
    await out.close();
  }
  return { bytes, sha256: hash.digest("hex") };
}

/** Unpacks an archive into an empty folder. Throws Fault `database_corrupt` for a file that is no whole backup. */
export async function readArchive(file: string, folder: string): Promise<readonly string[]> {
  const archive = await open(file, "r");
  try {
    const names: string[] = [];
    let at = 0;
    for (;;) {
      const block = await readExactly(archive, at, BLOCK_BYTES, file);
      if (block.every((byte) => byte === 0)) return names;
      const { name, size } = parseHeader(block, file);
      await extract(archive, { at: at + BLOCK_BYTES, size }, path.join(folder, name), file);
      names.push(name);
      at += BLOCK_BYTES + size + padding(size);
    }
  } finally {
    await archive.close();
  }
}

/** The parts of a file, one after the other. */
async function eachPart(file: string, take: (part: Uint8Array) => Promise<void>): Promise<void> {
  const handle = await open(file, "r");
  try {
    for (;;) {
      const part = new Uint8Array(COPY_BYTES);
      const { bytesRead } = await handle.read(part, 0, COPY_BYTES);
      if (bytesRead === 0) return;
      await take(part.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}

async function extract(
  archive: FileHandle,
  { at, size }: { readonly at: number; readonly size: number },
  target: string,
  file: string,
): Promise<void> {
  const out = await open(target, "wx", 0o600);
  try {
    for (let done = 0; done < size;) {
      const want = Math.min(COPY_BYTES, size - done);
      await out.writeFile(await readExactly(archive, at + done, want, file));
      done += want;
    }
    await out.sync();
  } finally {
    await out.close();
  }
}

function header(name: string, size: number, nowMs: number): Uint8Array {
  const block = Buffer.alloc(BLOCK_BYTES);
  const put = (field: keyof typeof FIELD, text: string): void => {
    const [start, length] = FIELD[field];
    block.write(text, start, length, "latin1");
  };
  const octal = (field: keyof typeof FIELD, value: number): void =>
    put(field, `${value.toString(8).padStart(FIELD[field][1] - 1, "0")}\0`);
  put("name", name);
  octal("mode", 0o600);
  octal("uid", 0);
  octal("gid", 0);
  if (size <= OCTAL_SIZE_MAX) octal("size", size);
  else {
    block[FIELD.size[0]] = 0x80;
    block.writeBigUInt64BE(BigInt(size), FIELD.size[0] + 4);
  }
  octal("mtime", Math.floor(nowMs / 1000));
  put("type", "0");
  put("magic", "ustar\x0000");
  put("checksum", `${checksum(block).toString(8).padStart(6, "0")}\0 `);
  return block;
}

function parseHeader(
  block: Buffer,
  file: string,
): { readonly name: string; readonly size: number } {
  const text = (field: keyof typeof FIELD): string => {
    const [start, length] = FIELD[field];
    const raw = block.toString("latin1", start, start + length);
    return raw.split("\0", 1)[0] ?? "";
  };
  const name = text("name");
  const isBinary = ((block[FIELD.size[0]] ?? 0) & 0x80) !== 0;
  const size = isBinary
    ? Number(block.readBigUInt64BE(FIELD.size[0] + 4))
    : Number.parseInt(text("size"), 8);
  const type = text("type");
  const isWhole = Number.parseInt(text("checksum"), 8) === checksum(block);
  if (!isWhole || !NAME.test(name) || !Number.isSafeInteger(size) || size < 0) throw damaged(file);
  if (type !== "0" && type !== "") throw damaged(file);
  return { name, size };
}

/** The sum of all bytes, the checksum itself taken for blanks. */
function checksum(block: Uint8Array): number {
  const [start, length] = FIELD.checksum;
  return block.reduce(
    (sum, byte, at) => sum + (at >= start && at < start + length ? 0x20 : byte),
    0,
  );
}

function padding(size: number): number {
  return (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES;
}

async function readExactly(
  archive: FileHandle,
  at: number,
  length: number,
  file: string,
): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await archive.read(bytes, done, length - done, at + done);
    if (bytesRead === 0) throw damaged(file);
    done += bytesRead;
  }
  return bytes;
}

function damaged(file: string): Fault {
  return new Fault(
    "database_corrupt",
    `The file ${file} is no backup of Latchkey, or a part of it is missing. Use another backup.`,
  );
}
