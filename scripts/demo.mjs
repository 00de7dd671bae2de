#!/usr/bin/env node
// `npm run demo`: a server on a throw-away folder with a sandbox provider, gentle traffic and the dashboard on it.
import { setUp } from "./lib/setup.mjs";

setUp();
const { main } = await import("../dist/scripts/demo/main.js");
await main(process.argv.slice(2));
