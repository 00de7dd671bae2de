import assert from "node:assert/strict";
import { test } from "node:test";
import type { Terminal } from "../../tui/term/terminal.js";
import type { InputEvent } from "../../tui/term/input.js";
import { foreignBytes } from "./grammar.js";
import { openTui, type OpenOptions, type TestTui } from "./harness.js";

/** A view that fills the whole screen, so that every size shows whether edges are right. */
function mountFilled(terminal: Terminal): void {
  terminal.addLayer(
    {
      paint: (painter) => {
        painter.frame(painter.area);
        painter.text(2, 1, "héllo 数据 ok", "danger");
        painter.text(2, 2, `${painter.width}x${painter.height}`);
      },
    },
    { opaque: true },
  );
}

async function open(options: Partial<OpenOptions> = {}): Promise<TestTui> {
  return openTui({ mount: mountFilled, ...options });
}

function errnoError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

async function assertRestored(tui: TestTui): Promise<void> {
  await tui.settle();
  assert.equal(tui.alternate, false, "the normal screen is back");
  assert.equal(tui.input.raw, false, "raw mode is off");
  assert.equal(tui.input.paused, true, "input is not read any more");
  const bytes = tui.bytes();
  const last = (sequence: string): number => bytes.lastIndexOf(sequence);
  assert.ok(last("\u001b[?25h") > last("\u001b[?25l"), "the cursor is shown");
  assert.ok(last("\u001b[?2004l") > last("\u001b[?2004h"), "paste marks are off");
  assert.ok(last("\u001b[?1l") > last("\u001b[?1h"), "cursor keys are normal");
  assert.equal(tui.emulator.modes.mouseTrackingMode, "none", "the mouse is free");
  assert.equal(tui.emulator.modes.bracketedPasteMode, false);
  assert.equal(tui.emulator.modes.applicationCursorKeysMode, false);
  const leave = last("\u001b[?1049l");
  assert.ok(bytes.slice(0, leave).includes("\u001b[2J"), "the screen was cleared before leaving");
  assert.equal(tui.row(1), "", "nothing of the dashboard is left");
}

test("a layer is painted in the alternate screen, wide characters in two cells", async () => {
  const tui = await open();
  assert.equal(tui.alternate, true);
  assert.equal(tui.row(1).slice(2, 12), "héllo 数据 o");
  assert.equal(tui.cell(8, 1).width, 2);
  assert.equal(tui.cell(12, 1).char, " ");
  assert.deepEqual(foreignBytes(tui.bytes()), []);
  tui.close();
});

test("borders are real box characters, never the alternate charset", async () => {
  const tui = await open();
  assert.equal(tui.cell(0, 0).char, "┌");
  assert.ok(!tui.bytes().includes("\u001b(0"));
  tui.close();
});

test("quitting gives the terminal back as it was", async () => {
  const tui = await open({ mouse: true });
  tui.terminal.quit(0);
  await assertRestored(tui);
  assert.deepEqual(tui.process.exitCodes, [0]);
});

for (const [signal, code] of [
  ["SIGTERM", 143],
  ["SIGINT", 130],
  ["SIGQUIT", 131],
  ["SIGHUP", 129],
] as const) {
  test(`${signal} gives the terminal back`, async () => {
    const tui = await open({ mouse: true });
    tui.process.events.emit(signal);
    await assertRestored(tui);
    assert.deepEqual(tui.process.exitCodes, [code]);
  });
}

test("a crash gives the terminal back and says what happened in one line", async () => {
  const tui = await open({ writeCrashLog: () => "/tmp/latchkey-crash.log" });
  tui.process.events.emit("crash", new Error("bad \u001b[31mthing\nsecond line"));
  await assertRestored(tui);
  assert.deepEqual(tui.process.exitCodes, [1]);
  assert.deepEqual(tui.process.complaints, [
    "latchkey: the dashboard stopped: bad [31mthing second line. Details: /tmp/latchkey-crash.log",
  ]);
});

test("a process that exits on its own still gives the terminal back", async () => {
  const tui = await open();
  tui.process.events.emit("exit");
  await assertRestored(tui);
});

test("closing twice writes nothing the second time", async () => {
  const tui = await open();
  tui.terminal.close();
  const written = tui.output.writes.length;
  tui.terminal.close();
  tui.terminal.requestFrame();
  await tui.settle();
  assert.equal(tui.output.writes.length, written);
});

test("when the terminal is gone nothing is written and the process ends hard", async () => {
  const tui = await open();
  const written = tui.output.writes.length;
  tui.output.emit("error", errnoError("EIO"));
  tui.terminal.requestFrame();
  await tui.settle();
  assert.equal(tui.output.writes.length, written);
  assert.equal(tui.process.killed, 1);
  assert.deepEqual(tui.process.exitCodes, []);
});

test("a write that fails because the terminal is gone ends the same way", async () => {
  const tui = await open();
  tui.output.onWrite = () => {
    throw errnoError("EIO");
  };
  tui.terminal.redraw();
  await tui.settle();
  assert.equal(tui.process.killed, 1);
});

test("no handler stays on the process after closing", async () => {
  const events = ["uncaughtException", "SIGTERM", "SIGINT", "SIGQUIT", "exit"];
  const before = events.map((event) => process.listenerCount(event));
  const tui = await open();
  tui.close();
  assert.deepEqual(
    events.map((event) => process.listenerCount(event)),
    before,
  );
  const left = tui.process.events.eventNames();
  assert.deepEqual(left, []);
});

test("ctrl-c quits, ctrl-l sends every cell again", async () => {
  const tui = await open();
  const before = tui.bytes().length;
  await tui.press("<C-l>");
  assert.ok(tui.bytes().slice(before).includes("héllo 数据 ok"));
  await tui.press("<C-c>");
  assert.deepEqual(tui.process.exitCodes, [0]);
});

test("input that ends means that nobody is there: the dashboard quits", async () => {
  const tui = await open();
  tui.input.emit("end");
  await assertRestored(tui);
});

test("ctrl-z gives the terminal back, and continuing draws everything again", async () => {
  const tui = await open({ mouse: true });
  await tui.press("<C-z>");
  assert.equal(tui.process.stopped, 1);
  assert.equal(tui.alternate, false);
  assert.equal(tui.input.raw, false);
  assert.equal(tui.emulator.modes.mouseTrackingMode, "none");
  tui.terminal.requestFrame();
  await tui.settle();
  assert.equal(tui.alternate, false, "nothing is drawn while stopped");
  tui.process.events.emit("SIGCONT");
  await tui.settle();
  assert.equal(tui.alternate, true);
  assert.equal(tui.input.raw, true);
  assert.equal(tui.emulator.modes.mouseTrackingMode, "vt200");
  assert.match(tui.row(1), /héllo 数据 ok/);
  tui.close();
});

test("who was stopped by somebody else takes the terminal back and draws over what a shell has written", async () => {
  const tui = await open({ mouse: true });
  const set: boolean[] = [];
  const setRawMode = tui.input.setRawMode.bind(tui.input);
  tui.input.setRawMode = (on) => {
    set.push(on);
    return setRawMode(on);
  };
  tui.emulator.write("\u001b[?1049l\u001b[?1000l\r\n[1]+  Stopped   latchkey\r\n$ ");
  await tui.settle();
  assert.equal(tui.alternate, false);
  tui.process.events.emit("SIGCONT");
  await tui.settle();
  assert.deepEqual(set, [false, true], "a mode that is on already would not be set");
  assert.equal(tui.alternate, true);
  assert.equal(tui.emulator.modes.mouseTrackingMode, "vt200");
  assert.match(tui.row(1), /héllo 数据 ok/);
  assert.equal(tui.find("Stopped"), undefined);
  tui.close();
});

test("continuing after a resize in the shell draws the new size", async () => {
  const tui = await open();
  await tui.press("<C-z>");
  tui.emulator.resize(90, 30);
  tui.output.columns = 90;
  tui.output.rows = 30;
  tui.process.events.emit("SIGCONT");
  await tui.settle();
  assert.match(tui.row(2), /90x30/);
  tui.close();
});

test("hooks run before the terminal is left for suspend and for good", async () => {
  const tui = await open();
  const seen: boolean[] = [];
  const stop = tui.terminal.onHide(() => seen.push(tui.alternate));
  await tui.press("<C-z>");
  tui.process.events.emit("SIGCONT");
  await tui.settle();
  tui.process.events.emit("SIGHUP");
  assert.deepEqual(seen, [true, true]);
  stop();
});

test("every size from 1x1 to 200x60 is drawn, in one storm of resizes", async () => {
  const tui = await open();
  const sizes = [120, 80, 200, 40, 20, 1, 120].map((cols) => [cols, Math.max(1, cols >> 2)]);
  for (const [cols = 1, rows = 1] of sizes) {
    await tui.resize(cols, rows);
    const small = cols < 60 || rows < 16;
    if (!small) assert.match(tui.row(2), new RegExp(`${cols}x${rows}`));
    else if (cols >= 20) assert.match(tui.text(), /too small/);
    const right = tui.emulator.buffer.active
      .getLine(0)
      ?.getCell(cols - 1)
      ?.getChars();
    if (!small) assert.equal(right, "┐");
  }
  assert.deepEqual(foreignBytes(tui.bytes()), []);
  tui.close();
});

test("thirty resizes in a row cost one drawing", async () => {
  const tui = await open();
  const before = tui.output.writes.length;
  for (let i = 0; i < 30; i += 1) {
    tui.output.columns = 100 + i;
    tui.output.emit("resize");
    tui.clock.advance(20);
  }
  assert.equal(tui.output.writes.length, before);
  tui.emulator.resize(129, 35);
  await tui.settle(200);
  assert.match(tui.row(2), /129x35/);
  tui.close();
});

test("in a window that is too small keys do nothing but quit", async () => {
  const events: InputEvent[] = [];
  const tui = await open({
    mount: (terminal) => {
      mountFilled(terminal);
      terminal.onInput((event) => events.push(event) > 0);
    },
  });
  await tui.resize(40, 10);
  assert.match(tui.text(), /40x10, needs 60x16/);
  await tui.press("d", "y");
  assert.deepEqual(events, []);
  await tui.press("<C-c>");
  assert.deepEqual(tui.process.exitCodes, [0]);
});

test("the mouse is left to the terminal unless asked for, then reports clicks only", async () => {
  const off = await open();
  assert.equal(off.emulator.modes.mouseTrackingMode, "none");
  off.terminal.setMouse(true);
  await off.settle();
  assert.equal(off.emulator.modes.mouseTrackingMode, "vt200");
  off.terminal.setMouse(false);
  await off.settle();
  assert.equal(off.emulator.modes.mouseTrackingMode, "none");
  assert.ok(!/\u001b\[\?100[235]h/.test(off.bytes()), "no motion, no UTF-8 coordinates");
  off.close();
});

test("many requests between two frames are one frame with the newest state", async () => {
  let value = 0;
  let painted = 0;
  const tui = await openTui({
    mount: (terminal, clock) => {
      terminal.addLayer(
        {
          paint: (painter) => {
            painted += 1;
            painter.text(0, 0, `value ${value}`);
          },
        },
        { opaque: true },
      );
      for (let i = 1; i <= 1000; i += 1) {
        clock.setTimer(() => {
          value = i;
          terminal.requestFrame();
        }, i);
      }
    },
  });
  await tui.settle(1000);
  assert.equal(tui.row(0), "value 1000");
  assert.ok(painted <= 12, `${painted} frames for 1.2 s`);
  tui.close();
});

test("a frame that changes nothing writes no cells", async () => {
  const tui = await open();
  const before = tui.output.writes.length;
  tui.terminal.requestFrame();
  await tui.settle();
  assert.equal(tui.output.writes.length, before);
  tui.close();
});

test("while the output cannot take more, frames wait for it", async () => {
  const tui = await open();
  tui.output.accepts = false;
  tui.terminal.redraw();
  const before = tui.output.writes.length;
  for (let i = 0; i < 20; i += 1) {
    tui.terminal.requestFrame();
    tui.clock.advance(100);
  }
  assert.equal(tui.output.writes.length, before);
  tui.output.accepts = true;
  tui.output.emit("drain");
  await tui.settle();
  tui.terminal.redraw();
  assert.ok(tui.output.writes.length > before);
  tui.close();
});

test("a link that takes long for a frame gets fewer of them, and recovers", async () => {
  let count = 0;
  const rates: number[] = [];
  const tui = await openTui({
    mount: (terminal) => {
      terminal.onRateChange((intervalMs) => rates.push(intervalMs));
      terminal.addLayer(
        { paint: (painter) => void painter.text(0, 0, `frame ${(count += 1)}`) },
        { opaque: true },
      );
    },
  });
  const pass = tui.output.onWrite;
  tui.output.onWrite = (text) => {
    tui.clock.block(200);
    pass(text);
  };
  for (let i = 0; i < 40; i += 1) {
    tui.terminal.requestFrame();
    tui.clock.advance(100);
  }
  assert.equal(tui.terminal.frameIntervalMs, 2000);
  tui.output.onWrite = pass;
  for (let i = 0; i < 500; i += 1) {
    tui.terminal.requestFrame();
    tui.clock.advance(100);
  }
  assert.equal(tui.terminal.frameIntervalMs, 100);
  assert.deepEqual(rates, [500, 1000, 2000, 1000, 500, 100]);
  tui.close();
});

test("frames are wrapped in synchronised updates only where that is understood", async () => {
  const kitty = await open({ env: { TERM: "xterm-kitty", LANG: "C.UTF-8" } });
  assert.ok(kitty.bytes().includes("\u001b[?2026h"));
  kitty.close();
  const plain = await open();
  assert.ok(!plain.bytes().includes("\u001b[?2026h"));
  plain.close();
});
