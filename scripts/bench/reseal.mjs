#!/usr/bin/env node
// `npm run bench -- reseal`: rotates the vault key over many secrets while calls go on.
//   node scripts/bench/reseal.mjs [--secrets 10000] [--rps 200] [--json FILE]
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { startScript, startWatchedServer } from "./children.mjs";
import { numberOption, textOption } from "./options.mjs";
import { cpuMicros } from "./process-figures.mjs";

const { Dialect } = await import("../../dist/proto/gen/latchkey/v1/common_pb.js");
const { ImportProviderKeysRequest_Format: Format } =
  await import("../../dist/proto/gen/latchkey/v1/provider_keys_pb.js");

const IMPORTED_AT_ONCE = 250;
/** One in so many secrets is that of a recoverable client key. */
const CLIENT_KEYS_SHARE = 20;
const QUIET_MS = 3_000;
const options = {
  secrets: numberOption("secrets", 10_000),
  rps: numberOption("rps", 200),
  json: textOption("json", undefined),
};

const folder = mkdtempSync(path.join(os.tmpdir(), "latchkey-reseal-"));
const stops = [];
try {
  const upstream = await startScript("upstream.mjs", ["0"], stops);
  const server = await startWatchedServer({ folder, stops });
  const secret = await fill(server.api, `http://127.0.0.1:${upstream.port}`);
  report(await measure(server, secret));
} finally {
  for (const stop of stops.toReversed()) await stop();
  rmSync(folder, { recursive: true, force: true });
}

async function measure(server, secret) {
  const calls = startCalls(server.proxyUrl, secret);
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  await server.delays();
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  const quiet = { ...(await server.delays()), ...calls.take() };
  const before = cpuMicros(server.process.pid);
  const began = performance.now();
  let last;
  for await (const { progress } of server.api.system.rotateVaultKey({})) last = progress;
  const seconds = (performance.now() - began) / 1000;
  const cpuSeconds = (cpuMicros(server.process.pid) - before) / 1e6;
  const busy = { ...(await server.delays()), ...calls.take() };
  await calls.stop();
  if (last?.done !== BigInt(options.secrets + 1) && last?.done !== options.secrets + 1) {
    throw new Error(`the rotation ended with ${last?.done} secrets: ${last?.message}`);
  }
  return { secrets: options.secrets, seconds, cpuSeconds, quiet, busy };
}

/** A provider with many secrets and a client key for the calls; answers that client key. */
async function fill(api, origin) {
  const { provider } = await api.providers.createProvider({
    slug: "bench",
    displayName: "Bench",
    baseUrl: `${origin}/v1`,
    dialect: Dialect.OPENAI,
  });
  const clientKeys = Math.floor(options.secrets / CLIENT_KEYS_SHARE);
  const providerKeys = options.secrets - clientKeys;
  for (let from = 0; from < providerKeys; from += IMPORTED_AT_ONCE) {
    const lines = Array.from(
      { length: Math.min(IMPORTED_AT_ONCE, providerKeys - from) },
      (_, i) => `sk-bench-upstream-with-the-usual-length-${from + i}`,
    );
    const { created } = await api.providerKeys.importProviderKeys({
      format: Format.LINES,
      content: Buffer.from(lines.join("\n")),
      providerId: provider.id,
      namePrefix: `bench ${from}`,
    });
    process.stderr.write(`stored ${from + created} provider keys          \r`);
  }
  for (let i = 0; i < clientKeys; i++) {
    await api.clientKeys.createClientKey({ name: `bench ${i}`, recoverable: true });
  }
  const { secret } = await api.clientKeys.createClientKey({ name: "calls", recoverable: true });
  process.stderr.write("\n");
  return secret;
}

/** Calls at an even rate, however long each takes. */
function startCalls(proxyUrl, secret) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
  const body = JSON.stringify({
    model: "gpt-4o-mini",
    messages: [{ role: "user", content: "Say something." }],
  });
  let latencies = [];
  let failed = 0;
  const running = new Set();
  const call = async () => {
    const began = performance.now();
    const status = await new Promise((resolve) => {
      const request = http.request(
        `${proxyUrl}/v1/chat/completions`,
        {
          method: "POST",
          agent,
          headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
        },
        (response) => response.resume().on("end", () => resolve(response.statusCode)),
      );
      request.on("error", () => resolve(0));
      request.end(body);
    });
    if (status !== 200) failed++;
    latencies.push(performance.now() - began);
  };
  const start = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const due = ((performance.now() - start) / 1000) * options.rps;
    for (; sent < due; sent++) {
      const done = call().finally(() => running.delete(done));
      running.add(done);
    }
  }, 2);
  const take = () => {
    const sorted = latencies.toSorted((one, other) => one - other);
    const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
    const figures = { calls: sorted.length, failed, latencyP50: at(0.5), latencyP99: at(0.99) };
    latencies = [];
    failed = 0;
    return figures;
  };
  const stop = async () => {
    clearInterval(timer);
    await Promise.all(running);
    agent.destroy();
  };
  return { take, stop };
}

function report(figures) {
  const { secrets, seconds, cpuSeconds, quiet, busy } = figures;
  console.log(
    `${secrets} secrets in ${seconds.toFixed(1)} s (${cpuSeconds.toFixed(1)} s of CPU), ${options.rps} calls a second meanwhile`,
  );
  const row = (name, each) =>
    console.log(
      `${name.padEnd(12)} loop delay p50 ${each.p50.toFixed(1)} p99 ${each.p99.toFixed(1)} max ${each.max.toFixed(1)} ms, ` +
        `call p50 ${each.latencyP50.toFixed(1)} p99 ${each.latencyP99.toFixed(1)} ms, ${each.calls} calls, ${each.failed} failed, RSS ${each.rssMiB.toFixed(0)} MiB`,
    );
  row("before", quiet);
  row("re-sealing", busy);
  if (options.json !== undefined) writeFileSync(options.json, JSON.stringify(figures, null, 2));
}
