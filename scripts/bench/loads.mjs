// Runs the load on one of the gateways, in a process of its own.
import { spawnSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";

const script = path.join(path.dirname(fileURLToPath(import.meta.url)), "load.mjs");

/** Calls a target for so many seconds, for whole replies or streams. Throws when one of the calls fails. */
export function load(target, kind, { connections, seconds }) {
  const job = {
    port: target.port,
    path: target.path ?? "/v1/chat/completions",
    headers: { authorization: "Bearer bench", ...target.headers },
    body: JSON.stringify({
      model: "gpt-4o-mini",
      ...(kind === "stream" ? { stream: true, stream_options: { include_usage: true } } : {}),
      messages: [{ role: "user", content: "Say something that is about as long as a sentence." }],
    }),
    connections,
    seconds,
  };
  const run = spawnSync(process.execPath, [script, JSON.stringify(job)], { encoding: "utf8" });
  if (run.status !== 0) throw new Error(`the load on ${target.name} failed: ${run.stderr}`);
  const { done, failed, seconds: took, p50, p99 } = JSON.parse(run.stdout);
  if (failed > 0) throw new Error(`${failed} of ${done} calls through ${target.name} failed`);
  return { done, took, p50, p99 };
}
