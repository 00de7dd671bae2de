import { systemClock } from "../../tui/term/clock.js";
import { nodeProcess } from "../../tui/term/process-port.js";
import { createTerminal } from "../../tui/term/terminal.js";

/*
 * A dashboard of one line on a real terminal, for the tests of whole processes: `q` quits and `x`
 * is a bug.
 */
const terminal = createTerminal({
  input: process.stdin,
  output: process.stdout,
  env: process.env,
  clock: systemClock(),
  process: nodeProcess(),
  mouse: true,
});
terminal.addLayer(
  {
    paint: (painter) => {
      painter.text(0, 0, `READY pid=${process.pid} ${painter.width}x${painter.height}`);
    },
  },
  { opaque: true },
);
terminal.onInput((event) => {
  if (event.type !== "key") return false;
  if (event.name === "x") throw new Error("a bug in a view");
  if (event.name === "q") terminal.quit(0);
  return event.name === "q";
});
