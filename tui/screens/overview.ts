import type { OverviewState } from "../state/overview.js";
import { Keymap } from "../term/keymap.js";
import type { Painter } from "../term/painter.js";
import { splitColumns, splitRows } from "../term/rect.js";
import type { Overview } from "../../proto/gen/latchkey/v1/usage_pb.js";
import { LineChart } from "../widgets/line-chart.js";
import { paintPane } from "../widgets/pane.js";
import { spinner } from "../widgets/table-state.js";
import { BIG_GAUGE_ROWS, BigGauges, canPaintBigGauges } from "./overview-big.js";
import { chartOf, CHART_SOURCES, type ChartSource } from "./overview-chart.js";
import {
  paintErrors,
  paintPool,
  paintProviders,
  paintTop,
  type TopGroup,
} from "./overview-panes.js";
import { paintLatency, paintNarrowGauges, paintQuality, paintTraffic } from "./overview-gauges.js";
import type { View, ViewContext } from "./view.js";

const WIDE_COLUMNS_MIN = 100;
/** Rows of the whole view, the three rows of the frame not counted. */
const CHART_ROWS_MIN = 27;
const BIG_GAUGES_ROWS_MIN = 37;
const SHORT_GAUGE_ROWS = 4;
const WINDOWS_SECONDS = [60, 300, 900];
const TOP_GROUPS: readonly TopGroup[] = ["keys", "models", "users"];

/** Screen 1: what happens now, at one look. */
export class OverviewView implements View {
  readonly id = "overview";
  readonly title = "Overview";
  readonly short = "Over";
  readonly filter = undefined;
  readonly keymaps: readonly Keymap[];
  readonly #context: ViewContext;
  readonly #state: OverviewState;
  readonly #chart = new LineChart();
  readonly #big = new BigGauges();
  #source: ChartSource = "latency";
  #group: TopGroup = "keys";

  constructor(context: ViewContext) {
    this.#context = context;
    this.#state = context.overview;
    this.keymaps = [new Keymap([...this.#chartBindings(), ...this.#viewBindings()])];
  }

  /** The stream runs in every view: the status line needs it. */
  open(): void {}

  close(): void {}

  refresh(): void {
    this.#state.retryNow();
  }

  paint(painter: Painter): void {
    const { overview } = this.#state;
    if (overview === undefined) {
      painter.text(2, 1, `${spinner(painter)} waiting for the first figures`, "muted");
      return;
    }
    if (painter.width >= WIDE_COLUMNS_MIN) this.#paintWide(painter, overview);
    else this.#paintNarrow(painter, overview);
    if (this.#state.link.kind !== "live") painter.tint(painter.area, "stale");
  }

  #paintWide(painter: Painter, overview: Overview): void {
    const withChart = painter.height >= CHART_ROWS_MIN;
    const withBig = painter.height >= BIG_GAUGES_ROWS_MIN && canPaintBigGauges(painter);
    const [big, gauges, middle, tables, errors] = splitRows(painter.area, [
      withBig ? BIG_GAUGE_ROWS : 0,
      SHORT_GAUGE_ROWS,
      withChart ? { share: 5, min: 9 } : 8,
      { share: 4, min: 6 },
      6,
    ]);
    if (!big || !gauges || !middle || !tables || !errors) return;
    if (withBig) this.#big.paint(painter.within(big), overview);
    this.#paintGauges(painter.within(gauges), overview);
    const [chart, pool] = splitColumns(middle, [{ share: 2 }, { share: 1 }]);
    if (chart) this.#paintChart(painter.within(chart), overview);
    if (pool) paintPool(painter.within(pool), overview, this.#context.clock.now());
    const [providers, top] = splitColumns(tables, [{ share: 2 }, { share: 1 }]);
    if (providers) paintProviders(painter.within(providers), overview);
    if (top) paintTop(painter.within(top), overview, this.#group);
    paintErrors(painter.within(errors), this.#state.errors);
  }

  #paintGauges(painter: Painter, overview: Overview): void {
    const thirds = [{ share: 1 }, { share: 1 }, { share: 1 }];
    const areas = splitColumns(painter.area, thirds);
    [paintTraffic, paintQuality, paintLatency].forEach((paint, i) => {
      const area = areas[i];
      if (area !== undefined) paint(painter.within(area), overview);
    });
  }

  #paintNarrow(painter: Painter, overview: Overview): void {
    const [gauges, pool, providers, errors] = splitRows(painter.area, [
      3,
      6,
      { share: 3, min: 5 },
      { share: 2, min: 4 },
    ]);
    if (!gauges || !pool || !providers || !errors) return;
    paintNarrowGauges(painter.within(gauges), overview);
    paintPool(painter.within(pool), overview, this.#context.clock.now());
    paintProviders(painter.within(providers), overview);
    paintErrors(painter.within(errors), this.#state.errors);
  }

  #paintChart(painter: Painter, overview: Overview): void {
    const data = chartOf(overview, this.#source);
    const inner = paintPane(painter, { title: data.title, right: "last 120 s" });
    this.#chart.update(data);
    this.#chart.paint(inner);
  }

  #chartBindings() {
    return CHART_SOURCES.map(({ id, key, words }) => ({
      keys: [key],
      action: `overview.chart.${id}`,
      description: `chart ${words}`,
      group: "OVERVIEW",
      run: () => {
        this.#source = id;
      },
    }));
  }

  #viewBindings() {
    return [
      {
        keys: ["w"],
        action: "overview.window",
        description: "look back 1, 5 or 15 minutes",
        group: "OVERVIEW",
        hint: "window",
        run: () => {
          const at = WINDOWS_SECONDS.indexOf(this.#state.windowSeconds);
          this.#state.setWindow(WINDOWS_SECONDS[(at + 1) % WINDOWS_SECONDS.length] ?? 60);
        },
      },
      {
        keys: ["k"],
        action: "overview.top",
        description: "top client keys, models or users",
        group: "OVERVIEW",
        hint: "top",
        run: () => {
          const at = TOP_GROUPS.indexOf(this.#group);
          this.#group = TOP_GROUPS[(at + 1) % TOP_GROUPS.length] ?? "keys";
        },
      },
      {
        keys: ["o"],
        action: "overview.failed-calls",
        description: "show the calls that failed",
        group: "OVERVIEW",
        hint: "failed calls",
        run: () => this.#context.goTo("calls", "status=error"),
      },
    ];
  }
}
