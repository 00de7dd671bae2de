import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, watch } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";

/** util-linux `script` gives a process a real terminal without any native module. */
const hasScript = spawnSync("script", ["--version"]).status === 0;
const skip = hasScript ? false : "needs script(1) of util-linux";

/** Only so that a demo that hangs fails the test instead of holding up the whole run. */
const timeout = 60_000;

const demo = new URL("../../scripts/demo/main.js", import.meta.url).href;

test(
  "a demo whose terminal is gone, as when SSH breaks off, leaves nothing behind",
  { skip, timeout },
  async (context) => {
    const temporary = mkdtempSync(path.join(os.tmpdir(), "latchkey-gone-"));
    context.after(() => {
      rmSync(temporary, { recursive: true, force: true });
    });
    const run = `import(${JSON.stringify(demo)}).then(({ main }) => main([]))`;
    const command = `stty cols 80 rows 24; exec "${process.execPath}" --input-type=module -e '${run}'`;
    const child = spawn("script", ["-qfec", command, "/dev/null"], {
      env: {
        ...process.env,
        TERM: "xterm-256color",
        LANG: "C.UTF-8",
        TMUX: "",
        TMPDIR: temporary,
      },
    });
    let shown = "";
    child.stdout.setEncoding("utf8");
    child.stdout.on("data", (text: string) => (shown += text));
    while (!shown.includes("Overview")) await once(child.stdout, "data");
    assert.equal(readdirSync(temporary).length, 1, "the demo has a folder of its own");
    const changes = watch(temporary);
    child.kill("SIGKILL");
    while (readdirSync(temporary).length > 0) await once(changes, "change");
    changes.close();
  },
);
