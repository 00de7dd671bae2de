import assert from "node:assert/strict";
import { test } from "node:test";
import { webOrigin } from "./web-origin.js";

test("an origin is written as browsers write it, and what is none is refused", () => {
  for (const [given, origin] of [
    ["https://app.example", "https://app.example"],
    ["HTTPS://App.Example:443/", "https://app.example"],
    ["http://localhost:3000", "http://localhost:3000"],
    ["http://[::1]:80", "http://[::1]"],
    ["https://bücher.example", "https://xn--bcher-kva.example"],
    ["chrome-extension://AbcDef/", "chrome-extension://abcdef"],
    ["app.example", undefined],
    ["null", undefined],
    ["https://app.example/page", undefined],
    ["https://mia@app.example", undefined],
    ["https://a.example https://b.example", undefined],
    ["https://*.example", undefined],
  ] as const) {
    assert.equal(webOrigin(given), origin, given);
  }
});
