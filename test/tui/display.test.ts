import assert from "node:assert/strict";
import { test } from "node:test";
import type { Terminal } from "../../tui/term/terminal.js";
import { foreignBytes } from "./grammar.js";
import { openTui } from "./harness.js";

function mount(terminal: Terminal): void {
  terminal.addLayer(
    {
      paint: (painter) => {
        painter.frame(painter.area);
        painter.text(2, 2, `${painter.glyphs.ok} ok ${painter.glyphs.fail} dead`, "danger");
        painter.text(2, 3, "数据 é", "accent");
      },
    },
    { opaque: true },
  );
}

const cases = [
  ["xterm-256color", "256", true],
  ["screen-256color", "256", true],
  ["tmux-256color", "256", true],
  ["xterm-kitty", "256", true],
  ["xterm-ghostty", "256", true],
  ["alacritty", "256", true],
  ["linux", "8", false],
  ["vt100", "none", false],
  ["dumb", "none", false],
] as const;

for (const [term, colors, unicode] of cases) {
  test(`TERM=${term} with LANG=C draws clean frames with ${colors} colours`, async () => {
    const tui = await openTui({ env: { TERM: term, LANG: "C" }, mount });
    const bytes = tui.bytes();
    assert.deepEqual(foreignBytes(bytes), []);
    assert.equal(/\u001b\[(?:\d+;)*38;5;\d+(?:;\d+)*m/.test(bytes), colors === "256");
    assert.equal(/\u001b\[(?:\d+;)*3[0-8](?:;\d+)*m/.test(bytes), colors !== "none");
    if (unicode) {
      assert.equal(tui.row(2).slice(2, 13), "● ok ✖ dead");
      assert.equal(tui.row(3).slice(2, 6), "数据 é");
      assert.equal(tui.cell(0, 0).char, "┌");
    } else {
      assert.doesNotMatch(bytes, /[^\x00-\x7f]/);
      assert.equal(tui.row(2).slice(2, 13), "* ok x dead");
      assert.equal(tui.row(3).slice(2, 8), "???? e");
      assert.equal(tui.cell(0, 0).char, "+");
    }
    tui.close();
    await tui.settle();
    assert.equal(tui.alternate, false);
    assert.equal(tui.row(2), "", "nothing stays, with or without an alternate screen");
  });
}

test("TERM=linux with a UTF-8 locale shows the data, with symbols its font has", async () => {
  const tui = await openTui({ env: { TERM: "linux", LANG: "C.UTF-8" }, mount });
  assert.equal(tui.row(2).slice(2, 13), "* ok x dead");
  assert.equal(tui.row(3).slice(2, 6), "数据 é");
  tui.close();
});

test("nothing is printed on standard error for any TERM", async (context) => {
  const spy = context.mock.method(process.stderr, "write", () => true);
  for (const [term] of cases) {
    const tui = await openTui({ env: { TERM: term, LANG: "C" }, mount });
    tui.close();
  }
  const count = spy.mock.callCount();
  spy.mock.restore();
  assert.equal(count, 0);
});

test("themes change colours without touching text", async () => {
  const texts: string[] = [];
  for (const theme of ["dark", "light", "mono", "16"] as const) {
    const tui = await openTui({ theme, mount });
    texts.push(tui.text());
    assert.equal(tui.cell(50, 10).bg, -1, "the background is the terminal's own");
    tui.close();
  }
  assert.equal(new Set(texts).size, 1);
});
