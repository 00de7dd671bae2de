// CPU time of authentications against the client keys of a data folder whose server is stopped.
// Usage: node --expose-gc client-key-cost.mjs <data folder> < secrets as a JSON array; prints one JSON line.
import { readFileSync } from "node:fs";

const load = (file) => import(`../../dist/server/${file}.js`);
const { openFoundation } = await load("app/foundation");
const { clientKeyForms } = await load("app/keys-vault");
const { parseCommandLine } = await load("command-line");
const { systemClock } = await load("core/clock");
const { presentedKey } = await load("core/presented-key");
const { systemRandom } = await load("core/random");
const { ClientKeyDirectory } = await load("keys/client-key-directory");
const { ClientKeyUses } = await load("keys/client-key-uses");
const { Lifecycle } = await load("lifecycle");

const ROUNDS = 200_000;
const UNKNOWN_ROUNDS = 20_000;
const IP = "127.0.0.1";
const secrets = JSON.parse(readFileSync(0, "utf8"));
const logger = { debug() {}, info() {}, warn() {}, error() {} };
const lifecycle = new Lifecycle({ logger, clock: systemClock });
const { config } = parseCommandLine(["--data", process.argv[2]], {});
const foundation = await openFoundation({
  config,
  env: {},
  clock: systemClock,
  random: systemRandom,
  logger,
  lifecycle,
});
const { storage, vault, feed } = foundation;
const forms = clientKeyForms(systemRandom);
const directory = new ClientKeyDirectory({
  reader: storage.keys.read,
  feed,
  vault,
  forms,
  uses: new ClientKeyUses({ store: storage.keys, clock: systemClock, log: logger }),
  clock: systemClock,
  log: logger,
});
globalThis.gc();
const before = memory();
await directory.start();
globalThis.gc();
const bytesPerKey = (memory() - before) / directory.size;

/** As with the first request of a connection. */
const present = (text) => directory.authenticate(presentedKey(text), IP);
const firstMicros = cost(secrets.length, (i) => present(secrets[i]));
const authenticate = (i) => present(secrets[i % secrets.length]);
cost(ROUNDS / 4, authenticate);
const cachedMicros = cost(ROUNDS, authenticate);
const unknown = Array.from({ length: 100 }, () => forms.generate("STANDARD", "SK").reveal());
const refuse = (i) => {
  try {
    present(unknown[i % unknown.length]);
  } catch (error) {
    if (error.code === "invalid_api_key") return;
    throw error;
  }
  throw new Error("an unknown key was let in");
};
cost(UNKNOWN_ROUNDS / 4, refuse);
const unknownMicros = cost(UNKNOWN_ROUNDS, refuse);
console.log(JSON.stringify({ firstMicros, cachedMicros, unknownMicros, bytesPerKey }));
await directory.stop();
await lifecycle.stop();

/** Microseconds of CPU for each call of `work`. */
function cost(rounds, work) {
  const start = process.cpuUsage();
  for (let i = 0; i < rounds; i++) work(i);
  const { user, system } = process.cpuUsage(start);
  return (user + system) / rounds;
}

/** What JavaScript holds, on and off its heap. */
function memory() {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
