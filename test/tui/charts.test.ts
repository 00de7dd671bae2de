import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import * as fc from "fast-check";
import { axisDuration, money } from "../../tui/present/format.js";
import { unicodeGlyphs } from "../../tui/term/glyphs.js";
import { BigGauge } from "../../tui/widgets/big-gauge.js";
import { axisLabels, chartScale, roundUp } from "../../tui/widgets/chart-scale.js";
import { LineChart } from "../../tui/widgets/line-chart.js";
import { LogView } from "../../tui/widgets/log-view.js";
import { barSpans, paintMeter } from "../../tui/widgets/meter.js";
import { paintPane } from "../../tui/widgets/pane.js";
import { sparkline } from "../../tui/widgets/sparkline.js";
import type { Widget } from "../../tui/widgets/widget.js";
import { foreignBytes } from "./grammar.js";
import { openTui, type OpenOptions, type TestTui } from "./harness.js";

const braille = /[\u2801-\u28ff]/;

async function openWidget(widget: Widget, options: Partial<OpenOptions> = {}): Promise<TestTui> {
  return openTui({
    cols: 80,
    rows: 20,
    mount: (terminal) => {
      terminal.addLayer(
        { paint: (painter) => widget.paint(paintPane(painter, { title: "Chart" })) },
        { opaque: true },
      );
    },
    ...options,
  });
}

function chartOf(values: readonly (number | null)[], labels: readonly string[] = []): LineChart {
  const chart = new LineChart();
  chart.update({ series: [{ name: "p95", values }], labels, format: (v) => `${Math.round(v)}ms` });
  return chart;
}

const sine = Array.from({ length: 120 }, (_, i) => 400 + 200 * Math.sin(i / 6));

test("a chart is drawn in braille inside its pane, with its own axis labels", async () => {
  const tui = await openWidget(
    chartOf(
      sine,
      sine.map((_, i) => `-${120 - i}s`),
    ),
  );
  assert.match(tui.text(), braille);
  assert.match(tui.text(), /ms/);
  assert.match(tui.text(), /-120s/);
  assert.match(tui.row(1), /── p95/);
  for (let y = 1; y < 19; y += 1) {
    assert.equal(tui.cell(0, y).char, "│");
    assert.equal(tui.cell(79, y).char, "│");
  }
  assert.deepEqual(foreignBytes(tui.bytes()), []);
  tui.close();
});

test("no data, one point, all zero, gaps only and broken numbers are all drawn", async () => {
  const cases: readonly (readonly (number | null)[])[] = [
    [],
    [1],
    [0, 0, 0],
    [null, null],
    [NaN, Infinity, -Infinity, -5, 3],
    [5, null, 5, null, 5],
    [1e15, 2e15],
    [1e-9, 2e-9],
  ];
  for (const values of cases) {
    const tui = await openWidget(chartOf(values));
    assert.match(tui.row(0), /Chart/, String(values));
    assert.deepEqual(foreignBytes(tui.bytes()), []);
    tui.close();
  }
});

test("labels of an axis differ, however small its values are", async () => {
  const labels = (max: number): readonly string[] => axisLabels(max, 5, axisDuration);
  assert.deepEqual(labels(3), ["0ms", "0.6ms", "1.2ms", "1.8ms", "2.4ms"]);
  assert.deepEqual(labels(500), ["0ms", "100ms", "200ms", "300ms", "400ms"]);
  // Where texts are coarse there are fewer of them, each at its own height.
  const whole = (value: number): string => `${Math.round(value)}ms`;
  assert.deepEqual(axisLabels(3, 5, whole), ["0ms", "1ms", "2ms"]);
  assert.deepEqual(axisLabels(1, 5, money), ["$0.00", "$0.000001"]);
  assert.deepEqual(axisLabels(0.5, 5, money), ["$0.00"]);
  fc.assert(
    fc.property(fc.double({ min: 1e-9, max: 1e9, noNaN: true }), (greatest) => {
      const all = labels(roundUp(greatest));
      assert.equal(new Set(all).size, all.length);
    }),
  );
  const chart = new LineChart();
  const values = [0.4, 1.1, 2.2, 2.6];
  chart.update({ series: [{ name: "p50", values }], labels: [], format: axisDuration });
  const tui = await openWidget(chart);
  for (const label of labels(3)) {
    assert.equal(tui.text().split(` ${label}`).length, 2, `${label}\n${tui.text()}`);
  }
  tui.close();
});

test("a chart without any series says so", async () => {
  const tui = await openWidget(new LineChart());
  assert.match(tui.text(), /no data yet/);
  tui.close();
});

test("a gap stays empty, it is not drawn as zero", async () => {
  const values = sine.map((value, i) => (i > 40 && i < 80 ? null : value));
  const tui = await openWidget(chartOf(values));
  const plot = Array.from({ length: 14 }, (_, y) => tui.row(y + 2).slice(32, 46));
  const lines = plot.filter((row) => braille.test(row));
  assert.ok(lines.length <= 1, `only the base line may cross the gap:\n${plot.join("\n")}`);
  tui.close();
});

test("after a resize the chart has the new size, at every size", async () => {
  const tui = await openWidget(chartOf(sine));
  for (const [cols, rows] of [
    [120, 35],
    [80, 24],
    [200, 60],
    [60, 16],
    [10, 3],
    [100, 20],
  ] as const) {
    await tui.resize(cols, rows);
    if (cols < 60) continue;
    assert.equal(tui.cell(cols - 1, 5).char, "│", `${cols}x${rows}`);
    assert.match(tui.row(6).slice(cols >> 1), braille, "the right half is used too");
  }
  tui.close();
});

test("terminals without braille get blocks, terminals without UTF-8 get ASCII", async () => {
  const linux = await openWidget(chartOf(sine), { env: { TERM: "linux", LANG: "C.UTF-8" } });
  assert.doesNotMatch(linux.text(), braille);
  assert.match(linux.text(), /#/);
  linux.close();
  const ascii = await openWidget(chartOf(sine), { unicode: "ascii" });
  assert.doesNotMatch(ascii.text(), /[^\x00-\x7f]/);
  ascii.close();
});

test("another theme recolours the chart at once", async () => {
  const tui = await openWidget(chartOf(sine), { theme: "dark" });
  await tui.settle(1500);
  const before = tui.bytes().length;
  tui.terminal.setTheme("light");
  await tui.settle();
  const fresh = tui.bytes().slice(before);
  assert.match(fresh, /38;5;25m/);
  assert.doesNotMatch(fresh, /38;5;75m/);
  assert.match(tui.text(), braille);
  tui.close();
});

test("only the canvas widgets in use are loaded, not the maps and pictures beside them", () => {
  const loaded = Object.keys(createRequire(import.meta.url).cache);
  assert.ok(loaded.some((path) => path.includes("blessed-contrib")));
  const heavy = loaded.filter((path) => /map-canvas|xml2js|marked|picture-tuber/.test(path));
  assert.deepEqual(heavy, []);
});

test("with little room the canvas is not used at all", async () => {
  const chart = chartOf(sine);
  const tui = await openTui({
    cols: 80,
    rows: 20,
    mount: (terminal) => {
      terminal.addLayer(
        {
          paint: (painter) => {
            chart.paint(painter.within({ x: 0, y: 0, width: 18, height: 5 }));
            chart.paint(painter.within({ x: 30, y: 0, width: 1, height: 1 }));
            chart.paint(painter.within({ x: 40, y: 0, width: 0, height: 0 }));
          },
        },
        { opaque: true },
      );
    },
  });
  assert.doesNotMatch(tui.text(), braille);
  tui.close();
});

test("charts are sent at most once a second, and a chart that is not painted leaves", async () => {
  const chart = chartOf([1, 2, 3, 2]);
  let visible = true;
  const tui = await openWidget({
    paint: (painter) => {
      if (visible) chart.paint(painter);
    },
  });
  await tui.settle(2000);
  const before = tui.text();
  chart.update({ series: [{ name: "p95", values: [3, 1, 3, 1] }], labels: [] });
  tui.terminal.requestFrame();
  await tui.settle(100);
  chart.update({ series: [{ name: "p95", values: [1, 3, 1, 3] }], labels: [] });
  tui.terminal.requestFrame();
  await tui.settle(100);
  const after = tui.text();
  assert.notEqual(after, before);
  chart.update({ series: [{ name: "p95", values: [9, 1, 1, 1] }], labels: [] });
  tui.terminal.requestFrame();
  await tui.settle(100);
  assert.equal(tui.text(), after, "not drawn again within the second");
  visible = false;
  tui.terminal.requestFrame();
  await tui.settle();
  assert.doesNotMatch(tui.text(), braille);
  tui.close();
});

test("without colours no colour is sent, for charts and gauges too", async () => {
  const tui = await openWidget(chartOf(sine), { theme: "mono" });
  assert.doesNotMatch(tui.bytes(), /\u001b\[(?:\d+;)*(?:3[0-8]|4[0-8])(?:;\d+)*m/);
  assert.match(tui.text(), braille);
  tui.close();
});

test("a gauge shows what it is given: 0, 0.4, 1, 41, 100, 150 and no number at all", async () => {
  const gauge = new BigGauge();
  const tui = await openWidget(gauge, { rows: 16 });
  for (const [value, percent] of [
    [0, ""],
    [0.4, ""],
    [1, ""],
    [41, "41%"],
    [100, "100%"],
    [150, "100%"],
    [NaN, ""],
  ] as const) {
    gauge.update({ label: "budget", value, max: 100, text: `$${value}` });
    tui.terminal.requestFrame();
    await tui.settle();
    const shown = /(\d+)%/.exec(tui.text())?.[0] ?? "";
    assert.equal(shown, percent, `for ${value}`);
    assert.match(tui.text(), /budget/);
  }
  tui.close();
});

test("a meter never rounds something to nothing or nearly all to all", () => {
  const bar = (value: number, max = 100): string =>
    barSpans({ value, max, width: 10 }, unicodeGlyphs)
      .map((span) => span.text)
      .join("");
  assert.equal(bar(0), "░".repeat(10));
  assert.equal(bar(0.1), `█${"░".repeat(9)}`);
  assert.equal(bar(99.9), `${"█".repeat(9)}░`);
  assert.equal(bar(100), "█".repeat(10));
  for (const odd of [NaN, -5, Infinity]) assert.equal(bar(odd).length, 10);
  assert.equal(bar(5, 0), "░".repeat(10));
});

test("meters below each other line up, in one row each", async () => {
  const tui = await openTui({
    cols: 60,
    rows: 16,
    mount: (terminal) => {
      terminal.addLayer(
        {
          paint: (painter) => {
            ["primary", "数据团队数据", "x"].forEach((label, y) => {
              const row = painter.within({ x: 0, y, width: 40, height: 1 });
              paintMeter(row, { label, value: y, max: 2, text: `${y}/2`, textWidth: 6 });
            });
          },
        },
        { opaque: true },
      );
    },
  });
  for (let y = 0; y < 3; y += 1) {
    assert.match(tui.cell(9, y).char, /[█░]/);
    assert.equal(tui.cell(39, y).char, "2");
    assert.equal(tui.cell(40, y).char, "");
  }
  tui.close();
});

test("a sparkline shows the newest values, keeps gaps, and a steady line is not the lowest", () => {
  const spark = (values: readonly (number | null)[], width: number): string =>
    sparkline(values, { width }, unicodeGlyphs);
  assert.equal(spark([1, 2, 3, 4], 2), "▆█");
  assert.equal(spark([8, null, 8], 5), "  █ █");
  assert.equal(spark([5, 5, 5], 3), "███");
  assert.equal(spark([0, 0], 2), "▁▁");
  assert.equal(spark([], 3), "   ");
  assert.equal(spark([NaN, Infinity, 1], 3), "  █");
});

test("the axis always holds the values and ends at a number that reads well", () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-6, max: 1e15, noNaN: true }), (value) => {
      const end = roundUp(value);
      assert.ok(end >= value * (1 - 1e-9) && end <= value * 2.01);
    }),
  );
  assert.equal(roundUp(0), 1);
  assert.equal(chartScale([{ values: [860] }], undefined).max, 1000);
  assert.equal(chartScale([{ values: [860] }], 900).max, 900);
});

test("a log keeps the newest lines and its place when scrolled back", async () => {
  const log = new LogView({ capacity: 100 });
  const tui = await openWidget(log);
  assert.match(tui.text(), /nothing yet/);
  for (let i = 0; i < 250; i += 1) log.push([{ text: `line ${i}.` }]);
  const shown = async (): Promise<string> => {
    tui.terminal.requestFrame();
    await tui.settle();
    return tui.text();
  };
  assert.equal(log.length, 100);
  assert.match(await shown(), /line 249\./);
  log.scrollBy(10);
  assert.match(await shown(), /line 239\./);
  log.push([{ text: "line 250." }]);
  assert.doesNotMatch(await shown(), /line 250\.|line 240\./);
  assert.equal(log.newer, 11);
  log.scrollBy(Infinity);
  assert.match(await shown(), /line 151\./);
  log.follow();
  assert.match(await shown(), /line 250\./);
  assert.equal(log.following, true);
  tui.close();
});

test("a day's chart with its first point only shows a column", async () => {
  const values = Array.from({ length: 96 }, (_, i) => (i === 95 ? 24_000 : null));
  const tui = await openWidget(chartOf(values));
  assert.doesNotMatch(tui.text(), braille);
  assert.match(tui.text(), /█/);
  tui.close();
});
