import { monitorEventLoopDelay } from "node:perf_hooks";
import type { HttpEndpoints } from "../control/http-endpoints.js";
import type { Readiness } from "../control/health.js";
import type { ProcessFacts } from "../control/system.js";
import type { Foundation } from "./foundation.js";
import type { Serving } from "./serving.js";

/** What is told about the running process: probes, metrics and figures. */
export interface Observation {
  readonly readiness: () => Readiness;
  readonly onReadinessChange: (listener: () => void) => () => void;
  readonly metrics: HttpEndpoints["metrics"];
  readonly processFacts: () => NonNullable<ProcessFacts["process"]>;
  markStarted(): void;
  markStopping(): void;
  stop(): void;
}

const NANOSECONDS_PER_MS = 1e6;
const DELAY_RESOLUTION_MS = 10;

/** Watches the process from now on. */
export function observe(foundation: Foundation, serving: Serving): Observation {
  const { vault } = foundation;
  const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  delay.enable();
  const listeners = new Set<() => void>();
  const changed = (): void => {
    for (const listener of listeners) listener();
  };
  const leaveVault = vault.onState(changed);
  let phase: "starting" | "serving" | "stopping" = "starting";
  const enter = (next: typeof phase): void => {
    phase = next;
    changed();
  };
  return {
    readiness: () => {
      const reasons = [
        phase === "serving" ? "" : `the server is ${phase}`,
        vault.state === "UNLOCKED" ? "" : "the vault is locked: latchkey vault unlock",
        serving.accounting.status.journal.failing ? "the journal cannot be written" : "",
      ].filter((reason) => reason !== "");
      return { ready: reasons.length === 0, reasons };
    },
    onReadinessChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    metrics: async () => ({ contentType: "text/plain; version=0.0.4; charset=utf-8", body: "" }),
    processFacts: () => {
      const memory = process.memoryUsage();
      return {
        pid: process.pid,
        rssBytes: BigInt(memory.rss),
        heapUsedBytes: BigInt(memory.heapUsed),
        eventLoopDelayP50Ms: delay.percentile(50) / NANOSECONDS_PER_MS,
        eventLoopDelayP99Ms: delay.percentile(99) / NANOSECONDS_PER_MS,
        inFlight: serving.gateway.running,
        nodeJsVersion: process.versions.node,
      };
    },
    markStarted: () => enter("serving"),
    markStopping: () => enter("stopping"),
    stop: () => {
      leaveVault();
      delay.disable();
    },
  };
}
