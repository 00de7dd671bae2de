#!/usr/bin/env node
// `node scripts/docs.mjs`: writes what in docs/ comes from the code (options, limits, metrics, RPCs, …) anew.
import { spawnSync } from "node:child_process";
import { root, setUp } from "./lib/setup.mjs";

setUp({ quiet: true });
const { main } = await import("../dist/scripts/docs/main.js");
main(root);
const result = spawnSync(
  "npx",
  ["--no-install", "prettier", "--write", "--log-level", "warn", "docs"],
  {
    cwd: root,
    stdio: "inherit",
  },
);
process.exit(result.status ?? 1);
