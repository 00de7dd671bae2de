#!/usr/bin/env node
// Runs the built server, without the checks of a checkout that `npm start` makes.
import { main } from "../dist/server/main.js";

await main(process.argv.slice(2));
