import assert from "node:assert/strict";
import { test } from "node:test";
import { createControl } from "../../tui/widgets/form-controls.js";
import { Form } from "../../tui/widgets/form.js";
import type { Field, FieldValues } from "../../tui/widgets/form-fields.js";
import { LineEditor } from "../../tui/widgets/line-editor.js";
import { ModalStack } from "../../tui/widgets/modal.js";
import { openTui, type TestTui } from "./harness.js";

const fields: readonly Field[] = [
  { kind: "text", name: "name", label: "Name", required: true, placeholder: "ci-bot" },
  {
    kind: "select",
    name: "owner",
    label: "Owner",
    choices: ["alice", "bob", "数据团队"].map((name) => ({ value: name, label: name })),
  },
  { kind: "masked", name: "secret", label: "Secret" },
  {
    kind: "number",
    name: "rate",
    label: "Rate",
    value: "60",
    width: 8,
    note: (value) => `${value} a minute`,
    check: (value) => (Number(value) > 100 ? "at most 100" : undefined),
  },
  { kind: "toggle", name: "public", label: "Public" },
  { kind: "text", name: "team", label: "Team", value: "ops", disabled: true },
];

interface Rig {
  readonly tui: TestTui;
  readonly form: Form;
  readonly submitted: FieldValues[];
  readonly modals: ModalStack;
}

async function openForm(): Promise<Rig> {
  const submitted: FieldValues[] = [];
  let modals: ModalStack | undefined;
  const form = new Form({
    fields,
    submitLabel: "Create",
    onSubmit: (values) => void submitted.push(values),
    onCancel: () => modals?.closeAll(),
  });
  const tui = await openTui({
    cols: 80,
    rows: 24,
    mount: (terminal) => {
      terminal.addLayer({ paint: (painter) => void painter.text(0, 0, "below") }, { opaque: true });
      const stack = new ModalStack(terminal);
      modals = stack;
      stack.open({ title: "New key", width: 60, height: 12, body: form });
      terminal.onInput((event) => stack.handle(event));
    },
  });
  assert.ok(modals !== undefined);
  return { tui, form, submitted, modals };
}

test("tab goes round all fields and both buttons, and never closes the form", async () => {
  const { tui, modals } = await openForm();
  for (let i = 0; i < 14; i += 1) {
    await tui.press("<tab>");
    assert.equal(modals.depth, 1);
  }
  await tui.press("<S-tab>");
  assert.match(tui.text(), /New key/);
  tui.close();
});

test("values typed in all kinds of fields are submitted", async () => {
  const { tui, submitted } = await openForm();
  await tui.type("ci-bot");
  await tui.press("<tab>", "<right>", "<right>", "<tab>");
  await tui.paste("sk-abc123\n");
  await tui.press("<tab>", "<backspace>", "<backspace>", "9", "x", "5", "<tab>", "<space>");
  assert.match(tui.text(), /95 a minute/);
  await tui.press("<tab>", "<enter>");
  assert.deepEqual(submitted, [
    {
      name: "ci-bot",
      owner: "数据团队",
      secret: "sk-abc123",
      rate: "95",
      public: "true",
      team: "ops",
    },
  ]);
  tui.close();
});

test("a form with a blank required field cannot be submitted and says why", async () => {
  const { tui, submitted } = await openForm();
  await tui.press("<C-s>");
  assert.deepEqual(submitted, []);
  assert.match(tui.text(), /✖ required/);
  await tui.press("<S-tab>", "<S-tab>");
  assert.match(tui.text(), /Name is required/);
  tui.close();
});

test("a wrong value is named below its field once it was left", async () => {
  const { tui, submitted } = await openForm();
  await tui.type("n");
  await tui.press("<tab>", "<tab>", "<tab>", "9", "<tab>");
  assert.match(tui.text(), /✖ at most 100/);
  await tui.press("<C-s>");
  assert.deepEqual(submitted, []);
  tui.close();
});

test("errors of the server stand at their field, get the focus, and go when it is changed", async () => {
  const { tui, form } = await openForm();
  await tui.press("<tab>", "<tab>");
  form.update({ errors: { name: "already taken" }, message: "not created" });
  tui.terminal.requestFrame();
  await tui.settle();
  assert.match(tui.text(), /✖ already taken/);
  assert.match(tui.text(), /✖ not created/);
  await tui.type("z");
  assert.equal(form.values["name"], "z");
  assert.doesNotMatch(tui.text(), /already taken|not created/);
  tui.close();
});

test("while busy nothing is changed and nothing is sent twice", async () => {
  const { tui, form, submitted } = await openForm();
  await tui.type("n");
  form.update({ busy: true });
  await tui.press("x", "<C-s>", "<C-s>");
  assert.match(tui.text(), /please wait/);
  assert.equal(form.values["name"], "n");
  assert.deepEqual(submitted, []);
  tui.close();
});

test("a masked field never reaches the terminal in clear", async () => {
  const { tui, form } = await openForm();
  await tui.press("<tab>", "<tab>");
  await tui.paste("sk-very-secret");
  assert.equal(form.values["secret"], "sk-very-secret");
  assert.match(tui.text(), /•{14}/);
  assert.ok(!tui.bytes().includes("very"));
  form.destroy();
  assert.equal(form.values["secret"], "");
  tui.close();
});

test("esc closes the modal, an arrow key that comes in pieces does not", async () => {
  const { tui, modals } = await openForm();
  tui.input.feed("\u001b");
  tui.clock.advance(40);
  tui.input.feed("[B");
  await tui.settle();
  assert.equal(modals.depth, 1);
  await tui.press("<esc>");
  assert.equal(modals.depth, 0);
  assert.doesNotMatch(tui.text(), /New key/);
  assert.match(tui.row(0), /below/);
  tui.close();
});

test("the cursor stands where the next character goes, and only in the focused field", async () => {
  const { tui } = await openForm();
  await tui.type("数a");
  const at = tui.find("数a");
  assert.ok(at !== undefined);
  assert.equal(tui.emulator.buffer.active.cursorX, at.x + 3);
  assert.equal(tui.emulator.buffer.active.cursorY, at.y);
  await tui.press("<left>");
  assert.equal(tui.emulator.buffer.active.cursorX, at.x + 2);
  tui.close();
});

test("a form taller than its room scrolls to the focused field", async () => {
  const many = Array.from({ length: 30 }, (_, i): Field => {
    return { kind: "text", name: `f${i}`, label: `Field ${i}` };
  });
  const form = new Form({
    fields: many,
    submitLabel: "Go",
    onSubmit: () => undefined,
    onCancel: () => undefined,
  });
  const tui = await openTui({
    cols: 80,
    rows: 20,
    mount: (terminal) => {
      terminal.addLayer(form, { opaque: true });
      terminal.onInput((event) => form.handle(event));
    },
  });
  assert.doesNotMatch(tui.text(), /Field 29/);
  await tui.press(...Array.from({ length: 29 }, () => "<tab>"));
  assert.match(tui.text(), /Field 29/);
  assert.match(tui.text(), /\[ Go \]/);
  tui.close();
});

test("a line is edited with the keys of a shell", async () => {
  const editor = new LineEditor({ value: "one two three" });
  const tui = await openTui({
    mount: (terminal) => {
      terminal.addLayer(
        { paint: (painter) => editor.paint(painter, { focused: true }) },
        { opaque: true },
      );
      terminal.onInput((event) => editor.handle(event));
    },
  });
  const steps: readonly (readonly [readonly string[], string])[] = [
    [["<left>", "<left>", "<left>", "Z"], "one two thZree"],
    [["<C-a>", "x"], "xone two thZree"],
    [["<C-e>", "!"], "xone two thZree!"],
    [["<C-w>"], "xone two "],
    [["<home>", "<delete>"], "one two "],
    [["<end>", "<backspace>"], "one two"],
    [["<C-a>", "<right>", "<right>", "<right>", "<C-k>"], "one"],
    [["<left>", "<C-u>"], "e"],
  ];
  for (const [keys, value] of steps) {
    await tui.press(...keys);
    assert.equal(editor.value, value, keys.join(" "));
  }
  tui.close();
});

test("a paste of any length is drawn in one frame", async () => {
  const editor = new LineEditor();
  const tui = await openTui({
    mount: (terminal) => {
      terminal.addLayer(
        { paint: (painter) => editor.paint(painter, { focused: true }) },
        { opaque: true },
      );
      terminal.onInput((event) => editor.handle(event));
    },
  });
  const before = tui.output.writes.length;
  await tui.paste("k".repeat(500));
  assert.equal(editor.value.length, 500);
  assert.equal(tui.output.writes.length, before + 1);
  tui.close();
});

test("clusters are edited as a whole and controls never get in", async () => {
  const editor = new LineEditor({ value: "a👨‍👩‍👧é" });
  editor.handle({ type: "key", name: "left", text: "" });
  editor.handle({ type: "key", name: "backspace", text: "" });
  assert.equal(editor.value, "aé");
  editor.handle({ type: "paste", text: "x\u001b[31m\r\ny", truncated: false });
  assert.equal(editor.value, "ax[31m yé");
});

test("letters typed on a choice spell it", async () => {
  const { tui, form } = await openForm();
  const field: Field = {
    kind: "select",
    name: "provider",
    label: "Provider",
    choices: ["Alibaba (alibaba)", "Anthropic (anthropic)", "Fake (fake)", "智谱 (zhipu)"].map(
      (label) => ({ value: label, label }),
    ),
  };
  const choice = createControl(field);
  const type = (text: string): void => {
    for (const char of text) choice.handle({ type: "key", name: char, text: char });
  };
  type("fake");
  assert.equal(choice.value, "Fake (fake)");
  type("an");
  assert.equal(choice.value, "Anthropic (anthropic)");
  type("zhi");
  assert.equal(choice.value, "智谱 (zhipu)", "a word inside will do");
  type("aa");
  assert.equal(choice.value, "Anthropic (anthropic)", "the same letter goes round");
  form.destroy();
  tui.close();
});

test("a form that cannot be sent goes to the field that is in the way", async () => {
  const { tui, form, submitted } = await openForm();
  await tui.press("<tab>", "<tab>");
  await tui.type("s");
  await tui.press("<C-s>");
  assert.deepEqual(submitted, []);
  await tui.type("ci");
  assert.equal(form.values["name"], "ci");
  await tui.press("<C-s>");
  assert.equal(submitted.length, 1);
  tui.close();
});

test("the last field of a short form sends it with Enter", async () => {
  const submitted: FieldValues[] = [];
  const short = new Form({
    fields: [
      { kind: "text", name: "username", label: "Username", required: true },
      { kind: "masked", name: "password", label: "Password", required: true },
    ],
    submitLabel: "Sign in",
    enterSubmits: true,
    onSubmit: (values) => void submitted.push(values),
    onCancel: () => undefined,
  });
  const press = (name: string, text = ""): void => void short.handle({ type: "key", name, text });
  press("b", "b");
  press("enter");
  press("p", "p");
  press("enter");
  assert.deepEqual(submitted, [{ username: "b", password: "p" }]);
});

test("a text that is too long is not cut in silence", async () => {
  const { tui, form, submitted } = await openForm();
  await tui.type("ci");
  await tui.press("<tab>", "<tab>");
  await tui.paste("k".repeat(10_240));
  assert.equal(form.values["secret"]?.length, 8192);
  await tui.press("<C-s>");
  assert.deepEqual(submitted, []);
  assert.ok(tui.find("more than 8192 characters: the end was left out"), tui.text());
  await tui.press("<C-u>");
  await tui.paste("sk-right");
  await tui.press("<C-s>");
  assert.equal(submitted[0]?.["secret"], "sk-right");
  tui.close();
});
