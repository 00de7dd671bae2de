import { createRequire } from "node:module";
import type { Metric, Registry as PromRegistry } from "prom-client";
import type { MetricFamily } from "./metric.js";

/** By its file, for the whole of prom-client, whose metrics are not used, takes 4 MiB more; the lock file pins the version. */
const Registry = createRequire(import.meta.url)(
  "prom-client/lib/registry.js",
) as typeof PromRegistry;

/** What a scrape gets. */
export interface MetricsText {
  readonly contentType: string;
  readonly body: string;
}

/** Serves metric families as Prometheus text. Nothing is computed between scrapes. */
export class Metrics {
  readonly #registry = new Registry();

  constructor(families: readonly MetricFamily[]) {
    for (const family of families) this.add(family);
  }

  /** Throws an Error when a metric of this name is there already. */
  add(family: MetricFamily): void {
    // The registry asks a metric for no more than this, but its type wants one of its own classes, which
    // count by themselves: ours are counted elsewhere, without hashing labels for each call.
    this.#registry.registerMetric(new MirroredMetric(family) as unknown as Metric);
  }

  async text(): Promise<MetricsText> {
    return { contentType: this.#registry.contentType, body: await this.#registry.metrics() };
  }

  /** Names, kinds and meanings of all metrics, for the documentation. */
  async describe(): Promise<readonly { name: string; type: string; help: string }[]> {
    const metrics = await this.#registry.getMetricsAsJSON();
    return metrics.map(({ name, type, help }) => ({ name, type: String(type), help }));
  }
}

/** A metric as the registry knows it, whose values are read elsewhere. */
class MirroredMetric {
  readonly name: string;
  readonly #family: MetricFamily;

  constructor(family: MetricFamily) {
    this.name = family.name;
    this.#family = family;
  }

  async get(): Promise<object> {
    const { name, help, type, read } = this.#family;
    const values = read().map(({ value, labels = {}, metricName = name }) => {
      return { value, labels, metricName };
    });
    return { name, help, type, values, aggregator: "sum" };
  }
}
