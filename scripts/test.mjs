#!/usr/bin/env node
// `npm test`: sets up what is missing and runs every test of the build; arguments select files by a part of their path.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import path from "node:path";
import { fail, root, setUp } from "./lib/setup.mjs";

/** Two processors have work for three: a file waits a quarter of its time, for disks and for processes of its own. */
const FILES_AT_A_TIME = 3;
/** Only so that a file that hangs fails, by name, instead of holding up the run: several times what the longest takes. */
const FILE_MS_MAX = 15 * 60_000;

setUp();
const dist = path.join(root, "dist");
const wanted = process.argv.slice(2);
const files = readdirSync(dist, { recursive: true })
  .filter((file) => file.endsWith(".test.js"))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .toSorted()
  .map((file) => path.join(dist, file));
if (files.length === 0) fail(`no test file matches ${wanted.join(" ")}.`);

const result = spawnSync(
  process.execPath,
  [
    "--test",
    `--test-concurrency=${FILES_AT_A_TIME}`,
    `--test-timeout=${FILE_MS_MAX}`,
    "--test-reporter=spec",
    ...files,
  ],
  { cwd: root, stdio: "inherit" },
);
process.exit(result.status ?? 1);
