import assert from "node:assert/strict";
import { test } from "node:test";
import { callersFor, openFilesIn, openFilesMax } from "./open-files.js";

const LIMITS = (soft: string): string =>
  [
    "Limit                     Soft Limit           Hard Limit           Units     ",
    "Max processes             95903                95903                processes ",
    `Max open files            ${soft}                 524288               files     `,
  ].join("\n");

test("how many files may be open is read off the system, and no limit is none", () => {
  assert.equal(openFilesIn(LIMITS("1024")), 1024);
  assert.equal(openFilesIn(LIMITS("unlimited")), undefined);
  assert.equal(openFilesIn(""), undefined);
  const here = openFilesMax();
  assert.ok(here === undefined || here > 0);
  assert.equal(callersFor(1025), 512);
});
