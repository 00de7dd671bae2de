import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { createLogOutput } from "../../server/observe/log-output.js";

test("lines that wait when the process ends are written first", (t) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "latchkey-log-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, "log");
  const output = createLogOutput({ fd: openSync(file, "a") });
  for (let i = 0; i < 1000; i++) output.write(`line ${i}\n`);
  output.flush();
  assert.equal(readFileSync(file, "utf8").split("\n").length, 1001);
  assert.equal(output.droppedLines, 0);
});

test("a reader that does not read costs lines, counted, and neither memory nor time", async () => {
  const output = new URL("../../server/observe/log-output.js", import.meta.url).href;
  const script = `
    import { createLogOutput } from ${JSON.stringify(output)};
    const log = createLogOutput({ waitingBytesMax: 100_000 });
    const line = "x".repeat(999) + "\\n";
    for (let turn = 0; turn < 100; turn++) {
      for (let i = 0; i < 50; i++) log.write(line);
      await new Promise((resolve) => setImmediate(resolve));
    }
    process.stdout.write(String(log.droppedLines));
    process.kill(process.pid, "SIGKILL");
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    // Its standard error is a pipe that is never read.
    stdio: ["ignore", "pipe", "pipe"],
  });
  let told = "";
  child.stdout.on("data", (chunk: Buffer) => (told += chunk.toString()));
  await once(child, "exit");
  const dropped = Number(told);
  assert.ok(dropped > 4000 && dropped < 5000, told);
});
