#!/usr/bin/env node
// `npm run bench`: the benchmarks, each on loopback with servers of its own, ending by themselves.
import { setUp } from "../lib/setup.mjs";

const USAGE = `npm run bench [-- --seconds 2 --rounds 3 --connections 32 --json FILE]
    Requests a second, CPU per request and latency of whole and streamed replies, beside a bare Node proxy, and nginx
    and Portkey where they are installed: each in turn, several rounds, medians and their ratios

npm run bench -- reseal [--secrets 10000 --rps 200]   rotation of the vault key while calls go on
npm run bench -- client-keys [--keys 10,10000,1000000]   start and authentication by the number of client keys
npm run bench -- lease [--keys 10000]                 what is decided for a call, with few and with many provider keys
npm run bench -- garbage [--seconds 4]                what a call takes of the space for new objects
npm run bench -- chaos [--calls 10000 --cuts 1000]    a provider that limits, fails and cuts
npm run bench -- accounting [--calls 200000]          what a call costs in the accounting, and how fast a journal drains
npm run bench -- ledger [--rows 1000000]              every question to a database of many calls, and how it forgets
npm run bench -- traffic [--calls 100000 --soak]      mixed calls, whose ledger must equal the provider's count
`;

/** These run when they are imported. */
const SCRIPTS = new Set(["reseal", "client-keys", "chaos", "garbage"]);
/** These have a `main`, which has a --help of its own. */
const PROGRAMS = new Set(["accounting", "ledger", "lease", "traffic"]);

const [chosen = "--", ...rest] = process.argv.slice(2);
if (PROGRAMS.has(chosen)) {
  setUp({ quiet: true });
  const { main } = await import(`../../dist/scripts/bench/${chosen}.js`);
  await main(rest);
  process.exit();
}
if (!SCRIPTS.has(chosen) && !chosen.startsWith("--")) {
  process.stderr.write(`There is no benchmark "${chosen}".\n\n${USAGE}`);
  process.exit(2);
}
if (process.argv.includes("--help")) {
  process.stdout.write(USAGE);
} else {
  setUp({ quiet: true });
  await import(SCRIPTS.has(chosen) ? `./${chosen}.mjs` : "./peers.mjs");
}
