import type { HttpEndpoints } from "../control/http-endpoints.js";
import type { ProcessFacts } from "../control/system.js";
import { callMetrics } from "../observe/call-metrics.js";
import { Readiness } from "../observe/health.js";
import { Metrics } from "../observe/metrics.js";
import { ProcessWatch } from "../observe/process-watch.js";
import {
  accountingMetrics,
  keyMetrics,
  poolMetrics,
  processMetrics,
  proxyPortMetrics,
  traceMetrics,
} from "../observe/server-metrics.js";
import { NO_EXPORTS } from "../observe/traces/trace-exporter.js";
import type { Foundation } from "./foundation.js";
import { poolSummaryOf } from "./pool-summary.js";
import type { Serving } from "./serving.js";
import type { UseCases } from "./use-cases.js";

/** What is told about the running process: probes, metrics and figures. */
export interface Observation {
  readonly readiness: Readiness;
  readonly metrics: HttpEndpoints["metrics"];
  readonly processFacts: () => NonNullable<ProcessFacts["process"]>;
}

/** Watches the process from now on. */
export function observe(
  { vault, clock, logger, lifecycle, auditNews }: Foundation,
  useCases: UseCases,
  serving: Serving,
): Observation {
  const { accounting, admission, gateway, pool, traces, healthChanges } = serving;
  const watch = new ProcessWatch({ clock, logger });
  watch.start();
  const readiness = new Readiness();
  readiness.add("vault", () =>
    vault.state === "UNLOCKED" ? "" : "the vault is locked: unlock it with `latchkey vault unlock`",
  );
  readiness.add("journal", () =>
    accounting.status.journal.failing ? "the journal cannot be written: is the disk full?" : "",
  );
  const leave = vault.onState(() => readiness.changed());
  lifecycle.started("observation", () => {
    leave();
    watch.stop();
  });
  const metrics = new Metrics([
    ...callMetrics({
      totals: () => accounting.meter.totals(),
      inflight: () => gateway.running,
      providerName: (id) => useCases.names.providerSlugOf(id),
    }),
    ...accountingMetrics(() => accounting.status),
    ...proxyPortMetrics(() => ({
      connections: gateway.connections,
      held: gateway.held,
      admission,
    })),
    ...poolMetrics(() => poolSummaryOf(pool)),
    ...keyMetrics(() => ({
      actions: auditNews.actions,
      healthChanges,
      clientKeys: useCases.directory.size,
    })),
    ...traceMetrics(() => traces?.counts ?? NO_EXPORTS),
    ...processMetrics(() => watch.read()),
  ]);
  return {
    readiness,
    metrics: () => metrics.text(),
    processFacts: () => {
      const reading = watch.read();
      return {
        pid: process.pid,
        rssBytes: BigInt(reading.rssBytes),
        heapUsedBytes: BigInt(reading.heapUsedBytes),
        cpuCores: reading.cpuCores,
        eventLoopDelayP50Ms: reading.loopDelayP50Ms,
        eventLoopDelayP99Ms: reading.loopDelayP99Ms,
        openFiles: reading.openFiles,
        inFlight: gateway.running,
        nodeJsVersion: process.versions.node,
      };
    },
  };
}
