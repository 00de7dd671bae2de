import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from "node:child_process";
import { fileURLToPath } from "node:url";
import { test, type TestContext } from "node:test";

/** util-linux `script` gives a process a real terminal without any native module. */
const hasScript = spawnSync("script", ["--version"]).status === 0;
const skip = hasScript ? false : "needs script(1) of util-linux";

/** Only so that a broken dashboard fails the test instead of holding up the whole run. */
const timeout = 30_000;

const fixture = fileURLToPath(new URL("fixture-dashboard.js", import.meta.url));

interface Session {
  readonly child: ChildProcessWithoutNullStreams;
  /** Waits until the output holds what is asked for. */
  readonly until: (wanted: RegExp) => Promise<RegExpExecArray>;
}

/** Runs the fixture on a real terminal, then prints its exit code and the terminal's settings. */
function startSession(context: TestContext): Session {
  const command = `stty cols 90 rows 20; "${process.execPath}" "${fixture}"; echo "code=$?"; stty -a; echo DONE`;
  const child = spawn("script", ["-qfec", command, "/dev/null"], {
    env: { ...process.env, TERM: "xterm-256color", LANG: "C.UTF-8", TMUX: "" },
  });
  context.after(() => child.kill());
  let output = "";
  const waiters = new Set<() => void>();
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (text: string) => {
    output += text;
    for (const waiter of waiters) waiter();
  });
  const until = (wanted: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const check = (): void => {
        const found = wanted.exec(output);
        if (found === null) return;
        waiters.delete(check);
        resolve(found);
      };
      waiters.add(check);
      child.once("exit", () => {
        check();
        reject(new Error(`ended without ${String(wanted)}: ${JSON.stringify(output)}`));
      });
      check();
    });
  return { child, until };
}

function assertRestored(rest: string, code: number): void {
  assert.match(rest, new RegExp(`code=${code}\\b`));
  assert.match(rest, /[^-]icanon/, "lines are edited by the terminal again");
  assert.match(rest, /[^-]echo /, "what is typed is shown again");
  const left = rest.indexOf("\u001b[?1049l");
  assert.ok(left >= 0 && left < rest.indexOf("code="), "the normal screen is back");
  for (const mode of ["\u001b[?1000l", "\u001b[?2004l", "\u001b[?25h"]) {
    assert.ok(rest.includes(mode), JSON.stringify(mode));
  }
}

test("quitting leaves a real terminal as it was", { skip, timeout }, async (context) => {
  const { child, until } = startSession(context);
  await until(/READY[^]*90x20/);
  child.stdin.write("q");
  const done = await until(/READY([^]*)DONE/);
  assertRestored(done[1] ?? "", 0);
});

test(
  "a bug in a view leaves a real terminal as it was, with one line",
  { skip, timeout },
  async (context) => {
    const { child, until } = startSession(context);
    await until(/READY[^]*90x20/);
    child.stdin.write("x");
    const done = await until(/READY([^]*)DONE/);
    assertRestored(done[1] ?? "", 1);
    const after = (done[1] ?? "").split("\u001b[?1049l")[1] ?? "";
    assert.match(after, /latchkey: the dashboard stopped: a bug in a view\./);
    assert.doesNotMatch(after, /\n\s+at /, "no stack trace over the prompt");
  },
);

test("SIGTERM leaves a real terminal as it was", { skip, timeout }, async (context) => {
  const { until } = startSession(context);
  const ready = await until(/pid=(\d+)/);
  process.kill(Number(ready[1]), "SIGTERM");
  const done = await until(/READY([^]*)DONE/);
  assertRestored(done[1] ?? "", 143);
});
