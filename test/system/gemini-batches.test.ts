import assert from "node:assert/strict";
import { test } from "node:test";
import { ProviderKey_Visibility } from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import {
  accounts,
  caller,
  eachOnce,
  make,
  prepared,
  receivedForCallers,
  type Reply,
} from "./accounts.js";
import { Dialect } from "../../proto/gen/latchkey/v1/common_pb.js";
import { addClientKey, addProviderKey, signedIn, until } from "./fixture.js";
import { serveInside } from "./inside.js";

// Google's batches, asked for as its SDKs do, at a provider with several accounts.

const CREATE = "/v1beta/models/geminis-pro:batchGenerateContent";
const EMBED = "/v1beta/models/geminis-pro:asyncBatchEmbedContent";
const contents = [{ role: "user", parts: [{ text: "hi" }] }];

/** As the SDK writes `src: [{…}]`. */
function inline(model?: string): object {
  const named = model === undefined ? {} : { model };
  const requests = [{ request: { ...named, contents }, metadata: { key: "a" } }];
  return { batch: { inputConfig: { requests: { requests } }, displayName: "mine" } };
}

/** As the SDK writes `src: {fileName}`, for text and for embeddings. */
const ofFile = (fileName: string) => ({ batch: { inputConfig: { fileName } } });
const ofEmbeddings = (file_name: string) => ({ batch: { inputConfig: { file_name } } });

/** As the SDK uploads a small file. */
async function upload(proxyUrl: string, clientKey: string): Promise<Reply> {
  const command = (name: string) => ({
    "X-Goog-Upload-Command": name,
    "content-type": "text/plain",
  });
  const begun = await fetch(`${proxyUrl}/upload/v1beta/files`, {
    method: "POST",
    headers: { "x-goog-api-key": clientKey, ...command("start") },
    body: JSON.stringify({ file: { mimeType: "jsonl" } }),
  });
  const url = begun.headers.get("x-goog-upload-url") ?? "";
  const headers = command("upload, finalize");
  const sent = await fetch(url, { method: "POST", headers, body: '{"key":"a","request":{}}' });
  return { status: sent.status, text: await sent.text(), id: "", outputFileId: "" };
}

const nameOf = ({ text }: Reply): string => /"name":"([^"]+)"/.exec(text)?.[1] ?? "";

test("Google's batches and their results are asked for at the account that holds them, after a restart too", async (t) => {
  const { api, stub, proxyUrl, folder, stop } = await prepared(t);
  const clientKey = await addClientKey(api);
  const before = caller(proxyUrl, clientKey);
  const made = await make(stub, () => before.ask("POST", CREATE, inline()));
  assert.ok(made.every(({ text }) => text.includes("BATCH_STATE_PENDING")));
  await stop();
  const { ask } = caller((await serveInside(t, folder)).proxyUrl, clientKey);
  const done = await eachOnce(stub, made, (each) => ask("GET", `/v1beta/${nameOf(each)}`));
  assert.ok(done.every(({ text }) => text.includes('"inlinedResponses":[{"response":')));
  await eachOnce(stub, made, (each) => ask("POST", `/v1beta/${nameOf(each)}:cancel`, {}));
  await eachOnce(stub, made, (each) => ask("DELETE", `/v1beta/${nameOf(each)}`));
});

test("a batch goes to the account of its uploaded file, and its results are fetched there", async (t) => {
  const { api, stub, proxyUrl } = await prepared(t);
  const clientKey = await addClientKey(api);
  const { ask } = caller(proxyUrl, clientKey);
  const files: Reply[] = [];
  // eslint-disable-next-line no-await-in-loop -- one after the other
  for (let n = 0; n < 12; n++) files.push(await upload(proxyUrl, clientKey));
  for (const [path, body] of [
    [CREATE, ofFile],
    [EMBED, ofEmbeddings],
  ] as const) {
    /* eslint-disable no-await-in-loop -- one after the other */
    const made = await eachOnce(stub, files, (file) => ask("POST", path, body(nameOf(file))));
    const done = await eachOnce(stub, made, (each) => ask("GET", `/v1beta/${nameOf(each)}`));
    for (const tree of ["", "/download"]) {
      const results = await eachOnce(stub, done, ({ text }) => {
        const file = /"responsesFile":"([^"]+)"/.exec(text)?.[1] ?? "";

        return ask("GET", `${tree}/v1beta/${file}:download?alt=media`);
      });
      assert.ok(results.every(({ text }) => text.startsWith("content of files/f")));
    }
    /* eslint-enable no-await-in-loop */
  }
});

test("a batch of a file that nobody remembers is looked for in each account", async (t) => {
  const { api, stub, proxyUrl } = await prepared(t);
  const { ask } = caller(proxyUrl, await addClientKey(api));
  const key = { "x-goog-api-key": "sk-account-geminis-2-5d1e" };
  const beside = await fetch(`${stub.origin}${CREATE}`, {
    method: "POST",
    headers: key,
    body: JSON.stringify(inline()),
  });
  const { name } = (await beside.json()) as { readonly name: string };
  assert.equal((await ask("GET", `/v1beta/${name}`)).status, 200);
  stub.received.length = 0;
  assert.equal((await ask("GET", `/v1beta/${name}`)).status, 200);
  assert.equal(stub.received.length, 1, "and is remembered");
  const none = await ask("POST", CREATE, ofFile("files/f99999"));
  assert.match(none.text, /access the File f99999/);
});

test("nobody gets at another owner's batches, nor at the pool's list of them", async (t) => {
  const { api, stub, proxyUrl } = await prepared(t);
  const { ask } = caller(proxyUrl, await addClientKey(api));
  const made = await make(stub, () => ask("POST", CREATE, inline()));
  const mia = await signedIn(t, api, "mia");
  const own = await accounts(mia, stub, { slug: "mias", dialect: Dialect.GEMINI });
  await addProviderKey(mia, own, "mias", "sk-account-of-mia-5d1e");
  const hers = caller(proxyUrl, await addClientKey(mia, "hers"));
  for (const each of made) {
    for (const [method, action] of [
      ["GET", ""],
      ["DELETE", ""],
      ["POST", ":cancel"],
    ] as const) {
      const body = method === "POST" ? {} : undefined;
      // eslint-disable-next-line no-await-in-loop -- one after the other
      const reply = await hers.ask(method, `/v1beta/${nameOf(each)}${action}`, body);
      assert.equal(reply.status, 404, reply.text);
      assert.match(reply.text, /^\{"error":\{"code":404,/);
    }
  }
  assert.deepEqual(
    [...new Set(receivedForCallers(stub).map(({ secret }) => secret))],
    ["sk-account-of-mia-5d1e"],
  );
  assert.match((await ask("GET", "/v1beta/batches")).text, /^\{"operations":\[/);
  const { providerKeys } = await api.providerKeys.listProviderKeys({});
  const shared = providerKeys.find(({ name }) => name === "geminis 1");
  await api.providerKeys.setProviderKeyVisibility({
    id: shared?.id ?? "",
    visibility: ProviderKey_Visibility.PUBLIC,
  });
  const ownerId = (await mia.sessions.whoAmI({})).user?.id ?? "";
  const { secret } = await api.clientKeys.createSuperClientKey({ ownerId, name: "pooled" });
  const pool = caller(proxyUrl, secret);
  const list = await pool.ask("GET", "/v1beta/batches");
  assert.equal(list.status, 403);
  assert.match(list.text, /"status":"PERMISSION_DENIED"/);
  const batch = await pool.ask("POST", CREATE, inline());
  assert.equal(batch.status, 200, batch.text);
  assert.equal((await pool.ask("GET", `/v1beta/${nameOf(batch)}`)).status, 200);
});

test("a batch is on record with its model, and what it used once, however often its results are looked at", async (t) => {
  const { api, proxyUrl } = await prepared(t);
  const { ask } = caller(proxyUrl, await addClientKey(api));
  const made = await ask("POST", CREATE, inline());
  for (let n = 0; n < 2; n++) {
    // eslint-disable-next-line no-await-in-loop -- one after the other
    await ask("GET", `/v1beta/${nameOf(made)}`);
  }
  const recorded = async () => (await api.calls.listCalls({ pageSize: 100 })).calls;
  await until(async () => (await recorded()).length === 4);
  const calls = await recorded();
  const told = ({ modelAsked, endpoint, tokens }: (typeof calls)[number]) =>
    [modelAsked, endpoint, tokens?.input] as const;
  const isOfCaller = ({ ipAddress }: (typeof calls)[number]): boolean => ipAddress !== "";
  assert.deepEqual(calls.filter(isOfCaller).map(told), [
    ["", `/v1beta/${nameOf(made)}`, 0n],
    ["", `/v1beta/${nameOf(made)}`, 0n],
    ["geminis-pro", CREATE, 0n],
  ]);
  const used = calls.filter((call) => !isOfCaller(call)).map(told);
  assert.deepEqual(used, [["geminis-pro", `/v1beta/${nameOf(made)}`, 9n]]);
});
