import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { builtinModules } from "node:module";
import test from "node:test";
import { promisify } from "node:util";

/** What a start does before it changes V8's flags, and then all that it loads. */
const PROGRAM = `
  await import(${JSON.stringify(new URL("./node-modules.js", import.meta.url).href)});
  const early = new Set(process.moduleLoadList);
  await import(${JSON.stringify(new URL("./run.js", import.meta.url).href)});
  const late = process.moduleLoadList.filter((name) => !early.has(name));
  console.log(JSON.stringify({ early: early.size, late }));
`;

test("nothing that a server uses of Node is loaded after V8's flags have been changed", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--input-type=module",
    "-e",
    PROGRAM,
  ]);
  const { early, late } = JSON.parse(stdout) as { early: number; late: readonly string[] };
  assert.ok(early > 0);
  const asked = new Set(builtinModules.map((name) => `NativeModule ${name}`));
  assert.deepEqual(
    late.filter((name) => asked.has(name)),
    [],
  );
});
