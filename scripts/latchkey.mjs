#!/usr/bin/env node
// The `latchkey` command of an installed or built checkout. It sets nothing up: a script that calls it wants speed.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const entry = fileURLToPath(new URL("../dist/tui/main.js", import.meta.url));
if (!existsSync(entry)) {
  process.stderr.write(
    "latchkey: not built yet; run `npm start` or `npm run build` in the checkout first.\n",
  );
  process.exit(1);
}
const { main } = await import(entry);
await main(process.argv.slice(2));
