import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Dialect } from "../../proto/gen/latchkey/v1/common_pb.js";
import { Provider_AuthStyle } from "../../proto/gen/latchkey/v1/providers_pb.js";
import { AccountProvider } from "../support/account-provider.js";
import type { UpstreamStub } from "../support/upstream-stub.js";
import { alter } from "./alter.js";
import { addClientKey, addProviderKey, dataFolder, serve, signedIn, upstream } from "./fixture.js";
import type { Api } from "../../tui/api/services.js";

// What has an id lives in the account of the provider key that made it, and is asked for there first.

const ACCOUNTS = 4;
const THINGS = 12;

interface Caller {
  /** Asks, and answers the reply's members. */
  readonly ask: (method: string, path: string, body?: unknown) => Promise<Reply>;
}

interface Reply {
  readonly status: number;
  readonly id: string;
  readonly text: string;
  readonly outputFileId: string;
}

interface Prepared {
  readonly api: Api;
  readonly stub: UpstreamStub;
  readonly proxyUrl: string;
  readonly folder: string;
  readonly stop: () => Promise<unknown>;
}

async function prepared(t: TestContext): Promise<Prepared> {
  const stub = await upstream(t);
  stub.script = new AccountProvider().script;
  const folder = dataFolder(t);
  const server = await serve(t, folder);
  const { api, proxyUrl } = server;
  for (const [slug, dialect] of [
    ["accounts", Dialect.OPENAI],
    ["claudes", Dialect.ANTHROPIC],
  ] as const) {
    /* eslint-disable no-await-in-loop -- one after the other */
    const providerId = await accounts(api, stub, { slug, dialect });
    for (let n = 0; n < ACCOUNTS; n++) {
      await addProviderKey(api, providerId, `${slug} ${n}`, `sk-account-${slug}-${n}-5d1e`);
    }
    /* eslint-enable no-await-in-loop */
  }
  return { api, stub, proxyUrl, folder, stop: () => server.stop() };
}

/** A provider at the stub, without keys. */
async function accounts(
  api: Api,
  stub: UpstreamStub,
  { slug, dialect }: { slug: string; dialect: Dialect },
): Promise<string> {
  const isAnthropic = dialect === Dialect.ANTHROPIC;
  const { provider } = await api.providers.createProvider({
    slug,
    displayName: slug,
    baseUrl: isAnthropic ? stub.origin : `${stub.origin}/v1`,
    dialect,
    authStyle: isAnthropic ? Provider_AuthStyle.X_API_KEY : Provider_AuthStyle.BEARER,
    modelPatterns: [`${slug}-*`],
  });
  return provider?.id ?? "";
}

function caller(proxyUrl: string, clientKey: string, anthropic = false): Caller {
  const headers = {
    authorization: `Bearer ${clientKey}`,
    "content-type": "application/json",
    ...(anthropic ? { "anthropic-version": "2023-06-01" } : {}),
  };
  const ask: Caller["ask"] = async (method, path, body) => {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(`${proxyUrl}${path}`, { method, headers, ...sent });
    const text = await response.text();
    const member = (name: string): string =>
      new RegExp(`"${name}":"([^"]+)"`).exec(text)?.[1] ?? "";
    const { status } = response;
    return { status, text, id: member("id"), outputFileId: member("output_file_id") };
  };
  return { ask };
}

/** Makes things until several accounts hold some. */
async function make(stub: UpstreamStub, one: () => Promise<Reply>): Promise<readonly Reply[]> {
  stub.received.length = 0;
  const made: Reply[] = [];
  for (let n = 0; n < THINGS; n++) {
    // eslint-disable-next-line no-await-in-loop -- one after the other
    const reply = await one();
    assert.equal(reply.status, 200, reply.text);
    made.push(reply);
  }
  const secrets = new Set(stub.received.map(({ secret }) => secret));
  assert.ok(secrets.size > 1, "all things are in one account");
  assert.equal(stub.received.length, THINGS, "made with the first try");
  stub.received.length = 0;
  return made;
}

/** Asks something of each, and that the provider was asked once for each. */
async function eachOnce(
  stub: UpstreamStub,
  made: readonly Reply[],
  one: (thing: Reply) => Promise<Reply>,
): Promise<readonly Reply[]> {
  stub.received.length = 0;
  const replies: Reply[] = [];
  for (const thing of made) {
    // eslint-disable-next-line no-await-in-loop -- one after the other
    const reply = await one(thing);
    assert.equal(reply.status, 200, reply.text);
    replies.push(reply);
  }
  assert.equal(stub.received.length, made.length, "the first key that was asked had it");
  return replies;
}

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
  const again = await serve(t, folder);
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
  const again = await serve(t, folder);
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
    [...new Set(stub.received.map(({ secret }) => secret))],
    ["sk-account-of-mia-5d1e"],
  );
  await eachOnce(stub, files, ({ id }) => ask("GET", `/v1/files/${id}`));
});
