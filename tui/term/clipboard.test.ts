import assert from "node:assert/strict";
import { test } from "node:test";
import { Clipboard, osc52EncodedBytesMax } from "./clipboard.js";
import type { Environment } from "./environment.js";

interface Call {
  readonly command: string;
  readonly args: readonly string[];
  readonly input: string;
}

function rig(env: Environment, works: (call: Call) => boolean = () => true) {
  const calls: Call[] = [];
  const sent: string[] = [];
  const clipboard = new Clipboard({
    env,
    send: (sequence) => void sent.push(sequence),
    run: async (command, args, input) => {
      const call = { command, args, input };
      calls.push(call);
      return works(call);
    },
  });
  return { clipboard, calls, sent };
}

const tmux = { TMUX: "/tmp/tmux-0/default,1,0" };

test("inside tmux the text goes through a buffer that is deleted again", async () => {
  const { clipboard, calls, sent } = rig(tmux);
  const result = await clipboard.copy("sk-lk_secret");
  assert.deepEqual(calls, [
    { command: "tmux", args: ["load-buffer", "-w", "-b", "latchkey", "-"], input: "sk-lk_secret" },
    { command: "tmux", args: ["delete-buffer", "-b", "latchkey"], input: "" },
  ]);
  assert.deepEqual(result, { ok: true, method: "tmux", message: "sent 12 bytes via tmux" });
  assert.deepEqual(sent, []);
});

test("a buffer that could not be deleted is named", async () => {
  const { clipboard } = rig(tmux, (call) => call.args[0] === "load-buffer");
  assert.match((await clipboard.copy("x")).message, /still in the tmux buffer "latchkey"/);
});

test("an old tmux falls back to the terminal's own sequence", async () => {
  const { clipboard, sent } = rig(tmux, () => false);
  assert.equal((await clipboard.copy("hi")).method, "osc52");
  assert.deepEqual(sent, ["\u001b]52;c;aGk=\u0007"]);
});

test("over SSH the sequence is used even with a forwarded display", async () => {
  const { clipboard, calls } = rig({ SSH_CONNECTION: "a b c d", DISPLAY: ":10" });
  assert.equal((await clipboard.copy("数据")).method, "osc52");
  assert.deepEqual(calls, []);
});

test("on a desktop the first program that works is used, by standard input only", async () => {
  const { clipboard, calls, sent } = rig({ DISPLAY: ":0" }, (call) => call.command === "xsel");
  const result = await clipboard.copy("secret");
  assert.equal(result.message, "copied 6 bytes with xsel");
  assert.deepEqual(
    calls.map((call) => call.command),
    ["xclip", "xsel"],
  );
  assert.ok(calls.every((call) => !call.args.join(" ").includes("secret")));
  assert.deepEqual(sent, []);
});

test("wayland programs come first on wayland", async () => {
  const { clipboard, calls } = rig({ WAYLAND_DISPLAY: "wayland-0" });
  await clipboard.copy("x");
  assert.equal(calls[0]?.command, "wl-copy");
});

test("GNU screen gets its envelope in pieces it can take", async () => {
  const { clipboard, sent } = rig({ STY: "1.pts-0" });
  await clipboard.copy("x".repeat(200));
  const pieces = (sent[0] ?? "").split("\u001b\\").filter((piece) => piece !== "");
  assert.ok(pieces.every((piece) => piece.startsWith("\u001bP") && piece.length <= 78));
  const inner = pieces.map((piece) => piece.slice(2)).join("");
  assert.equal(inner, `\u001b]52;c;${Buffer.from("x".repeat(200)).toString("base64")}\u0007`);
});

test("more than terminals take is refused instead of cut", async () => {
  const { clipboard, sent } = rig({});
  const result = await clipboard.copy("x".repeat(osc52EncodedBytesMax));
  assert.equal(result.ok, false);
  assert.deepEqual(sent, []);
});

test("the setting forces one way or none", async () => {
  const off = rig({ ...tmux, LATCHKEY_CLIPBOARD: "off" });
  assert.equal((await off.clipboard.copy("x")).ok, false);
  assert.deepEqual([off.calls, off.sent], [[], []]);
  const osc = rig({ ...tmux, LATCHKEY_CLIPBOARD: "osc52" });
  assert.equal((await osc.clipboard.copy("x")).method, "osc52");
  const command = rig({ SSH_TTY: "/dev/pts/0", LATCHKEY_CLIPBOARD: "command" }, () => false);
  assert.equal((await command.clipboard.copy("x")).message, "no way to the clipboard worked");
});

test("no message holds the text that was copied", async () => {
  for (const env of [tmux, {}, { DISPLAY: ":0" }]) {
    const result = await rig(env).clipboard.copy("sk-lk_secret");
    assert.ok(!result.message.includes("sk-lk_secret"));
  }
});
