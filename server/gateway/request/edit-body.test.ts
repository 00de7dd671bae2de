import assert from "node:assert/strict";
import { test } from "node:test";
import { renameInside } from "./edit-body.js";

test("a model that a request of Google's names again is renamed wherever it is one, and nowhere else", () => {
  const rename = (text: string): string =>
    renameInside(Buffer.from(text), "ge/m", "real-ü").toString();
  for (const [given, expected] of [
    ['{"model":"models/ge/m"}', '{"model":"models/real-ü"}'],
    [
      '{"requests":[{"model" :\r\n\t "models/ge/m"}]}',
      '{"requests":[{"model" :\r\n\t "models/real-ü"}]}',
    ],
    [
      '[{"model":"models/ge/m"},{"model":"models/ge/m"}]',
      '[{"model":"models/real-ü"},{"model":"models/real-ü"}]',
    ],
  ] as const) {
    assert.equal(rename(given), expected);
  }
  for (const other of [
    '{"model":"models/ge/mm"}',
    '{"model":"models/ge"}',
    '{"model":["models/ge/m"]}',
    '{"the_model":"models/ge/m"}',
    JSON.stringify({ text: '"model":"models/ge/m"' }),
    '"models/ge/m"',
    ':"models/ge/m"',
  ]) {
    assert.equal(rename(other), other);
  }
  const same = Buffer.from('{"model":"models/other"}');
  assert.equal(renameInside(same, "ge/m", "real"), same, "it is not copied where nothing changes");
});
