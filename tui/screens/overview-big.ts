import type { Overview } from "../../proto/gen/latchkey/v1/usage_pb.js";
import { count, money, percent, rate } from "../present/format.js";
import type { Painter } from "../term/painter.js";
import { splitColumns } from "../term/rect.js";
import { BigGauge, type BigGaugeData } from "../widgets/big-gauge.js";
import { paintPane } from "../widgets/pane.js";
import { successStyle } from "./overview-gauges.js";

/** Rows that the gauges want, frame included. */
export const BIG_GAUGE_ROWS = 8;

/** Where there is neither braille nor colour a gauge is one row that leaves the others blank. */
export function canPaintBigGauges(painter: Painter): boolean {
  return painter.glyphs.braille && painter.style("accent").fg !== undefined;
}

interface Dial extends BigGaugeData {
  readonly title: string;
}

/** The gauges of large screens: requests, tokens, success, and spend or calls in flight. */
export class BigGauges {
  readonly #gauges = [new BigGauge(), new BigGauge(), new BigGauge(), new BigGauge()] as const;

  paint(painter: Painter, overview: Overview): void {
    const areas = splitColumns(
      painter.area,
      this.#gauges.map(() => ({ share: 1 })),
    );
    dialsOf(overview).forEach((dial, i) => {
      const [gauge, area] = [this.#gauges[i], areas[i]];
      if (gauge === undefined || area === undefined) return;
      gauge.update(dial);
      gauge.paint(paintPane(painter.within(area), { title: dial.title }));
    });
  }
}

function dialsOf(overview: Overview): readonly Dial[] {
  return [requests(overview), tokens(overview), success(overview), fourth(overview)];
}

/** Without a limit a dial is scaled to the peak of the history. */
function requests({ gauges, limits }: Overview): Dial {
  const value = gauges?.requestsPerSecond ?? 0;
  const peak = gauges?.requestsPerSecondPeak ?? 0;
  const limit = limits?.requestsPerSecond ?? 0;
  const max = limit > 0 ? limit : Math.max(peak, value);
  const of = limit > 0 ? `of ${rate(limit)}` : `peak ${rate(peak)}`;
  return { title: "Requests", label: "req/s", value, max, text: `${rate(value)}  ${of}` };
}

function tokens({ gauges, limits, history }: Overview): Dial {
  const value = (gauges?.inputTokensPerMinute ?? 0) + (gauges?.outputTokensPerMinute ?? 0);
  const limit = limits?.tokensPerMinute ?? 0;
  const peak = Math.max(
    value,
    ...history.map((second) => Number(second.inputTokens + second.outputTokens) * 60),
  );
  const max = limit > 0 ? limit : peak;
  const of = limit > 0 ? `of ${count(limit)}` : `peak ${count(Math.round(peak))}`;
  return {
    title: "Tokens",
    label: "tok/min",
    value,
    max,
    text: `${count(Math.round(value))}  ${of}`,
  };
}

function success(overview: Overview): Dial {
  const ratio = overview.gauges?.successRatio;
  const style = successStyle(overview);
  return {
    title: "Success",
    label: "ok",
    value: ratio ?? 0,
    max: 1,
    text: `${percent(ratio)}  good from ${percent(overview.limits?.successRatioGood)}`,
    ...(style === "ok" || style === "warn" || style === "danger" ? { tone: style } : {}),
  };
}

/** Money where there is a budget for it, else how busy the server is. */
function fourth(overview: Overview): Dial {
  const budget = Number(overview.spend?.todayBudgetMicros ?? 0n);
  return budget > 0 ? spent(Number(overview.spend?.todayMicros ?? 0n), budget) : busy(overview);
}

function spent(value: number, budget: number): Dial {
  const tone = value >= budget ? "danger" : value >= budget * 0.8 ? "warn" : "ok";
  const text = `${money(value)} of ${money(budget)}`;
  return { title: "Spend today", label: "spend", value, max: budget, text, tone };
}

function busy({ gauges, limits }: Overview): Dial {
  const value = gauges?.inFlight ?? 0;
  const limit = limits?.inFlight ?? 0;
  const queued = gauges?.queued ?? 0;
  const text = `${value}${limit > 0 ? ` of ${limit}` : ""}${queued > 0 ? `, ${queued} waiting` : ""}`;
  return { title: "In flight", label: "calls", value, max: Math.max(1, limit, value), text };
}
