import assert from "node:assert/strict";
import { test } from "node:test";
import { dispatch, Keymap, keyLabel, reachable, type Binding } from "./keymap.js";

const ran: string[] = [];

function binding(action: string, keys: readonly string[], extra: Partial<Binding> = {}): Binding {
  return {
    action,
    keys,
    description: action,
    group: "TEST",
    run: () => void ran.push(action),
    ...extra,
  };
}

function press(name: string) {
  return { type: "key", name, text: "" } as const;
}

test("the most specific map answers first", () => {
  const view = new Keymap([binding("view.down", ["j"])]);
  const global = new Keymap([binding("global.j", ["j"]), binding("quit", ["q"])]);
  ran.length = 0;
  dispatch([view, global], press("j"));
  dispatch([view, global], press("q"));
  assert.deepEqual(ran, ["view.down", "quit"]);
  assert.equal(dispatch([view, global], press("x")).kind, "unbound");
});

test("a disabled binding does not run, gives its reason and hides what is below it", () => {
  const view = new Keymap([binding("view.x", ["x"], { disabledReason: () => "read-only" })]);
  const global = new Keymap([binding("global.x", ["x"])]);
  ran.length = 0;
  const result = dispatch([view, global], press("x"));
  assert.equal(result.kind === "disabled" && result.reason, "read-only");
  assert.deepEqual(ran, []);
});

test("a key bound twice in one map is a bug and says where", () => {
  assert.throws(
    () => new Keymap([binding("a", ["x"]), binding("b", ["y", "x"])]),
    /key x is bound to both a and b/,
  );
});

test("only keys that still reach a binding are offered for it", () => {
  const view = new Keymap([binding("view.x", ["x"])]);
  const global = new Keymap([binding("quit", ["q"]), binding("more", ["x", "y"])]);
  const shadow = new Keymap([binding("never", ["q"])]);
  assert.deepEqual(
    reachable([view, global, shadow]).map((one) => [one.binding.action, one.keys]),
    [
      ["view.x", ["x"]],
      ["quit", ["q"]],
      ["more", ["y"]],
    ],
  );
});

test("keys are written as people know them", () => {
  assert.deepEqual(["ctrl-d", "shift-tab", "pagedown", "G"].map(keyLabel), [
    "C-d",
    "S-tab",
    "pgdn",
    "G",
  ]);
});
