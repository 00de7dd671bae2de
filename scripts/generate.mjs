#!/usr/bin/env node
// `npm run generate`: lints proto/ and writes proto/gen anew. With --check it writes nothing and fails if proto/gen
// differs from what would be written.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const generated = path.join("proto", "gen");
/** Bytes that buf may print; the image of the whole API is about 200 kB. */
const outputBytesMax = 64 * 1024 * 1024;

/** Runs buf on the checkout. Throws with all it printed when it fails. */
function buf(args) {
  // The wrapper beside package.json finds the binary for this platform; npx would look on the network for it.
  const wrapper = createRequire(import.meta.url).resolve("@bufbuild/buf/bin/buf");
  const result = spawnSync(process.execPath, [wrapper, ...args], {
    cwd: root,
    maxBuffer: outputBytesMax,
  });
  if (result.error !== undefined) throw result.error;
  if (result.status !== 0) {
    throw new Error(`buf ${args[0]} failed:\n${result.stdout}${result.stderr}`.trimEnd());
  }
  return result.stdout;
}

/** Writes generated code and the API's digest below `base`, which has the layout of the checkout. */
function generateInto(base) {
  buf(["generate", "--output", base]);
  const image = buf([
    "build",
    "proto",
    // Only this API: what else is served beside it has its own versions.
    "--path",
    "proto/latchkey",
    "--as-file-descriptor-set",
    "--exclude-source-info",
    "-o",
    "-",
  ]);
  const digest = createHash("sha256").update(image).digest("hex").slice(0, 12);
  writeFileSync(
    path.join(base, generated, "revision.ts"),
    `// Written by scripts/generate.mjs. DO NOT EDIT.

/** Digest of the API's definition without comments: equal on two sides that speak the same API. */
export const PROTO_REVISION = "${digest}";
`,
  );
}

/** Text of each generated file by its path below proto/gen; nothing where the folder is missing. */
function filesBelow(base) {
  const files = new Map();
  let entries;
  try {
    entries = readdirSync(path.join(base, generated), { recursive: true, withFileTypes: true });
  } catch (cause) {
    if (cause.code === "ENOENT") return files;
    throw cause;
  }
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath ?? entry.path, entry.name);
    files.set(path.relative(path.join(base, generated), file), readFileSync(file, "utf8"));
  }
  return files;
}

/** Names of files that are missing, superfluous or different, sorted. */
function differences(wanted, present) {
  const names = new Set([...wanted.keys(), ...present.keys()]);
  return [...names].filter((name) => wanted.get(name) !== present.get(name)).toSorted();
}

function check() {
  const base = mkdtempSync(path.join(tmpdir(), "latchkey-generate-"));
  try {
    generateInto(base);
    const stale = differences(filesBelow(base), filesBelow(root));
    if (stale.length === 0) return;
    throw new Error(
      `proto/gen does not match proto/ (${stale.join(", ")}): run \`npm run generate\` and commit what it writes.`,
    );
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

try {
  buf(["lint"]);
  buf(["format", "--diff", "--exit-code"]);
  if (process.argv.includes("--check")) check();
  else generateInto(root);
} catch (cause) {
  process.stderr.write(`${cause.message}\n`);
  process.exit(1);
}
