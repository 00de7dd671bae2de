import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { Dialect } from "../../proto/gen/latchkey/v1/common_pb.js";
import { Provider_AuthStyle } from "../../proto/gen/latchkey/v1/providers_pb.js";
import type { Api } from "../../tui/api/services.js";
import { AccountProvider } from "../support/account-provider.js";
import type { Received, UpstreamStub } from "../support/upstream-stub.js";
import { addProviderKey, dataFolder, upstream } from "./fixture.js";
import { serveInside } from "./inside.js";

// Providers of each dialect with several keys, each of an account of its own.

const ACCOUNTS = 4;
const THINGS = 12;

/** Whoever calls with one client key. */
export interface Caller {
  /** Asks, and answers the reply's members. */
  readonly ask: (method: string, path: string, body?: unknown) => Promise<Reply>;
}

/** What the tests look at in a reply. */
export interface Reply {
  readonly status: number;
  readonly id: string;
  readonly text: string;
  readonly outputFileId: string;
}

/** A server, and what stands behind it. */
export interface Prepared {
  readonly api: Api;
  readonly stub: UpstreamStub;
  readonly proxyUrl: string;
  readonly folder: string;
  readonly stop: () => Promise<unknown>;
}

/** A server with a provider of each dialect, each with several keys. */
export async function prepared(t: TestContext): Promise<Prepared> {
  const stub = await upstream(t);
  stub.script = new AccountProvider().script;
  const folder = dataFolder(t);
  const server = await serveInside(t, folder);
  const { api, proxyUrl } = server;
  for (const [slug, dialect] of [
    ["accounts", Dialect.OPENAI],
    ["claudes", Dialect.ANTHROPIC],
    ["geminis", Dialect.GEMINI],
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

function authStyleOf(dialect: Dialect): Provider_AuthStyle {
  if (dialect === Dialect.OPENAI) return Provider_AuthStyle.BEARER;
  return dialect === Dialect.GEMINI
    ? Provider_AuthStyle.X_GOOG_API_KEY
    : Provider_AuthStyle.X_API_KEY;
}

/** A provider at the stub, without keys. */
export async function accounts(
  api: Api,
  stub: UpstreamStub,
  { slug, dialect }: { slug: string; dialect: Dialect },
): Promise<string> {
  const isOpenai = dialect === Dialect.OPENAI;
  const { provider } = await api.providers.createProvider({
    slug,
    displayName: slug,
    baseUrl: isOpenai ? `${stub.origin}/v1` : stub.origin,
    dialect,
    authStyle: authStyleOf(dialect),
    modelPatterns: [`${slug}-*`],
  });
  return provider?.id ?? "";
}

/** Calls with a client key. */
export function caller(proxyUrl: string, clientKey: string, anthropic = false): Caller {
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

/** What the stub received for callers, whose names go on with their calls; the server asks for batches by itself too. */
export function receivedForCallers({ received }: UpstreamStub): readonly Received[] {
  return received.filter(({ headers }) => headers["user-agent"] !== undefined);
}

/** Makes things until several accounts hold some. */
export async function make(
  stub: UpstreamStub,
  one: () => Promise<Reply>,
): Promise<readonly Reply[]> {
  stub.received.length = 0;
  const made: Reply[] = [];
  for (let n = 0; n < THINGS; n++) {
    // eslint-disable-next-line no-await-in-loop -- one after the other
    const reply = await one();
    assert.equal(reply.status, 200, reply.text);
    made.push(reply);
  }
  const received = receivedForCallers(stub);
  const secrets = new Set(received.map(({ secret }) => secret));
  assert.ok(secrets.size > 1, "all things are in one account");
  assert.equal(received.length, THINGS, "made with the first try");
  stub.received.length = 0;
  return made;
}

/** Asks something of each, and that the provider was asked once for each. */
export async function eachOnce(
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
  assert.equal(receivedForCallers(stub).length, made.length, "the first key that was asked had it");
  return replies;
}
