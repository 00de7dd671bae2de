import assert from "node:assert/strict";
import { test } from "node:test";
import { openTui } from "./harness.js";

test("a layer is painted with its text in the alternate screen", async () => {
  const tui = await openTui({
    mount: (terminal) => {
      terminal.addLayer(
        { paint: (p) => void p.text(2, 1, "héllo 数据 ok", "danger") },
        { opaque: true },
      );
    },
  });
  assert.equal(tui.alternate, true);
  assert.equal(tui.row(1), "  héllo 数据 ok");
  assert.equal(tui.cell(8, 1).width, 2);
  tui.close();
  await tui.settle();
  assert.equal(tui.alternate, false);
});
