#!/usr/bin/env node
// `npm run tui`: sets up what is missing and opens the dashboard, or runs a subcommand.
import { setUp } from "./lib/setup.mjs";

setUp();
const { main } = await import("../dist/tui/main.js");
await main(process.argv.slice(2));
