import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { Keymap } from "../../tui/term/keymap.js";
import type { Painter } from "../../tui/term/painter.js";
import { splitRows } from "../../tui/term/rect.js";
import type { Terminal } from "../../tui/term/terminal.js";
import { paintHintBar, paintStatusLine, paintTabBar } from "../../tui/widgets/bars.js";
import { BigGauge } from "../../tui/widgets/big-gauge.js";
import { confirm } from "../../tui/widgets/confirm.js";
import { Form } from "../../tui/widgets/form.js";
import { openHelp } from "../../tui/widgets/help.js";
import { LineChart } from "../../tui/widgets/line-chart.js";
import { LogView } from "../../tui/widgets/log-view.js";
import { paintMeter } from "../../tui/widgets/meter.js";
import { ModalStack } from "../../tui/widgets/modal.js";
import { paintPane } from "../../tui/widgets/pane.js";
import { VirtualTable } from "../../tui/widgets/table.js";
import { Toasts } from "../../tui/widgets/toast.js";
import { FakeClock } from "../support/fake-clock.js";
import { foreignBytes } from "./grammar.js";
import { openTui } from "./harness.js";

/** What an attacker would put into a key name, a model id or an error body. */
const PAYLOADS = [
  "\u001b[31mred\u001b[0m",
  "\u001b]0;owned\u0007",
  "\u001b]52;c;b3duZWQ=\u0007",
  "\u001b[2J\u001b[H\u001b[?1049l",
  "\u001bPtmux;\u001b\u001b]52;c;eA==\u0007\u001b\\",
  "\u001b_Gi=1;AAAA\u001b\\",
  "\u009b31m\u009d0;owned\u009c",
  "\u0090q\u009c\u0085next",
  "\u202egnirts desrever\u202c",
  "\u2066isolate\u2069\u200f\u200e",
  "zero\u200b\u200c\u200d\u2060\ufeffwidth",
  "tags\u{e0041}\u{e0042}\u{e007f}",
  `zalgo${"\u0301\u0316\u0334".repeat(40)}`,
  "👨‍👩‍👧‍👦 🇩🇪 👍🏽 ❤️",
  "{red-fg}{bold}{open}{/}{escape}",
  "line\r\nbreak\ttab\u000bvt\u000cff\bbs\u0000nul\u007f",
  "\ud800lone\udc00",
  "x".repeat(10_000),
];

function mountEverything(text: string, clock: FakeClock) {
  return (terminal: Terminal): void => {
    const table = new VirtualTable<string>({
      columns: [
        { id: "a", title: text, width: { min: 10, share: 1 }, cell: (row) => row },
        { id: "b", title: "B", width: 12, cell: (row) => [{ text: row, style: "ok" }] },
      ],
      rowId: (row) => row,
      emptyText: text,
      sort: { column: "a", descending: true },
    });
    table.update({ rows: [text, `${text}2`], state: { kind: "ready" } });
    const broken = new VirtualTable<string>({ columns: [], rowId: (row) => row, emptyText: text });
    broken.update({ state: { kind: "error", message: text } });
    const log = new LogView();
    log.push([{ text }, { text, style: "warn" }]);
    const chart = new LineChart();
    chart.update({
      series: [{ name: text, values: [1, null, 2] }],
      labels: [text, text, text],
      format: () => text,
    });
    const gauge = new BigGauge();
    gauge.update({ label: text, value: 50, max: 100, text });
    const toasts = new Toasts({ clock, requestFrame: () => terminal.requestFrame() });
    toasts.show({ text, tone: "warn" });
    const keymap = new Keymap([
      {
        keys: ["x"],
        action: "x",
        description: text,
        group: text,
        hint: text,
        run: () => undefined,
      },
    ]);
    const paint = (painter: Painter): void => {
      const heights = [1, 1, 5, 5, 14, 3, 8, 1, { share: 1 }];
      const areas = splitRows(painter.area, heights).map((area) => painter.within(area));
      const [status, tabs, list, bad, line, lines, big, hints, rest] = areas;
      if (status === undefined || tabs === undefined || rest === undefined) return;
      paintStatusLine(status, {
        crumbs: [text, text],
        flags: [text.slice(0, 10)],
        connection: { kind: "ok", text: text.slice(0, 10) },
        right: [text],
      });
      paintTabBar(tabs, [{ key: "1", label: text, short: text }], "1");
      const options = { title: text, right: text, bottom: text };
      if (list !== undefined) table.paint(paintPane(list, options));
      if (bad !== undefined) broken.paint(paintPane(bad, options));
      if (line !== undefined) chart.paint(paintPane(line, options));
      if (lines !== undefined) log.paint(lines);
      if (big !== undefined) gauge.paint(big);
      if (hints !== undefined) paintHintBar(hints, { keymaps: [keymap], always: [] });
      paintMeter(rest, { label: text, value: 1, max: 2, text });
      toasts.paint(rest);
    };
    terminal.addLayer({ paint }, { opaque: true });
    openModals(terminal, text, keymap);
  };
}

function openModals(terminal: Terminal, text: string, keymap: Keymap): void {
  const modals = new ModalStack(terminal);
  const form = new Form({
    fields: [
      { kind: "text", name: "a", label: text, value: text, placeholder: text, note: () => text },
      { kind: "select", name: "b", label: "B", choices: [{ value: text, label: text }] },
      { kind: "text", name: "c", label: "C", placeholder: text },
    ],
    submitLabel: text.slice(0, 20),
    onSubmit: () => undefined,
    onCancel: () => undefined,
  });
  form.update({ errors: { a: text }, message: text });
  let step = 0;
  terminal.onInput(() => {
    step += 1;
    modals.closeAll();
    if (step === 1) modals.open({ title: text, width: 60, height: 10, body: form });
    if (step === 2) {
      const options = { title: text, text: [text], action: text, onConfirm: () => undefined };
      confirm(modals, options);
    }
    if (step === 3) openHelp(modals, { title: text, keymaps: [keymap], footer: [text] });
    return true;
  });
}

async function bytesOf(text: string, unicode: "unicode" | "ascii"): Promise<string> {
  const clock = new FakeClock();
  const tui = await openTui({
    cols: 120,
    rows: 60,
    clock,
    unicode,
    mount: mountEverything(text, clock),
  });
  await tui.press("1", "2", "3");
  assert.deepEqual(tui.clipboard, []);
  assert.equal(tui.alternate, true);
  const bytes = tui.bytes();
  tui.close();
  return bytes;
}

for (const payload of PAYLOADS) {
  const name = JSON.stringify(payload).slice(0, 40);
  test(`no widget lets more than text through: ${name}`, async () => {
    assert.deepEqual(foreignBytes(await bytesOf(payload, "unicode")), []);
  });
}

test("in ASCII mode every byte of text is ASCII, whatever the data holds", async () => {
  for (const payload of [...PAYLOADS, "数据团队 ●▲✖"]) {
    const bytes = await bytesOf(payload, "ascii");
    assert.doesNotMatch(bytes, /[^\x00-\x7f]/);
    assert.deepEqual(foreignBytes(bytes), []);
  }
});

test("random text in a table never leaves the grammar or the columns", async () => {
  const unit = fc.constantFrom(
    "\u001b",
    "\u009b",
    "\u0301",
    "\u202e",
    "\u200d",
    "中",
    "a",
    "👍",
    "{",
    "│",
  );
  const texts = fc.array(fc.string({ unit, maxLength: 30 }), { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(texts, async (rows) => {
      const tui = await openTui({
        cols: 60,
        rows: 16,
        mount: (terminal) => {
          const table = new VirtualTable<string>({
            columns: [
              { id: "a", title: "A", width: 14, cell: (row) => row },
              { id: "b", title: "B", width: 5, cell: () => "|end|" },
            ],
            rowId: (row) => row,
            emptyText: "none",
          });
          table.update({ rows, state: { kind: "ready" } });
          terminal.addLayer(table, { opaque: true });
        },
      });
      for (let y = 1; y <= rows.length; y += 1) assert.equal(tui.cell(17, y).char, "|");
      assert.deepEqual(foreignBytes(tui.bytes()), []);
      tui.close();
    }),
    { numRuns: 60 },
  );
});
