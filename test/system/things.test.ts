import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Dialect } from "../../proto/gen/latchkey/v1/common_pb.js";
import {
  ProviderKey_Health,
  ProviderKey_Visibility,
} from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { Rewrite_Kind } from "../../proto/gen/latchkey/v1/providers_pb.js";
import type { Api } from "../../tui/api/services.js";
import { accounts, type Caller, caller, eachOnce, make, prepared, type Reply } from "./accounts.js";
import { addClientKey, addProviderKey, signedIn, until } from "./fixture.js";
import { serveInside } from "./inside.js";

// Whatever lives in an account is asked for there, whichever kind it is of and wherever a request names it.

for (const [kind, inside] of [
  ["conversations", ["items", "items/item_1"]],
  ["vector_stores", ["files", "files/x", "files/x/content", "file_batches/b/files"]],
  ["containers", ["files", "files/x/content"]],
  ["skills", ["versions", "versions/1", "content"]],
] as const) {
  test(`${kind} and what is in them are asked for at the account that holds them`, async (t) => {
    const { api, stub, proxyUrl } = await prepared(t);
    const { ask } = caller(proxyUrl, await addClientKey(api));
    const made = await make(stub, () => ask("POST", `/v1/${kind}`, {}));
    for (const path of ["", ...inside.map((each) => `/${each}`)]) {
      // eslint-disable-next-line no-await-in-loop -- one after the other
      await eachOnce(stub, made, ({ id }) => ask("GET", `/v1/${kind}/${id}${path}`));
    }
    await eachOnce(stub, made, ({ id }) => ask("DELETE", `/v1/${kind}/${id}`));
  });
}

test("a response goes to the account of the conversation, the store or the container that it names", async (t) => {
  const { api, stub, proxyUrl } = await prepared(t);
  const { ask } = caller(proxyUrl, await addClientKey(api));
  const model = "accounts-chat";
  const search = (id: string) => ({ tools: [{ type: "file_search", vector_store_ids: [id] }] });
  const code = (container: unknown) => ({ tools: [{ type: "code_interpreter", container }] });
  for (const [kind, named] of [
    ["conversations", (id: string) => ({ conversation: id })],
    ["conversations", (id: string) => ({ conversation: { id } })],
    ["vector_stores", search],
    ["containers", (id: string) => code(id)],
    ["files", (id: string) => code({ type: "auto", file_ids: [id] })],
  ] as const) {
    for (const stream of [false, true]) {
      /* eslint-disable no-await-in-loop -- one after the other */
      const made = await make(stub, () => ask("POST", `/v1/${kind}`, {}));
      await eachOnce(stub, made, ({ id }) =>
        ask("POST", "/v1/responses", { model, stream, input: "hi", ...named(id) }),
      );
      /* eslint-enable no-await-in-loop */
    }
  }
  const files = await make(stub, () => ask("POST", "/v1/files", {}));
  const stores = await eachOnce(stub, files, ({ id }) =>
    ask("POST", "/v1/vector_stores", { file_ids: [id] }),
  );
  await eachOnce(stub, stores, ({ id }) => ask("POST", `/v1/vector_stores/${id}/search`, {}));
});

/** The id of a thing that was made beside the gateway, in one of the accounts. */
async function madeBeside(origin: string, kind: string): Promise<string> {
  const made = await fetch(`${origin}/v1/${kind}`, {
    method: "POST",
    headers: { authorization: "Bearer sk-account-accounts-2-5d1e" },
  });
  return ((await made.json()) as { readonly id: string }).id;
}

test("what nobody remembers and a request names is looked for in each account", async (t) => {
  const { api, stub, proxyUrl } = await prepared(t);
  const { ask } = caller(proxyUrl, await addClientKey(api));
  const id = await madeBeside(stub.origin, "conversations");
  const model = "accounts-chat";
  const store = await madeBeside(stub.origin, "vector_stores");
  const tools = [{ type: "file_search", vector_store_ids: [store] }];
  const searched = await ask("POST", "/v1/responses", { model, tools });
  assert.equal(searched.status, 200, searched.text);
  await make(stub, () => ask("POST", "/v1/files", {}));
  const found = await ask("POST", "/v1/responses", { model, conversation: id });
  assert.equal(found.status, 200, found.text);
  stub.received.length = 0;
  assert.equal((await ask("GET", `/v1/conversations/${id}`)).status, 200);
  assert.equal(stub.received.length, 1);
  const none = await ask("POST", "/v1/responses", { model, conversation: "conv_99999" });
  assert.equal(none.status, 404);
  assert.match(none.text, /conv_99999 was not found/);
});

test("a chat completion that was to be stored is asked for at the account that holds it, streamed or not", async (t) => {
  const { api, stub, proxyUrl } = await prepared(t);
  const { ask } = caller(proxyUrl, await addClientKey(api));
  const chat = { model: "accounts-chat", messages: [{ role: "user", content: "hi" }] };
  for (const stream of [false, true]) {
    /* eslint-disable no-await-in-loop -- one after the other */
    const made = await make(stub, () =>
      ask("POST", "/v1/chat/completions", { ...chat, stream, store: true }),
    );
    for (const [method, path, body] of [
      ["GET", ""],
      ["GET", "/messages"],
      ["POST", "", { metadata: {} }],
      ["DELETE", ""],
    ] as const) {
      await eachOnce(stub, made, ({ id }) =>
        ask(method, `/v1/chat/completions/${id}${path}`, body),
      );
    }
    /* eslint-enable no-await-in-loop */
  }
});

test("an upload and the file that it becomes are in one account", async (t) => {
  const { api, stub, proxyUrl } = await prepared(t);
  const { ask } = caller(proxyUrl, await addClientKey(api));
  const uploads = await make(stub, () => ask("POST", "/v1/uploads", {}));
  await eachOnce(stub, uploads, ({ id }) => ask("POST", `/v1/uploads/${id}/parts`, {}));
  const done = await eachOnce(stub, uploads, ({ id }) =>
    ask("POST", `/v1/uploads/${id}/complete`, { part_ids: [] }),
  );
  await eachOnce(stub, done, ({ text }) =>
    ask("GET", `/v1/files/${/file-\d+/.exec(text)?.[0] ?? ""}`),
  );
});

/** A caller that uploads as Google's SDKs do: that for Python sends the bytes without any key, the other one has `v1`. */
function uploader(proxyUrl: string, clientKey: string, isPython: boolean) {
  const path = `/upload/${isPython ? "v1beta" : "v1"}/files`;
  const key = { "x-goog-api-key": clientKey };
  const begin = async (): Promise<string> => {
    const response = await fetch(`${proxyUrl}${path}`, {
      method: "POST",
      headers: {
        ...key,
        "content-type": "application/json",
        "X-Goog-Upload-Protocol": "resumable",
        "X-Goog-Upload-Command": "start",
        "X-Goog-Upload-Header-Content-Length": "6",
        "X-Goog-Upload-Header-Content-Type": "text/plain",
      },
      body: JSON.stringify({ file: { displayName: "a" } }),
    });
    assert.equal(response.status, 200, await response.text());
    return response.headers.get("x-goog-upload-url") ?? "";
  };
  const send = (url: string, command: string, offset: number): Promise<Response> =>
    fetch(url, {
      method: "POST",
      headers: {
        ...(isPython ? {} : { ...key, "content-type": "application/json" }),
        "X-Goog-Upload-Command": command,
        "X-Goog-Upload-Offset": String(offset),
      },
      body: "abc",
    });
  const upload = async (): Promise<Reply> => {
    const url = await begin();
    const first = await send(url, "upload", 0);
    assert.equal(first.headers.get("x-goog-upload-status"), "active");
    const last = await send(url, "upload, finalize", 3);
    assert.equal(last.headers.get("x-goog-upload-status"), "final");
    const text = await last.text();
    const id = /"name":"files\/([^"]+)"/.exec(text)?.[1] ?? "";
    return { status: last.status, text, id, outputFileId: "" };
  };
  return { path, begin, send, upload };
}

for (const isPython of [false, true]) {
  test(`Gemini's files come in through the gateway, as ${isPython ? "Python" : "JavaScript"} sends them, and stay known`, async (t) => {
    const { api, stub, proxyUrl, folder, stop } = await prepared(t);
    const clientKey = await addClientKey(api);
    const { path: uploadPath, begin, upload } = uploader(proxyUrl, clientKey, isPython);
    const url = await begin();
    assert.ok(url.startsWith(`${proxyUrl}${uploadPath}?upload_id=up-`), url);
    assert.doesNotMatch(url, /sk-|key=/);
    const files: Reply[] = [];
    // eslint-disable-next-line no-await-in-loop -- one after the other
    for (let n = 0; n < 12; n++) files.push(await upload());
    assert.ok(files.every(({ text }) => text.includes('"sizeBytes":"6"')));
    await stop();
    const again = await serveInside(t, folder);
    const { ask } = caller(again.proxyUrl, clientKey);
    await eachOnce(stub, files, ({ id }) => ask("GET", `/v1beta/files/${id}`));
    const secrets = new Set(stub.received.map(({ secret }) => secret));
    assert.ok(secrets.size > 1, "all files are in one account");
    const path = "/v1beta/models/geminis-pro:generateContent";
    for (const named of [
      (fileUri: string) => ({ fileData: { fileUri, mimeType: "text/plain" } }),
      (fileUri: string) => ({ file_data: { file_uri: fileUri, mime_type: "text/plain" } }),
    ]) {
      // eslint-disable-next-line no-await-in-loop -- one after the other
      await eachOnce(stub, files, ({ id }) => {
        const uri = `https://google.example/v1beta/files/${id}`;
        return ask("POST", path, { contents: [{ role: "user", parts: [named(uri)] }] });
      });
    }
    await eachOnce(stub, files, ({ id }) => ask("DELETE", `/v1beta/files/${id}`));
  });
}

test("Gemini's words that a thing is another account's cost no key its place, and the others are asked", async (t) => {
  const { api, stub, proxyUrl } = await prepared(t);
  const { ask } = caller(proxyUrl, await addClientKey(api));
  const made = await fetch(`${stub.origin}/v1beta/cachedContents`, {
    method: "POST",
    headers: { "x-goog-api-key": "sk-account-geminis-2-5d1e" },
    body: JSON.stringify({ model: "models/geminis-pro" }),
  });
  const { name } = (await made.json()) as { readonly name: string };
  const path = "/v1beta/models/geminis-pro:generateContent";
  const contents = [{ role: "user", parts: [{ text: "hi" }] }];
  const found = await ask("POST", path, { contents, cachedContent: name });
  assert.equal(found.status, 200, found.text);
  stub.received.length = 0;
  assert.equal((await ask("GET", `/v1beta/${name}`)).status, 200);
  assert.equal(stub.received.length, 1, "and is remembered");
  for (const absent of ["files/f99999", "cachedContents/c99999"]) {
    stub.received.length = 0;
    // eslint-disable-next-line no-await-in-loop -- one after the other
    const none = await ask("GET", `/v1beta/${absent}`);
    assert.equal(none.status, 400);
    assert.match(none.text, /PERMISSION_DENIED/);
    assert.equal(new Set(stub.received.map(({ secret }) => secret)).size, 4);
  }
  const { providerKeys } = await api.providerKeys.listProviderKeys({});
  const geminis = providerKeys.filter((key) => key.name.startsWith("geminis"));
  assert.deepEqual([...new Set(geminis.map(({ health }) => health))].toSorted(), [
    ProviderKey_Health.UNKNOWN,
    ProviderKey_Health.HEALTHY,
  ]);
});

test("an upload without a key is its caller's alone: known, from the same place, and as long as the key holds", async (t) => {
  const { api, stub, proxyUrl } = await prepared(t);
  const { clientKey, secret } = await api.clientKeys.createClientKey({ name: "app" });
  const { begin, send } = uploader(proxyUrl, secret, true);
  const url = await begin();
  stub.received.length = 0;
  const strange = await send(url.replace("up-", "up-9"), "upload, finalize", 0);
  assert.equal(strange.status, 401);
  const elsewhere = await fetch(url.replace("/upload/v1beta/files", "/v1beta/files"));
  assert.equal(elsewhere.status, 401);
  await api.clientKeys.disableClientKey({ id: clientKey?.id ?? "" });
  assert.equal((await send(url, "upload, finalize", 0)).status, 401);
  assert.equal(stub.received.length, 0);
  await api.clientKeys.enableClientKey({ id: clientKey?.id ?? "" });
  assert.equal((await send(url, "upload, finalize", 0)).status, 200);
});

test("a cache is made and used in one account, counts its tokens, and keeps to the models that are allowed", async (t) => {
  const { api, stub, proxyUrl } = await prepared(t);
  const { ask } = caller(proxyUrl, await addClientKey(api));
  const cache = { model: "models/geminis-pro", contents: [] };
  const create = (by: Caller["ask"]) => by("POST", "/v1beta/cachedContents", cache);
  const nameOf = ({ text }: Reply) => /"name":"([^"]+)"/.exec(text)?.[1] ?? "";
  const made = await make(stub, () => create(ask));
  await eachOnce(stub, made, (each) => ask("GET", `/v1beta/${nameOf(each)}`));
  await eachOnce(stub, made, (each) => ask("PATCH", `/v1beta/${nameOf(each)}`, { ttl: "60s" }));
  const path = "/v1beta/models/geminis-pro:generateContent";
  const contents = [{ role: "user", parts: [{ text: "hi" }] }];
  for (const member of ["cachedContent", "cached_content"]) {
    // eslint-disable-next-line no-await-in-loop -- one after the other
    await eachOnce(stub, made, (each) => ask("POST", path, { contents, [member]: nameOf(each) }));
  }
  const recorded = async () => {
    const { calls } = await api.calls.listCalls({ pageSize: 100 });
    return calls.filter(({ endpoint }) => endpoint === "/v1beta/cachedContents");
  };
  await until(async () => (await recorded()).length === made.length);
  const creating = await recorded();
  assert.ok(creating.every(({ tokens }) => tokens?.input === 4096n));
  assert.ok(creating.every(({ modelAsked }) => modelAsked === "geminis-pro"));

  await api.providers.setRewrite({
    kind: Rewrite_Kind.ALIAS,
    name: "pro",
    targets: ["geminis/geminis-pro"],
  });
  stub.received.length = 0;
  await ask("POST", "/v1beta/cachedContents", { ...cache, model: "models/pro" });
  assert.equal(
    (JSON.parse(String(stub.received[0]?.body)) as typeof cache).model,
    "models/geminis-pro",
  );
  const { secret } = await api.clientKeys.createClientKey({
    name: "narrow",
    modelAllowlist: ["geminis-flash"],
  });
  assert.equal((await create(caller(proxyUrl, secret).ask)).status, 403);
});

/** A user with a provider of their own at the same stand-in. */
async function neighbour(
  t: TestContext,
  api: Api,
  stub: Parameters<typeof accounts>[1],
  dialect: Dialect,
) {
  const mia = await signedIn(t, api, "mia");
  const own = await accounts(mia, stub, { slug: "mias", dialect });
  await addProviderKey(mia, own, "mias", "sk-account-of-mia-5d1e");
  return mia;
}

test("nobody gets at another owner's things, nor at lists of the pool", async (t) => {
  const { api, stub, proxyUrl } = await prepared(t);
  const { ask } = caller(proxyUrl, await addClientKey(api));
  const stores = await make(stub, () => ask("POST", "/v1/vector_stores", {}));
  const mia = await neighbour(t, api, stub, Dialect.OPENAI);
  const hers = caller(proxyUrl, await addClientKey(mia, "hers"));
  for (const { id } of stores) {
    /* eslint-disable no-await-in-loop -- one after the other */
    assert.equal((await hers.ask("GET", `/v1/vector_stores/${id}`)).status, 404);
    const tools = [{ type: "file_search", vector_store_ids: [id] }];
    const response = { model: "mias-chat", tools };
    assert.equal((await hers.ask("POST", "/v1/responses", response)).status, 404);
    /* eslint-enable no-await-in-loop */
  }
  assert.deepEqual(
    [...new Set(stub.received.map(({ secret }) => secret))],
    ["sk-account-of-mia-5d1e"],
  );
  const ownerId = (await mia.sessions.whoAmI({})).user?.id ?? "";
  const { providerKeys } = await api.providerKeys.listProviderKeys({});
  for (const { id, name } of providerKeys) {
    if (name !== "accounts 1" && name !== "geminis 1") continue;
    // eslint-disable-next-line no-await-in-loop -- one after the other
    await api.providerKeys.setProviderKeyVisibility({
      id,
      visibility: ProviderKey_Visibility.PUBLIC,
    });
  }
  const pooled = await api.clientKeys.createSuperClientKey({ ownerId, name: "pooled" });
  const drawing = caller(proxyUrl, pooled.secret);
  stub.received.length = 0;
  for (const path of [
    "/v1/vector_stores",
    "/v1/containers",
    "/v1/skills",
    "/v1/chat/completions",
    "/v1beta/files",
    "/v1beta/cachedContents",
  ]) {
    // eslint-disable-next-line no-await-in-loop -- one after the other
    assert.equal((await drawing.ask("GET", path)).status, 403, path);
  }
  assert.equal(stub.received.length, 0);
});
