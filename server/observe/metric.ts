/** One value of a metric with its labels; a histogram has several names. */
export interface Sample {
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
  /** Where it differs from the metric's, e.g. with `_bucket` at the end. */
  readonly metricName?: string;
}

/** A metric whose values are read when it is scraped, so that counting costs nothing in between. */
export interface MetricFamily {
  /** With its unit at the end, e.g. `latchkey_call_duration_seconds`. */
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly read: () => readonly Sample[];
}

/** Counts by bucket, each without those before it; the last is above all bounds. */
export interface HistogramReading {
  readonly boundsSeconds: readonly number[];
  readonly counts: readonly number[];
  readonly sumSeconds: number;
}

/** A counter that only rises. */
export function counter(name: string, help: string, read: () => readonly Sample[]): MetricFamily {
  return { name, help, type: "counter", read };
}

/** A value that rises and falls. */
export function gauge(name: string, help: string, read: () => readonly Sample[]): MetricFamily {
  return { name, help, type: "gauge", read };
}

/** Durations in cumulative buckets, as Prometheus wants them. */
export function histogram(name: string, help: string, read: () => HistogramReading): MetricFamily {
  return { name, help, type: "histogram", read: () => histogramSamples(name, read()) };
}

/** A single value without labels. */
export function one(value: number): readonly Sample[] {
  return [{ value }];
}

/** One value for each entry, under a label. */
export function each(
  label: string,
  values: Iterable<readonly [string, number]>,
): readonly Sample[] {
  return [...values].map(([name, value]) => ({ value, labels: { [label]: name } }));
}

function histogramSamples(name: string, reading: HistogramReading): readonly Sample[] {
  const { boundsSeconds, counts, sumSeconds } = reading;
  const samples: Sample[] = [];
  let total = 0;
  for (const [i, bound] of boundsSeconds.entries()) {
    total += counts[i] ?? 0;
    samples.push({ metricName: `${name}_bucket`, labels: { le: String(bound) }, value: total });
  }
  total += counts.at(-1) ?? 0;
  samples.push({ metricName: `${name}_bucket`, labels: { le: "+Inf" }, value: total });
  samples.push({ metricName: `${name}_sum`, value: sumSeconds });
  samples.push({ metricName: `${name}_count`, value: total });
  return samples;
}
