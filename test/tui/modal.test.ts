import assert from "node:assert/strict";
import { test } from "node:test";
import { confirm, type ConfirmOptions } from "../../tui/widgets/confirm.js";
import { ModalStack } from "../../tui/widgets/modal.js";
import { openTui, type TestTui } from "./harness.js";

interface Rig {
  readonly tui: TestTui;
  readonly modals: ModalStack;
  readonly below: string[];
}

async function openStack(): Promise<Rig> {
  const below: string[] = [];
  let modals: ModalStack | undefined;
  const tui = await openTui({
    cols: 80,
    rows: 24,
    mount: (terminal) => {
      const stack = new ModalStack(terminal);
      modals = stack;
      const line = "数据".repeat(20);
      terminal.addLayer(
        {
          paint: (painter) => {
            for (let y = 0; y < painter.height; y += 1) painter.text(y % 2, y, line);
            painter.cursor(0, 0);
          },
        },
        { opaque: true },
      );
      terminal.onInput((event) => {
        if (stack.handle(event)) return true;
        if (event.type === "key") below.push(event.name);
        return false;
      });
    },
  });
  assert.ok(modals !== undefined);
  return { tui, modals, below };
}

const filler = { paint: (): void => undefined };

async function ask(
  options: Partial<ConfirmOptions> = {},
): Promise<Rig & { readonly answers: string[] }> {
  const rig = await openStack();
  const answers: string[] = [];
  confirm(rig.modals, {
    title: "Revoke ci-bot?",
    text: ["Calls with this key fail at once."],
    action: "Revoke",
    onConfirm: () => answers.push("yes"),
    onCancel: () => answers.push("no"),
    ...options,
  });
  await rig.tui.settle();
  return { ...rig, answers };
}

test("a modal covers what lies below it, halves of wide characters included", async () => {
  const { tui, modals } = await openStack();
  modals.open({ title: "Over", width: 31, height: 5, body: filler });
  await tui.settle();
  const at = tui.find("┌─ Over");
  assert.ok(at !== undefined);
  for (let y = at.y; y < at.y + 7; y += 1) {
    const left = tui.cell(at.x, y).char;
    const right = tui.cell(at.x + 34, y).char;
    assert.match(left + right, y === at.y ? /┌┐/ : y === at.y + 6 ? /└┘/ : /││/);
    assert.match(tui.row(y).slice(0, 2), /[数据 ]/);
  }
  assert.equal(
    tui.cell(at.x + 5, at.y + 2).char.trim(),
    "",
    "nothing of the row below shows through",
  );
  tui.close();
});

test("closing a modal brings back every cell that was below it", async () => {
  const { tui, modals } = await openStack();
  const before = tui.text();
  const modal = modals.open({ title: "Over", width: 31, height: 5, body: filler });
  await tui.settle();
  assert.notEqual(tui.text(), before);
  modal.close();
  await tui.settle();
  assert.equal(tui.text(), before);
  tui.close();
});

test("the cursor of the view below is hidden while a modal is open", async () => {
  const { tui, modals } = await openStack();
  const shown = (): boolean =>
    tui.bytes().lastIndexOf("\u001b[?25h") > tui.bytes().lastIndexOf("\u001b[?25l");
  assert.equal(shown(), true);
  modals.open({ title: "Over", width: 31, height: 5, body: filler });
  await tui.settle();
  assert.equal(shown(), false);
  tui.close();
});

test("no key falls through an open modal, but ctrl-c still quits", async () => {
  const { tui, modals, below } = await openStack();
  modals.open({ title: "Over", width: 31, height: 5, body: filler });
  await tui.press("d", "<C-d>", "q", "<tab>", "<enter>");
  assert.deepEqual(below, []);
  await tui.press("<C-c>");
  assert.deepEqual(tui.process.exitCodes, [0]);
});

test("esc closes only the top modal, each modal closes once", async () => {
  const { tui, modals } = await openStack();
  const closed: string[] = [];
  modals.open({ title: "A", width: 31, height: 5, body: filler, onClose: () => closed.push("A") });
  const top = modals.open({
    title: "B",
    width: 20,
    height: 3,
    body: filler,
    onClose: () => closed.push("B"),
  });
  await tui.press("<esc>");
  top.close();
  assert.deepEqual(closed, ["B"]);
  assert.equal(modals.depth, 1);
  await tui.press("<esc>");
  assert.deepEqual(closed, ["B", "A"]);
  tui.close();
});

test("a modal larger than the window leaves the last row to its keys", async () => {
  const { tui, modals } = await openStack();
  modals.open({ title: "Large", width: 500, height: 500, body: filler });
  await tui.settle();
  assert.equal(tui.cell(79, 0).char, "┐");
  assert.equal(tui.cell(79, 22).char, "┘");
  tui.close();
});

test("a bare Enter never confirms: Cancel has the focus", async () => {
  const { tui, answers } = await ask();
  await tui.press("<enter>");
  assert.deepEqual(answers, ["no"]);
  tui.close();
});

test("y confirms, n and esc do not", async () => {
  const yes = await ask();
  await yes.tui.press("y");
  assert.deepEqual(yes.answers, ["yes"]);
  yes.tui.close();
  for (const key of ["n", "<esc>"]) {
    const no = await ask();
    await no.tui.press(key);
    assert.deepEqual(no.answers, ["no"], key);
    no.tui.close();
  }
});

test("tab and enter confirm in two steps", async () => {
  const { tui, answers } = await ask();
  await tui.press("<tab>", "<enter>");
  assert.deepEqual(answers, ["yes"]);
  tui.close();
});

test("what cannot be undone needs the name typed, and a paste does not count", async () => {
  const { tui, answers } = await ask({ typeName: "prod-main", action: "Delete" });
  await tui.press("y", "<enter>");
  assert.deepEqual(answers, []);
  await tui.press("<C-u>");
  await tui.paste("prod-main");
  await tui.press("<enter>");
  assert.deepEqual(answers, []);
  await tui.type("prod-main");
  await tui.press("<enter>");
  assert.deepEqual(answers, ["yes"]);
  tui.close();
});

test("a name that cannot be typed anywhere or read whole needs no more than the end of the id", async () => {
  for (const name of ["🚀 deploy", "مفتاح", "生产环境", "x".repeat(64), "ends in a space "]) {
    const { tui, answers } = await ask({ typeName: name, id: "pk_01m82n4crach", action: "Delete" });
    assert.match(tui.text(), /Type its name, or 4crach, the end of its id/);
    await tui.type("crach");
    await tui.press("<enter>");
    assert.deepEqual(answers, []);
    await tui.press("<C-u>");
    await tui.type("4crach");
    await tui.press("<enter>");
    assert.deepEqual(answers, ["yes"], name);
    tui.close();
  }
  const plain = await ask({ typeName: "prod-main", id: "pk_01m82n4crach", action: "Delete" });
  assert.match(plain.tui.text(), /Type prod-main/);
  await plain.tui.type("4crach");
  await plain.tui.press("<enter>");
  assert.deepEqual(plain.answers, []);
  plain.tui.close();
});
