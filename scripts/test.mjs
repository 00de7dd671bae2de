#!/usr/bin/env node
// `npm test`: sets up what is missing and runs every test of the build; arguments select files by a part of their path.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import path from "node:path";
import { fail, root, setUp } from "./lib/setup.mjs";

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
  ["--test", "--test-concurrency=2", "--test-reporter=spec", ...files],
  { cwd: root, stdio: "inherit" },
);
process.exit(result.status ?? 1);
