import assert from "node:assert/strict";
import { test } from "node:test";
import { Dialect } from "../../proto/gen/latchkey/v1/common_pb.js";
import { accounts, caller, eachOnce, make, prepared, receivedForCallers } from "./accounts.js";
import { alter } from "./alter.js";
import { addClientKey, addProviderKey, signedIn } from "./fixture.js";
import { serveInside } from "./inside.js";

// What has an id lives in the account of the provider key that made it, and is asked for there first.

test("a file, its batch and the batch's output are asked for at the account that holds them", async (t) => {
  const { api, stub, proxyUrl } = await prepared(t);
  const { ask } = caller(proxyUrl, await addClientKey(api));
  const files = await make(stub, () => ask("POST", "/v1/files", {}));
  await eachOnce(stub, files, ({ id }) => ask("GET", `/v1/files/${id}`));
  const batches = await eachOnce(stub, files, ({ id }) =>
    ask("POST", "/v1/batches", { endpoint: "/v1/embeddings", input_file_id: id }),
  );
  await eachOnce(stub, batches, ({ outputFileId }) =>
    ask("GET", `/v1/files/${outputFileId}/content`),
  );
  await eachOnce(stub, batches, ({ id }) => ask("POST", `/v1/batches/${id}/cancel`));
  await eachOnce(stub, files, ({ id }) => ask("DELETE", `/v1/files/${id}`));
});

test("a stored response is gone on from and asked for at the account that holds it, streamed or not", async (t) => {
  const { api, stub, proxyUrl } = await prepared(t);
  const { ask } = caller(proxyUrl, await addClientKey(api));
  const model = "accounts-chat";
  for (const stream of [false, true]) {
    /* eslint-disable no-await-in-loop -- one after the other */
    const first = await make(stub, () => ask("POST", "/v1/responses", { model, stream }));
    const second = await eachOnce(stub, first, ({ id }) =>
      ask("POST", "/v1/responses", { model, stream, previous_response_id: id }),
    );
    await eachOnce(stub, second, ({ id }) => ask("GET", `/v1/responses/${id}`));
    /* eslint-enable no-await-in-loop */
  }
});

test("Anthropic's batches are asked for at the account that holds them", async (t) => {
  const { api, stub, proxyUrl } = await prepared(t);
  const { ask } = caller(proxyUrl, await addClientKey(api), true);
  const batches = await make(stub, () => ask("POST", "/v1/messages/batches", { requests: [] }));
  await eachOnce(stub, batches, ({ id }) => ask("GET", `/v1/messages/batches/${id}`));
});

test("what was made before a restart is asked for at the account that holds it", async (t) => {
  const { api, stub, proxyUrl, folder, stop } = await prepared(t);
  const clientKey = await addClientKey(api);
  const files = await make(stub, () => caller(proxyUrl, clientKey).ask("POST", "/v1/files", {}));
  await stop();
  const again = await serveInside(t, folder);
  const { ask } = caller(again.proxyUrl, clientKey);
  await eachOnce(stub, files, ({ id }) => ask("GET", `/v1/files/${id}`));
});

test("what nobody knows the account of is looked for in each, and after that in the right one", async (t) => {
  const { api, stub, proxyUrl, folder, stop } = await prepared(t);
  const clientKey = await addClientKey(api);
  const other = await addClientKey(api, "another");
  const files = await make(stub, () => caller(proxyUrl, clientKey).ask("POST", "/v1/files", {}));
  await stop();
  await alter(folder, "DELETE FROM homes");
  const again = await serveInside(t, folder);
  const { ask } = caller(again.proxyUrl, clientKey);
  for (const { id } of files) {
    // eslint-disable-next-line no-await-in-loop -- one after the other
    assert.equal((await ask("GET", `/v1/files/${id}`)).status, 200);
  }
  assert.ok(stub.received.length > files.length, "somebody had to look");
  const second = caller(again.proxyUrl, other);
  await eachOnce(stub, files, ({ id }) => second.ask("GET", `/v1/files/${id}/content`));
  assert.equal((await ask("GET", "/v1/files/file-none")).status, 404);
});

test("a response to go on from that nobody remembers is looked for in each account", async (t) => {
  const { api, stub, proxyUrl, folder, stop } = await prepared(t);
  const clientKey = await addClientKey(api);
  const model = "accounts-chat";
  const responses = await make(stub, () =>
    caller(proxyUrl, clientKey).ask("POST", "/v1/responses", { model }),
  );
  await stop();
  await alter(folder, "DELETE FROM homes");
  const again = await serveInside(t, folder);
  const { ask } = caller(again.proxyUrl, clientKey);
  for (const { id } of responses) {
    // eslint-disable-next-line no-await-in-loop -- one after the other
    const reply = await ask("POST", "/v1/responses", { model, previous_response_id: id });
    assert.equal(reply.status, 200, reply.text);
  }
});

test("an id that another owner's call made leads to none of that owner's keys", async (t) => {
  const { api, stub, proxyUrl } = await prepared(t);
  const { ask } = caller(proxyUrl, await addClientKey(api));
  const files = await make(stub, () => ask("POST", "/v1/files", {}));
  const mia = await signedIn(t, api, "mia");
  const own = await accounts(mia, stub, { slug: "mias", dialect: Dialect.OPENAI });
  await addProviderKey(mia, own, "mias", "sk-account-of-mia-5d1e");
  const hers = caller(proxyUrl, await addClientKey(mia, "hers"));
  for (const { id } of files) {
    // eslint-disable-next-line no-await-in-loop -- one after the other
    assert.equal((await hers.ask("GET", `/v1/files/${id}`)).status, 404);
  }
  assert.deepEqual(
    [...new Set(receivedForCallers(stub).map(({ secret }) => secret))],
    ["sk-account-of-mia-5d1e"],
  );
  await eachOnce(stub, files, ({ id }) => ask("GET", `/v1/files/${id}`));
});
