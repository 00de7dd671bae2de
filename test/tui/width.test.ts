import assert from "node:assert/strict";
import { test } from "node:test";
import { Unicode11Addon } from "@xterm/addon-unicode11";
import headless from "@xterm/headless";
import { safe } from "../../tui/term/safe.js";
import { charWidth } from "../../tui/term/width.js";

interface WidthService {
  wcwidth(codePoint: number): number;
}

test("every character that can be painted is as wide as a Unicode 11 terminal counts it", () => {
  const terminal = new headless.Terminal({ allowProposedApi: true });
  terminal.loadAddon(new Unicode11Addon());
  terminal.unicode.activeVersion = "11";
  const { _core: core } = terminal as unknown as { _core: { unicodeService: WidthService } };
  const service = core.unicodeService;
  const different: string[] = [];
  // Beyond the third plane there are only tags, selectors and private use, which are never painted.
  for (let codePoint = 0x20; codePoint < 0x40000; codePoint += 1) {
    const char = String.fromCodePoint(codePoint);
    if (safe(char) !== char) continue;
    if (charWidth(codePoint) !== service.wcwidth(codePoint)) different.push(codePoint.toString(16));
  }
  assert.deepEqual(different, []);
});
