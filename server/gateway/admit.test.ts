import assert from "node:assert/strict";
import { test } from "node:test";
import type { Principal } from "../core/client-key.js";
import { UNLIMITED } from "../core/limits.js";
import { LastKey } from "../core/presented-key.js";
import { aClientKey } from "../../test/support/records.js";
import { authenticate } from "./admit.js";
import type { RequestHead } from "./request/request-head.js";

type Carriers = Partial<Pick<RequestHead, "authorization" | "xApiKey" | "apiKey" | "xGoogApiKey">>;

/** What the authenticator is asked about, or the code of the refusal before that. */
function presented(carriers: Carriers, query = ""): string {
  let asked = "";
  const authenticator = {
    authenticate: (key: { readonly text: string }) => {
      asked = key.text;
      return { clientKey: aClientKey("ck_1", { limits: UNLIMITED }), ownerId: "usr_1" };
    },
    renewed: () => undefined,
    revision: 0,
    current: (principal: Principal) => principal,
    onInvalidated: () => () => undefined,
  };
  const head = { ...carriers } as RequestHead;
  try {
    authenticate(authenticator, new LastKey(), { head, query, ip: "127.0.0.1" });
  } catch (fault) {
    return (fault as { readonly code: string }).code;
  }
  return asked;
}

test("a bearer is taken however it is spelt and spaced, and no other scheme is", () => {
  for (const authorization of ["Bearer k", "bearer k", "BEARER \t k", " Bearer k "]) {
    assert.equal(presented({ authorization }), "k", authorization);
  }
  for (const authorization of ["k", "Basic k", "XBearer k", "Basic Bearer k", "Bearerk"]) {
    assert.equal(presented({ authorization, xApiKey: "good" }), "invalid_api_key", authorization);
  }
});

test("carriers are tried in their order, and the empty ones passed over", () => {
  const all = { authorization: "Bearer a", xApiKey: "b", apiKey: "c", xGoogApiKey: "d" };
  assert.equal(presented(all, "key=e"), "a");
  for (const authorization of ["", " ", "Bearer", "Bearer  "]) {
    assert.equal(presented({ ...all, authorization }, "key=e"), "b", authorization);
  }
  assert.equal(presented({ xApiKey: " ", apiKey: " c ", xGoogApiKey: "d" }, "key=e"), "c");
  assert.equal(presented({ xGoogApiKey: "d" }, "key=e"), "d");
  assert.equal(presented({}, "a=b&key=e%2D1&key=f"), "e-1");
  assert.equal(presented({}, "key=%e"), "invalid_api_key");
  for (const query of ["", "key=", "monkey=e", "a=key=e"]) {
    assert.equal(presented({}, query), "missing_api_key", query);
  }
});
