// `npm run bench -- chaos [--calls 10000 --cuts 1000 --connections 32 --latency 20 --seed 7]`: calls through a server of its own process while its provider limits, fails and cuts.
// Ends with 1 when fewer than 99.99 % succeed, a call takes more attempts than allowed, or a cut is not told as one. Progress goes to stderr.
import http from "node:http";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { numberOption } from "./options.mjs";

const KEYS = 10;
const DEAD = 3;
const CUT_PART = 0.3;
/** So many more streams than are cut on average, that as many are cut as were asked for. */
const CUT_MARGIN = 1.15;
const LOG_DEADLINE_MS = 10_000;
const PROGRESS_MS = 5_000;
const secretOf = (at) => `sk-chaos-${String(at).padStart(24, "0")}`;

const options = {
  calls: numberOption("calls", 10_000),
  cuts: numberOption("cuts", 1_000),
  callers: numberOption("connections", 32),
  /** Milliseconds until the provider answers; real ones are hardly quicker. */
  latencyMs: numberOption("latency", 20),
  seed: numberOption("seed", 7),
};
process.exitCode = (await runChaos(options)) ? 0 : 1;

async function runChaos({ calls, cuts, callers, latencyMs, seed }) {
  const load = (file) => import(`../../dist/${file}`);
  const { startServerProcess } = await load("scripts/lib/server-process.js");
  const { startUpstreamStub } = await load("test/support/upstream-stub.js");
  const { ChaosProvider } = await load("test/support/chaos-provider.js");
  const { GATEWAY_LIMITS } = await load("server/gateway/limits.js");
  const { Dialect } = await load("proto/gen/latchkey/v1/common_pb.js");
  const folder = mkdtempSync(path.join(os.tmpdir(), "latchkey-chaos-"));
  const stub = await startUpstreamStub();
  let server;
  const play = (plan) => {
    const provider = new ChaosProvider({ seed, deadSecret: secretOf(DEAD), ...plan });
    stub.script = (received, res) => {
      stub.received.length = 0;
      setTimeout(() => provider.script(received, res), latencyMs);
    };
    return provider.counts;
  };
  try {
    server = await startServerProcess({ dataFolder: folder, args: ["--log-level", "error"] });
    const secret = await prepare(server.api, stub.origin, Dialect.OPENAI);
    const target = { url: `${server.proxyUrl}/v1/chat/completions`, secret };
    const first = play({ limited: 0.3, failing: 0.1, cutting: 0 });
    const served = await callAll({
      ...target,
      name: "served",
      calls,
      callers,
      streams: (call) => call % 2 === 0,
    });
    const problems = await judgeServed(server.api, served, first, GATEWAY_LIMITS.attemptsMax);
    const cutBefore = await recordedCuts(server.api, served.filter(isToldCut).length);
    // Were all of them cut, every key would rest before long.
    const second = play({ limited: 0, failing: 0, cutting: CUT_PART });
    const streams = Math.ceil((cuts / CUT_PART) * CUT_MARGIN);
    const cut = await callAll({
      ...target,
      name: "cut",
      calls: streams,
      callers,
      streams: () => true,
    });
    problems.push(...(await judgeCuts(server.api, cut, { cuts: second.cut, cutBefore })));
    if (second.cut < cuts) problems.push("fewer streams were cut than asked for");
    const log = server.log();
    if (log !== "") console.log(log);
    for (const problem of problems) console.log(`BROKEN: ${problem}`);
    return problems.length === 0;
  } finally {
    await server?.stop();
    await stub.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function prepare(api, origin, dialect) {
  const { provider } = await api.providers.createProvider({
    slug: "chaos",
    displayName: "Chaos",
    baseUrl: `${origin}/v1`,
    dialect,
    modelPatterns: ["*"],
  });
  for (let at = 0; at < KEYS; at++) {
    const key = { providerId: provider.id, name: `key ${at}`, secret: secretOf(at) };
    await api.providerKeys.createProviderKey(key);
  }
  const { secret } = await api.clientKeys.createClientKey({ name: "chaos" });
  return secret;
}

async function judgeServed(api, replies, counts, attemptsMax) {
  const failed = replies.filter(isFailed);
  const rate = 1 - failed.length / replies.length;
  const perCall = counts.attempts / replies.length;
  console.log(
    `${replies.length} calls, ${failed.length} failed (${(rate * 100).toFixed(3)} % succeeded); ` +
      `${perCall.toFixed(2)} attempts a call, ${counts.attemptsMost} at most; ${counts.limited} × 429, ` +
      `${counts.failed} × 5xx or cut, ${counts.dead} × 401; longest ${Math.max(...replies.map(({ ms }) => ms)).toFixed(0)} ms`,
  );
  for (const { status, id } of failed.slice(0, 20)) console.log(await storyOf(api, status, id));
  const problems = [];
  if (rate < 0.9999) problems.push("fewer than 99.99 % succeeded");
  if (counts.attemptsMost > attemptsMax) problems.push("a call took more attempts than allowed");
  return problems;
}

function isFailed({ status, complete }) {
  return status !== 200 || !complete;
}

/** A stream that had begun and whose caller was told that it broke off. */
function isToldCut({ status, text, broken }) {
  return status === 200 && (broken || text.includes('"stream_cut"'));
}

/** What the log says of a failed call. */
async function storyOf(api, status, id) {
  const { call, attempts } = await api.calls.getCall({ id });
  const tries = attempts.map(({ httpStatus, detail }) => `${httpStatus} ${detail}`);
  return `  ${status} ${call?.errorCode} after ${call?.latencyMs} ms: ${tries.join(" | ")}`;
}

async function judgeCuts(api, replies, { cuts, cutBefore }) {
  const told = replies.filter(isToldCut);
  const finished = replies.filter(({ text }) => text.includes("[DONE]"));
  const silent = finished.length - (replies.length - cuts);
  const recorded = (await recordedCuts(api, cutBefore + cuts)) - cutBefore;
  console.log(
    `${cuts} streams cut: ${told.length} told to the caller, ${silent} looked finished, ${recorded} in the log as cut`,
  );
  const whole = told.length === cuts && silent === 0 && recorded === cuts;
  return whole ? [] : ["a cut stream was not told as one"];
}

/** Records reach the log's table within seconds. */
async function recordedCuts(api, wanted) {
  const deadline = Date.now() + LOG_DEADLINE_MS;
  for (;;) {
    let recorded = 0;
    let pageToken = "";
    do {
      const page = await api.calls.listCalls({
        pageSize: 1000,
        pageToken,
        filter: "error_code=stream_cut",
      });
      recorded += page.calls.length;
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    if (recorded >= wanted || Date.now() > deadline) return recorded;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

async function callAll({ name, url, secret, calls, callers, streams }) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: callers });
  const replies = [];
  const stopTelling = tellProgress(name, replies, calls);
  let next = 0;
  const work = async () => {
    while (next < calls) {
      const call = next++;
      replies.push(await callOnce({ url, secret, agent, call, stream: streams(call) }));
    }
  };
  await Promise.all(Array.from({ length: callers }, work));
  stopTelling();
  agent.destroy();
  return replies;
}

/** One line every few seconds, on a terminal over the last one; what comes back ends it. */
function tellProgress(name, replies, calls) {
  const isTerminal = process.stderr.isTTY;
  const began = performance.now();
  const tell = (isLast) => {
    const seconds = (performance.now() - began) / 1000;
    const cut = replies.filter(isToldCut).length;
    const failed = replies.filter(isFailed).length - cut;
    const line =
      `${name}: ${replies.length}/${calls} calls, ${failed} failed, ${cut} cut, ` +
      `${(replies.length / seconds).toFixed(0)} a second, ${seconds.toFixed(0)} s`;
    process.stderr.write(isTerminal ? `\r${line}\u001b[K${isLast ? "\n" : ""}` : `${line}\n`);
  };
  const timer = setInterval(() => tell(false), PROGRESS_MS);
  return () => {
    clearInterval(timer);
    tell(true);
  };
}

function callOnce({ url, secret, agent, call, stream }) {
  const messages = [{ role: "user", content: `call ${call}` }];
  const began = performance.now();
  return new Promise((resolve) => {
    const end = (reply) => resolve({ text: "", ...reply, ms: performance.now() - began });
    const headers = { authorization: `Bearer ${secret}`, "content-type": "application/json" };
    const req = http.request(url, { method: "POST", agent, headers }, (res) => {
      let text = "";
      const id = res.headers["x-request-id"];
      const over = (broken) => {
        const complete = !broken && (!stream || text.includes("[DONE]"));
        end({ status: res.statusCode, id, text, broken, complete });
      };
      res.setEncoding("utf8");
      res.on("data", (chunk) => (text += chunk));
      res.on("end", () => over(false));
      res.on("error", () => over(true));
    });
    req.on("error", () => end({ status: 0, id: "", broken: true, complete: false }));
    req.end(JSON.stringify({ model: "chaos-model", stream, messages }));
  });
}
