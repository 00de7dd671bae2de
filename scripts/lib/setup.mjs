// What every command does first: check Node, install what is missing, build what is stale.
// Plain JavaScript without dependencies, because it runs before anything is installed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const NODE_MIN = [20, 18, 1];
const INSTALL_STAMP = path.join(root, "node_modules", ".latchkey-installed");
const BUILD_STAMP = "latchkey-build.stamp";
/** Holds the id of the process that installs or builds. */
const LOCK = path.join(root, ".latchkey-setup.lock");
const LOCK_POLL_MS = 500;
const SOURCES = ["proto/gen", "server", "tui", "test", "scripts"];

/** Brings the checkout to a state in which `dist/` can run; exits with one sentence when that is impossible. */
export function setUp({ quiet = false } = {}) {
  checkNode();
  const say = quiet ? () => {} : (text) => process.stderr.write(`${text}\n`);
  if (isInstalled() && isBuilt()) return;
  takeTurn(say);
  try {
    install(say);
    build(say);
  } finally {
    rmSync(LOCK, { force: true });
  }
}

/** Of two commands in a new checkout the second waits, or each would install over the other. */
function takeTurn(say) {
  let waits = false;
  while (!takesLock()) {
    if (!waits) say("Another command is setting this checkout up; waiting for it …");
    waits = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_POLL_MS);
  }
}

function takesLock() {
  try {
    writeFileSync(LOCK, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") fail(`the checkout ${root} cannot be written: ${error.message}.`);
    if (isOver(LOCK)) rmSync(LOCK, { force: true });
    return false;
  }
}

/** The process that a lock names has ended without taking it away. */
function isOver(lock) {
  try {
    process.kill(Number(readFileSync(lock, "utf8")), 0);
    return false;
  } catch (error) {
    return error.code === "ESRCH";
  }
}

/** Ends the process with one sentence that names the cause and the remedy. */
export function fail(sentence) {
  process.stderr.write(`latchkey: ${sentence}\n`);
  process.exit(1);
}

function checkNode() {
  const have = process.versions.node.split(".").map(Number);
  for (const [i, min] of NODE_MIN.entries()) {
    if (have[i] > min) return;
    if (have[i] < min) {
      fail(
        `Node ${process.versions.node} is too old; install Node ${NODE_MIN.join(".")} or newer.`,
      );
    }
  }
}

function isInstalled() {
  return says(INSTALL_STAMP, installFingerprint()) && nativeModuleLoads();
}

function isBuilt() {
  return says(path.join(root, "dist", BUILD_STAMP), sourceFingerprint());
}

function says(stamp, wanted) {
  return existsSync(stamp) && readFileSync(stamp, "utf8") === wanted;
}

function installFingerprint() {
  return fingerprint(["package.json", "package-lock.json"]) + process.versions.modules;
}

function install(say) {
  if (isInstalled()) return;
  say("Installing dependencies (once; about a minute) …");
  run(
    "npm",
    ["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
    "npm could not install the dependencies; check the network and the npm registry setting",
  );
  if (!nativeModuleLoads()) {
    say("Building the SQLite driver …");
    buildNativeModule();
  }
  writeFileSync(INSTALL_STAMP, installFingerprint());
}

function nativeModuleLoads() {
  const probe = spawnSync(process.execPath, ["-e", "require('sqlite3')"], {
    cwd: root,
    stdio: "ignore",
  });
  return probe.status === 0;
}

/** Only sqlite3 has an install script that is run; it fetches a ready build or compiles one. */
function buildNativeModule() {
  const nodedir = headersOfNode();
  const result = spawnSync("npm", ["rebuild", "sqlite3"], {
    cwd: root,
    encoding: "utf8",
    env: nodedir === undefined ? process.env : { npm_config_nodedir: nodedir, ...process.env },
    shell: process.platform === "win32",
  });
  if (result.status === 0 && nativeModuleLoads()) return;
  const missing = ["make", "g++", "python3"].filter(
    (tool) => spawnSync(tool, ["--version"], { stdio: "ignore" }).error,
  );
  if (missing.length > 0) {
    fail(
      `the SQLite driver must be compiled and ${missing.join(", ")} ${missing.length > 1 ? "are" : "is"} missing; install a C++ toolchain (Debian: apt-get install g++ make python3) and run this again.`,
    );
  }
  if (/\s/.test(root)) {
    fail(
      `the SQLite driver cannot be compiled in a folder whose path has a blank, which make does not understand: move this checkout out of ${root} and run this again.`,
    );
  }
  const log = path.join(root, "node_modules", "sqlite3-build.log");
  writeFileSync(log, `${result.stdout ?? ""}\n${result.stderr ?? ""}`);
  fail(`the SQLite driver could not be compiled; the compiler's output is in ${log}.`);
}

/** Where this Node's own C++ headers lie, if it came with them: otherwise the compiler has to fetch them. */
function headersOfNode() {
  const prefix = path.dirname(path.dirname(process.execPath));
  const file = path.join(prefix, "include", "node", "node_version.h");
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, "utf8");
  const version = ["MAJOR", "MINOR", "PATCH"].map(
    (part) => new RegExp(`NODE_${part}_VERSION (\\d+)`).exec(text)?.[1],
  );
  return version.join(".") === process.versions.node ? prefix : undefined;
}

function build(say) {
  const dist = path.join(root, "dist");
  if (isBuilt()) return;
  const wanted = sourceFingerprint();
  say("Building …");
  // Built beside and swapped in, so that a server running from dist/ never sees half a build.
  const fresh = path.join(root, `dist.${process.pid}`);
  rmSync(fresh, { recursive: true, force: true });
  const tsc = createRequire(path.join(root, "package.json")).resolve("typescript/package.json");
  const result = spawnSync(
    process.execPath,
    [path.join(path.dirname(tsc), "bin/tsc"), "-p", ".", "--outDir", fresh],
    { cwd: root, encoding: "utf8" },
  );
  if (result.status !== 0) {
    process.stderr.write(`${result.stdout}${result.stderr}`);
    rmSync(fresh, { recursive: true, force: true });
    fail("the build failed; the compiler's messages are above.");
  }
  writeFileSync(path.join(fresh, BUILD_STAMP), wanted);
  const old = path.join(root, `dist.${process.pid}.old`);
  if (existsSync(dist)) renameSync(dist, old);
  renameSync(fresh, dist);
  rmSync(old, { recursive: true, force: true });
}

function sourceFingerprint() {
  const files = ["tsconfig.json", "package-lock.json"];
  for (const folder of SOURCES) files.push(...walk(folder));
  return fingerprint(files.filter((file) => existsSync(path.join(root, file))));
}

function fingerprint(files) {
  const hash = createHash("sha256");
  for (const file of files) {
    hash
      .update(file)
      .update("\0")
      .update(readFileSync(path.join(root, file)))
      .update("\0");
  }
  return hash.digest("hex");
}

function walk(folder) {
  const found = [];
  if (!existsSync(path.join(root, folder))) return found;
  for (const name of readdirSync(path.join(root, folder)).toSorted()) {
    const relative = path.join(folder, name);
    if (statSync(path.join(root, relative)).isDirectory()) found.push(...walk(relative));
    else if (name.endsWith(".ts")) found.push(relative);
  }
  return found;
}

function run(command, args, sentence) {
  const result = spawnSync(command, args, {
    cwd: root,
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  if (result.status === 0) return;
  const log = path.join(root, "latchkey-setup.log");
  mkdirSync(path.dirname(log), { recursive: true });
  writeFileSync(log, `${result.error ?? ""}\n${result.stdout ?? ""}\n${result.stderr ?? ""}`);
  fail(`${sentence}. Its output is in ${log}.`);
}
