#!/usr/bin/env node
// `npm start`: sets up what is missing and runs the server in this process.
import { setUp } from "./lib/setup.mjs";

setUp();
const { main } = await import("../dist/server/main.js");
await main(process.argv.slice(2), "npm run tui");
