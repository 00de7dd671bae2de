#!/usr/bin/env node
// `npm run check`: format, lint, types, proto lint and drift of generated code. Runs all, then fails if one failed.
import { spawnSync } from "node:child_process";
import { root, setUp } from "./lib/setup.mjs";

setUp({ quiet: true });
const checks = [
  ["format", "npx", ["--no-install", "prettier", "--check", "--log-level", "warn", "."]],
  ["types", "npx", ["--no-install", "tsc", "-p", ".", "--noEmit"]],
  ["lint", "npx", ["--no-install", "oxlint", "--type-aware", "--quiet"]],
  ["proto", process.execPath, ["scripts/generate.mjs", "--check"]],
];
const failed = [];
for (const [name, command, args] of checks) {
  const result = spawnSync(command, args, { cwd: root, encoding: "utf8" });
  const ok = result.status === 0;
  process.stdout.write(`${ok ? "ok  " : "FAIL"} ${name}\n`);
  if (ok) continue;
  failed.push(name);
  process.stdout.write(`${result.stdout ?? ""}${result.stderr ?? ""}\n`);
}
process.exit(failed.length === 0 ? 0 : 1);
