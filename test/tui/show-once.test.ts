import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Clipboard } from "../../tui/term/clipboard.js";
import { writeSecretFile } from "../../tui/term/secret-file.js";
import { ModalStack } from "../../tui/widgets/modal.js";
import { showOnce } from "../../tui/widgets/show-once.js";
import { openTui, type TestTui } from "./harness.js";

const secret = "sk-lk_3fVbV9leGFtcGxlX25vdF9hX3JlYWxfa2V5XzEyMzQ1Dv6w";

interface Rig {
  readonly tui: TestTui;
  readonly outcome: string[];
  readonly modals: ModalStack;
  readonly hide: () => void;
  /** Bytes written since the last call. */
  readonly newBytes: () => string;
}

async function openSecret(context: TestContext, text = secret): Promise<Rig & { folder: string }> {
  const folder = mkdtempSync(join(tmpdir(), "latchkey-show-once-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const outcome: string[] = [];
  let modals: ModalStack | undefined;
  let shown: { hide(): void } | undefined;
  const tui = await openTui({
    cols: 80,
    rows: 24,
    mount: (terminal, clock) => {
      terminal.addLayer(
        { paint: (painter) => void painter.text(0, 5, "table below") },
        { opaque: true },
      );
      const stack = new ModalStack(terminal);
      modals = stack;
      terminal.onInput((event) => stack.handle(event));
      const clipboard = new Clipboard({
        env: {},
        send: (sequence) => terminal.send(sequence),
        run: async () => false,
      });
      shown = showOnce(stack, {
        title: "Key created",
        facts: [["Name", "ci-bot"]],
        secret: text,
        fileName: join(folder, "ci-bot.key"),
        clock,
        copy: (value) => clipboard.copy(value),
        writeFile: writeSecretFile,
        onDiscard: () => outcome.push("discarded"),
        onSaved: () => outcome.push("saved"),
        requestFrame: () => terminal.requestFrame("input"),
        redraw: () => terminal.redraw(),
        onHide: (hook) => terminal.onHide(hook),
      });
    },
  });
  let at = 0;
  const newBytes = (): string => {
    const fresh = tui.bytes().slice(at);
    at = tui.bytes().length;
    return fresh;
  };
  assert.ok(modals !== undefined && shown !== undefined);
  const { hide } = { hide: () => shown?.hide() };
  return { tui, outcome, modals, hide, newBytes, folder };
}

test("nothing of the secret is written before it is asked for", async (context) => {
  const { tui } = await openSecret(context);
  assert.match(tui.text(), /shown ONCE/);
  assert.match(tui.text(), /^•{24}$/m);
  assert.ok(!tui.bytes().includes("sk-lk"));
  assert.doesNotMatch(tui.text(), /table below/, "nothing else is on the screen");
  tui.close();
});

test("revealed, the secret stands alone on its row and hides again on v", async (context) => {
  const { tui } = await openSecret(context);
  await tui.press("v");
  const at = tui.find(secret);
  assert.deepEqual(at, { x: 0, y: 4 });
  assert.equal(tui.row(4), secret);
  await tui.press("v");
  assert.equal(tui.find(secret), undefined);
  tui.close();
});

test("it hides itself after five minutes, counting down", async (context) => {
  const { tui } = await openSecret(context);
  await tui.press("v");
  assert.match(tui.text(), /hides in 0[45]:\d\d/);
  await tui.settle(4 * 60_000);
  assert.notEqual(tui.find(secret), undefined);
  await tui.settle(60_000);
  assert.equal(tui.find(secret), undefined);
  tui.close();
});

test("esc does not close it; the last four characters do", async (context) => {
  const { tui, outcome, modals } = await openSecret(context);
  await tui.press("<esc>");
  assert.equal(modals.depth, 1);
  assert.match(tui.text(), /type the last 4 characters/);
  await tui.press("<tab>");
  await tui.type("wxyz");
  assert.match(tui.text(), /these are not the last characters/);
  assert.equal(modals.depth, 1);
  await tui.type("Dv6w");
  assert.equal(modals.depth, 0);
  assert.deepEqual(outcome, ["saved"]);
  tui.close();
});

test("after closing it is in no cell and in no byte written since", async (context) => {
  const { tui, newBytes } = await openSecret(context);
  await tui.press("v", "<tab>");
  assert.ok(newBytes().includes(secret));
  await tui.type("Dv6w");
  const after = newBytes();
  assert.ok(after.includes("\u001b[2J"), "the whole screen is cleared");
  assert.ok(!after.includes(secret.slice(0, 12)));
  await tui.press("<C-l>");
  await tui.resize(100, 30);
  assert.ok(!newBytes().includes(secret.slice(0, 12)));
  for (let y = 0; y < 30; y += 1) assert.ok(!tui.row(y).includes(secret.slice(0, 12)));
  assert.match(tui.row(5), /table below/);
  tui.close();
});

test("giving it up asks first, with Cancel in front, then revokes", async (context) => {
  const { tui, outcome, modals } = await openSecret(context);
  await tui.press("v", "D");
  assert.equal(tui.find(secret), undefined, "hidden while the question stands");
  await tui.press("<enter>");
  assert.equal(modals.depth, 1);
  await tui.press("D", "y");
  assert.equal(modals.depth, 0);
  assert.deepEqual(outcome, ["discarded"]);
  tui.close();
});

test("copying says what was sent, not that it arrived", async (context) => {
  const { tui } = await openSecret(context);
  await tui.press("c");
  await tui.settle();
  assert.deepEqual(tui.clipboard, [secret]);
  assert.match(tui.text(), /sent \d+ bytes to the terminal \(OSC 52\)/);
  assert.equal(tui.find(secret), undefined, "copying does not reveal");
  tui.close();
});

test("it is written to a new file that only its owner can read", async (context) => {
  const { tui, folder } = await openSecret(context);
  await tui.press("w", "<enter>");
  const path = join(folder, "ci-bot.key");
  assert.equal(readFileSync(path, "utf8"), secret);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.match(tui.text(), /\(0600\)/);
  tui.close();
});

test("an existing file or link is never written over", async (context) => {
  const { tui, folder } = await openSecret(context);
  const path = join(folder, "ci-bot.key");
  writeFileSync(path, "mine");
  await tui.press("w", "<enter>");
  assert.match(tui.text(), /already exists/);
  assert.equal(readFileSync(path, "utf8"), "mine");
  rmSync(path);
  symlinkSync(join(folder, "elsewhere"), path);
  await tui.press("<enter>");
  assert.match(tui.text(), /already exists/);
  assert.throws(() => readFileSync(join(folder, "elsewhere")));
  tui.close();
});

test("a folder that does not exist is named, and the path can be changed", async (context) => {
  const { tui, folder } = await openSecret(context);
  await tui.press("w", "<C-u>");
  await tui.type(join(folder, "no", "such.key"));
  await tui.press("<enter>");
  assert.match(tui.text().replaceAll("\n", ""), /does not exist/);
  await tui.press("<C-u>");
  await tui.type(join(folder, "b"));
  await tui.press("<enter>");
  assert.equal(readFileSync(join(folder, "b"), "utf8"), secret);
  tui.close();
});

test("suspending and a lost connection hide it first", async (context) => {
  const { tui, hide, newBytes } = await openSecret(context);
  await tui.press("v");
  await tui.press("<C-z>");
  tui.process.events.emit("SIGCONT");
  newBytes();
  await tui.settle();
  assert.equal(tui.find(secret), undefined);
  await tui.press("v");
  assert.notEqual(tui.find(secret), undefined);
  hide();
  await tui.settle();
  assert.equal(tui.find(secret), undefined);
  tui.close();
});

test("on hang-up the screen is cleared while the secret is shown", async (context) => {
  const { tui, newBytes } = await openSecret(context);
  await tui.press("v");
  newBytes();
  tui.process.events.emit("SIGHUP");
  const bytes = newBytes();
  assert.ok(bytes.indexOf("\u001b[2J") >= 0);
  assert.ok(bytes.indexOf("\u001b[2J") < bytes.indexOf("\u001b[?1049l"));
  assert.ok(!bytes.includes(secret));
});

test("a secret longer than the window goes on at column 0 without anything beside it", async (context) => {
  const long = `sk-${"a".repeat(150)}END1`;
  const { tui } = await openSecret(context, long);
  await tui.press("v");
  assert.equal(tui.row(4) + tui.row(5), long);
  tui.close();
});
