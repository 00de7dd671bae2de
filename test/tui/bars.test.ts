import assert from "node:assert/strict";
import { test } from "node:test";
import { dispatch, Keymap, keyLabel, type Binding } from "../../tui/term/keymap.js";
import type { Painter } from "../../tui/term/painter.js";
import { paintHintBar, paintStatusLine, paintTabBar, type Tab } from "../../tui/widgets/bars.js";
import { openHelp } from "../../tui/widgets/help.js";
import { ModalStack } from "../../tui/widgets/modal.js";
import { Toasts } from "../../tui/widgets/toast.js";
import { openTui, type TestTui } from "./harness.js";

const tabs: readonly Tab[] = [
  { key: "1", label: "Overview", short: "Over" },
  { key: "2", label: "Provider keys", short: "Prov" },
  { key: "3", label: "Client keys", short: "Keys" },
  { key: "4", label: "Users", short: "User" },
  { key: "5", label: "Requests", short: "Reqs" },
  { key: "6", label: "Usage", short: "Usag" },
  { key: "7", label: "Models", short: "Modl" },
  { key: "8", label: "Audit", short: "Audt" },
  { key: "9", label: "Nodes", short: "Node" },
];

async function openPaint(
  paint: (painter: Painter) => void,
  cols: number,
  theme: "auto" | "mono" = "auto",
): Promise<TestTui> {
  return openTui({
    cols,
    rows: 20,
    theme,
    mount: (terminal) => void terminal.addLayer({ paint }, { opaque: true }),
  });
}

function binding(keys: readonly string[], action: string, extra: Partial<Binding> = {}): Binding {
  const text = `do ${action}`;
  return { keys, action, description: text, group: "GLOBAL", run: () => undefined, ...extra };
}

function globalKeys(): Keymap {
  return new Keymap([
    binding(["space"], "pause", { hint: "pause", priority: 1 }),
    binding([":"], "command", { hint: "command", priority: 5 }),
    binding(["w"], "window", { hint: "window 5m" }),
    binding(["r"], "revoke", { hint: "revoke", disabledReason: () => "read-only" }),
    binding(["D"], "write", { hint: "write", hidden: () => true }),
    binding(["?", "f1"], "help", { hint: "help" }),
    binding(["q"], "quit", { hint: "quit" }),
  ]);
}

test("the tab bar uses long names where they fit and short ones at 80 columns", async () => {
  const wide = await openPaint((painter) => paintTabBar(painter, tabs, "2"), 120);
  assert.match(wide.row(0), /\[2 Provider keys\]/);
  assert.match(wide.row(0), /9 Nodes/);
  wide.close();
  const narrow = await openPaint((painter) => paintTabBar(painter, tabs, "9"), 80);
  assert.match(narrow.row(0), /1 Over {2}2 Prov .*\[9 Node\]/);
  narrow.close();
});

test("the status line gives up its words before the breadcrumb, never the connection", async () => {
  const paint = (painter: Painter): void =>
    paintStatusLine(painter, {
      crumbs: ["Latchkey", "prod-eu-1", "Provider keys"],
      flags: ["READ-ONLY"],
      connection: { kind: "fail", text: "stale 17s" },
      right: ["rtt 12ms", "alice(admin)", "11:21:08Z"],
    });
  const wide = await openPaint(paint, 120);
  const full = / Latchkey ▸ prod-eu-1 ▸ Provider keys .*READ-ONLY {2}✖ stale 17s {2}rtt 12ms/;
  assert.match(wide.row(0), full);
  wide.close();
  const narrow = await openPaint(paint, 60);
  assert.match(narrow.row(0), /^ Latchkey/);
  assert.match(narrow.row(0), /READ-ONLY {2}✖ stale 17s/);
  assert.doesNotMatch(narrow.row(0), /rtt/);
  narrow.close();
});

test("help and quit are never cut from the hints, at any width", async () => {
  const keymaps = [globalKeys()];
  for (const cols of [60, 64, 80, 120]) {
    const tui = await openPaint(
      (painter) => paintHintBar(painter, { keymaps, always: ["help", "quit"] }),
      cols,
    );
    assert.match(tui.row(0), /<\?> help {2}<q> quit$/);
    assert.doesNotMatch(tui.row(0), /write/, "hidden bindings are not hinted");
    tui.close();
  }
});

test("the more important hints stay when it gets narrow", async () => {
  const keymaps = [globalKeys()];
  const tui = await openPaint((painter) => {
    const bar = painter.within({ x: 0, y: 0, width: 40, height: 1 });
    paintHintBar(bar, { keymaps, always: ["help", "quit"] });
  }, 60);
  assert.match(tui.row(0), /<:> command {2}<\?> help {2}<q> quit/);
  tui.close();
});

test("help lists exactly what the keys do: every binding, and nothing else", async () => {
  const view = new Keymap([
    binding(["n"], "new", { group: "KEYS" }),
    binding(["q"], "shadow", { group: "KEYS", description: "leave the detail" }),
    binding(["j", "down"], "down", { group: "LIST" }),
  ]);
  const keymaps = [view, globalKeys()];
  const tui = await openTui({
    mount: (terminal) => {
      terminal.addLayer({ paint: () => undefined }, { opaque: true });
      const modals = new ModalStack(terminal);
      openHelp(modals, { title: "Client keys", keymaps, footer: ["version 1.0.0"] });
      terminal.onInput((event) => modals.handle(event));
    },
  });
  const text = tui.text();
  assert.match(text, /Help: Client keys/);
  assert.match(text, /version 1\.0\.0/);
  for (const keymap of keymaps) {
    for (const one of keymap.bindings) {
      for (const key of one.keys) {
        const found = dispatch(keymaps, { type: "key", name: key, text: "" });
        const reaches = found.kind !== "unbound" && found.binding === one;
        assert.equal(found.kind === "unbound", false);
        if (reaches) assert.ok(text.includes(one.description), `${keyLabel(key)} ${one.action}`);
      }
    }
  }
  assert.doesNotMatch(text, /do quit/, "a binding that no key reaches is not shown");
  assert.match(text, /do revoke \(read-only\)/);
  tui.close();
});

test("help is searched with / and closed with esc", async () => {
  const keymaps = [globalKeys()];
  let modals: ModalStack | undefined;
  const tui = await openTui({
    mount: (terminal) => {
      terminal.addLayer({ paint: () => undefined }, { opaque: true });
      const stack = new ModalStack(terminal);
      modals = stack;
      openHelp(stack, { title: "X", keymaps });
      terminal.onInput((event) => stack.handle(event));
    },
  });
  await tui.press("/");
  await tui.type("comm");
  assert.match(tui.text(), /do command/);
  assert.doesNotMatch(tui.text(), /do pause/);
  await tui.type("zzz");
  assert.match(tui.text(), /no key does that/);
  await tui.press("<esc>");
  assert.match(tui.text(), /do pause/);
  assert.equal(modals?.depth, 1);
  await tui.press("<esc>");
  assert.equal(modals?.depth, 0);
  tui.close();
});

test("toasts go away on their own, failures later", async () => {
  let toasts: Toasts | undefined;
  const tui = await openTui({
    cols: 80,
    rows: 20,
    mount: (terminal, clock) => {
      const own = new Toasts({ clock, requestFrame: () => terminal.requestFrame() });
      toasts = own;
      terminal.addLayer({ paint: (painter) => own.paint(painter) }, { opaque: true });
    },
  });
  assert.ok(toasts !== undefined);
  toasts.show({ text: "copied", tone: "ok" });
  toasts.show({ text: "refused", tone: "danger" });
  toasts.show({ text: "refused", tone: "danger" });
  await tui.settle();
  assert.match(tui.text(), /✓ copied/);
  assert.equal(tui.text().match(/✖ refused/g)?.length, 1);
  await tui.settle(3000);
  assert.doesNotMatch(tui.text(), /copied/);
  assert.match(tui.text(), /refused/);
  await tui.settle(5000);
  assert.doesNotMatch(tui.text(), /refused/);
  for (let i = 0; i < 10; i += 1) toasts.show({ text: `n${i}`, tone: "warn" });
  await tui.settle();
  assert.equal(tui.text().match(/▲ n/g)?.length, 3);
  toasts.destroy();
  tui.close();
});

test("without colour everything that matters still differs", async () => {
  const tui = await openPaint((painter) => paintTabBar(painter, tabs, "2"), 120, "mono");
  assert.equal(tui.cell(13, 0).inverse, true);
  assert.equal(tui.cell(2, 0).inverse, false);
  assert.doesNotMatch(tui.bytes(), /\u001b\[(?:\d+;)*(?:3[0-8]|4[0-8])(?:;\d+)*m/);
  tui.close();
});
