import assert from "node:assert/strict";
import { test } from "node:test";
import { queryForProvider } from "./query-for-provider.js";

test("no key in the query goes on, however its name is written, and nothing else stays behind", () => {
  for (const key of ["key=e", "key", "key=", "k%65y=e", "%6b%65%79=e", "%6Bey=e&key=f"]) {
    assert.equal(queryForProvider(key), "", key);
    assert.equal(queryForProvider(`a=%20&${key}&b&&alt=sse`), "a=%20&b&&alt=sse", key);
  }
  for (const other of ["", "beta=true", "keys=1&monkey=2&KEY=3", "a=key=b", "%e=1", "a=%2f&b=+"]) {
    assert.equal(queryForProvider(other), other);
  }
});

test("no query says for the head of a request with which method, content type or credential it goes to Google", () => {
  for (const name of [
    "$httpMethod",
    "%24httpMethod",
    "%24%68ttpMethod",
    "$httpHeaders",
    "$ct",
    "$req",
    "$userProject",
    "$",
    "$alt%20",
    "access_token",
    "access%5Ftoken",
    "oauth_token",
  ]) {
    for (const parameter of [name, `${name}=DELETE`]) {
      assert.equal(queryForProvider(parameter), "", parameter);
      assert.equal(queryForProvider(`$alt=sse&${parameter}&b`), "$alt=sse&b", parameter);
    }
  }
  for (const other of ["%24alt=json%3Benum-encoding%3Dint", "pageToken=a$b", "a=$ct", "%ff$ct=1"]) {
    assert.equal(queryForProvider(other), other);
  }
});

test("no query asks Google for a reply that tells less than it used, or that cannot be read", () => {
  for (const parameter of [
    "fields=candidates",
    "%66ields=candidates",
    "$fields=*",
    "callback=f",
    "$callback=f",
    "alt=proto",
    "alt",
    "$alt=proto",
    "%24alt=%70roto",
    "alt=jsonp",
    "alt=SSE",
  ]) {
    assert.equal(queryForProvider(parameter), "", parameter);
    assert.equal(queryForProvider(`alt=sse&${parameter}&b`), "alt=sse&b", parameter);
  }
  for (const other of ["alt=sse", "alt=media", "%61lt=j%73on", "$alt=json;enum-encoding=int"]) {
    assert.equal(queryForProvider(other), other);
  }
});
