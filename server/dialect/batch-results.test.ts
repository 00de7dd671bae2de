import assert from "node:assert/strict";
import { test } from "node:test";
import { withOwnResults } from "./batch-results.js";

function own(text: string): string {
  return withOwnResults(Buffer.from(text, "latin1")).toString("latin1");
}

test("addresses of results become paths, and everything else stays as it is", () => {
  const path = "/v1/messages/batches/b1/results";
  assert.equal(
    own(
      `[{"results_url" : "https://a.example/x${path}"},{"results_url":"http://b${path}?q=${path}"}]`,
    ),
    `[{"results_url" : "${path}"},{"results_url":"${path}?q=${path}"}]`,
  );
  const others = [
    `{"results_url":"https://a.example/v1/other"}`,
    `{"results_url":"https://a.example/v1/messages/batches/b\\n"}`,
    `{"url":"https://a.example${path}"}`,
    `{"results_url":null}`,
    `{"results_url":"https://a.example${path}`,
  ];
  for (const other of others) assert.equal(own(other), other);
});

test("an address that says its path again and again is looked through but once", () => {
  const many = "/v1/messages/batches/".repeat(200_000);
  const unended = `{"results_url":"https://a.example${many}\\`;
  assert.equal(own(unended), unended);
  assert.equal(own(`{"results_url":"https://a.example${many}"}`), `{"results_url":"${many}"}`);
});
