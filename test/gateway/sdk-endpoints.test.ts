import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import AnthropicOld from "anthropic-old";
import OpenAI from "openai";
import { Fault } from "../../server/core/fault.js";
import type { Dialect } from "../../server/core/provider.js";
import { matchEndpoint } from "../../server/gateway/route/match.js";
import {
  type Received,
  replyJson,
  type Script,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { CLIENT_KEY, startGateway, type TestGateway } from "./fixture.js";

// Every method of the SDKs, found by walking through a client: asked through the gateway, the provider hears the same
// bytes as without it, and the SDK gives its caller the same result or the same error.

const SECRET = "sk-upstream-0000000000000000000000";

let stub: UpstreamStub;
let openai: TestGateway;
let anthropic: TestGateway;

before(async () => {
  stub = await startUpstreamStub();
  openai = await startGateway({ providers: [{ baseUrl: `${stub.origin}/v1` }] });
  anthropic = await startGateway({ providers: [{ baseUrl: stub.origin, dialect: "ANTHROPIC" }] });
});

after(async () => {
  for (const gateway of [openai, anthropic]) await gateway.close();
  await stub.close();
});

/** Where a method is: the names that lead to it from the client. */
type Way = readonly string[];

/** Helpers that ask several times, wait, or ask nobody. */
const NO_CALL = /poll|wait|stream|parse|runner|runTools|connect|unwrap|thread|tunnel|work$|worker/i;

function methodsOf(client: object): Way[] {
  const found: Way[] = [];
  const seen = new Set<object>([client]);
  const walk = (resource: object, way: Way): void => {
    for (const [name, value] of Object.entries(resource)) {
      if (!isResource(value) || seen.has(value)) continue;
      seen.add(value);
      walk(value, [...way, name]);
    }
    if (way.length === 0) return;
    const prototype = Object.getPrototypeOf(resource) as object;
    for (const name of Object.getOwnPropertyNames(prototype)) {
      if (name !== "constructor" && !name.startsWith("_") && !NO_CALL.test(name)) {
        found.push([...way, name]);
      }
    }
  };
  walk(client, []);
  return found;
}

function isResource(value: unknown): value is object {
  return typeof value === "object" && value !== null && "_client" in value;
}

/** Calls a method with arguments that fit most of them. */
async function call(client: object, way: Way, args: readonly unknown[]): Promise<unknown> {
  let owner: object = client;
  for (const name of way.slice(0, -1)) owner = (owner as Record<string, object>)[name] ?? owner;
  const method = (owner as Record<string, (...args: unknown[]) => unknown>)[way.at(-1) ?? ""];
  return method?.apply(owner, [...args]);
}

function argumentsOf(): readonly (readonly unknown[])[] {
  const file = new File([Buffer.from([0, 13, 10, 45, 45, 255])], "a.bin");
  const body = {
    model: "m",
    file,
    image: file,
    purpose: "batch",
    prompt: "Ä",
    input: "i",
    voice: "v",
    messages: [],
    max_tokens: 5,
    requests: [],
    input_file_id: "file-1",
    response_id: "resp_1",
    conversation_id: "conv_1",
    container_id: "cntr_1",
    vector_store_id: "vs_1",
    skill_id: "skill_1",
    query: "q",
    items: [],
    file_ids: ["file-1"],
    file_id: "file-1",
    files: [file],
    data: file,
    part_ids: ["part_1"],
    metadata: {},
  };
  return [[body], ["id_1", body], ["id_1"], ["id_1", "id_2", body]];
}

interface Heard {
  readonly request: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** What arrived, but for what every connection and every form chooses for itself. */
function heard(received: Received): Heard {
  assert.equal(received.secret, SECRET);
  const type = String(received.headers["content-type"]);
  const boundary = /boundary=(\S+)/.exec(type)?.[1] ?? "none";
  const plain = (text: string): string => text.replaceAll(boundary, "BOUNDARY");
  const headers: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(received.headers)) {
    if (!OF_THE_HOP.has(name)) headers[name] = plain(String(value));
  }
  return {
    request: `${received.method} ${received.url}`,
    headers,
    body: plain(received.body.toString("latin1")),
  };
}

const OF_THE_HOP: ReadonlySet<string> = new Set([
  "host",
  "connection",
  "authorization",
  "x-api-key",
  "accept-encoding",
  "sec-fetch-mode",
  "transfer-encoding",
  "content-length",
]);

async function resultOf(client: object, way: Way, args: readonly unknown[]): Promise<unknown> {
  try {
    const value = await call(client, way, args);
    if (value instanceof Response) {
      const type = value.headers.get("content-type");
      return [value.status, type, Buffer.from(await value.arrayBuffer()).toString("hex")];
    }
    const page = value as { readonly body?: unknown } | undefined;
    return JSON.stringify(page?.body ?? value);
  } catch (error) {
    assert.ok(error instanceof Error, way.join("."));
    const { status, code, type, error: body } = error as Error & Record<string, unknown>;
    return [error.constructor.name, error.message, status, code, type, JSON.stringify(body)];
  }
}

/** JSON for all but what is sound or a file. */
const SUCCESS: Script = (received, res) => {
  const bytes = /speech|content/.test(received.url);
  if (bytes) res.writeHead(200, { "content-type": "audio/mpeg" }).end(Buffer.from([0, 255, 13]));
  else replyJson(200, REPLY)(received, res);
};
const REPLY =
  '{"id": "thing_1", "object":"x", "big":12345678901234567890, "data":[], "has_more":false, "text":"ä"}';

/** They speak of a model: a 404 that names nothing says that a provider does not count tokens at all. */
function refusals(): readonly Script[] {
  return [400, 404, 409, 413, 422, 429, 500, 503, 529].map((status) =>
    replyJson(
      status,
      JSON.stringify({
        type: "error",
        error: {
          type: "some_error",
          code: "some_code",
          param: null,
          message: `no model, ${String(status)}`,
        },
      }),
      { "retry-after": "7" },
    ),
  );
}

/** True where a path is served, by a provider. */
function isPassed(method: string, path: string, spoken: Dialect): boolean {
  try {
    const match = matchEndpoint(method, path, spoken);
    return !("allow" in match) && match.endpoint.kind === "PASS";
  } catch (error) {
    assert.ok(error instanceof Fault);
    return false;
  }
}

const OPTIONS = { maxRetries: 0, timeout: 20_000 };

/** Makes a client that speaks to an origin, over a `fetch` of its own if there is one. */
type ClientAt = (origin: string, apiKey: string, more?: { readonly fetch: typeof fetch }) => object;

/** The methods that ask for what is served, each with arguments with which it does. */
async function servedMethods(
  clientAt: ClientAt,
  spoken: Dialect,
): Promise<(readonly [Way, readonly unknown[]])[]> {
  let isServed = false;
  const asked = clientAt("http://nowhere", "none", {
    fetch: (url, init) => {
      const { pathname } = new URL(url instanceof Request ? url.url : url);
      isServed ||= isPassed(init?.method?.toUpperCase() ?? "GET", pathname, spoken);
      return Promise.resolve(Response.json({}));
    },
  });
  const found: [Way, readonly unknown[]][] = [];
  for (const way of methodsOf(asked)) {
    for (const args of argumentsOf()) {
      isServed = false;
      await resultOf(asked, way, args);
      if (!isServed) continue;
      found.push([way, args]);
      break;
    }
  }
  return found;
}

/** Resources of OpenAI's SDK of which every method is served. */
const WHOLE =
  /^(?:uploads|conversations|vectorStores|containers|skills|files|batches|responses|chat\.completions)\./;

test("each method of the resources that live in an account is served", async () => {
  const served = new Set((await servedMethods(openaiAt, "OPENAI")).map(([way]) => way.join(".")));
  const asked = openaiAt("http://nowhere", "none");
  const ways = methodsOf(asked).map((way) => way.join("."));
  const missing = ways.filter((way) => WHOLE.test(way) && !served.has(way));
  assert.deepEqual(missing, []);
  assert.ok(ways.filter((way) => WHOLE.test(way)).length > 60);
});

const openaiAt: ClientAt = (origin, apiKey, more) =>
  new OpenAI({ ...OPTIONS, ...more, apiKey, baseURL: `${origin}/v1` });
const anthropicAt: ClientAt = (origin, apiKey, more) =>
  new Anthropic({ ...OPTIONS, ...more, apiKey, baseURL: origin });
const anthropicOldAt: ClientAt = (origin, apiKey, more) =>
  new AnthropicOld({ ...OPTIONS, ...more, apiKey, baseURL: origin });

for (const [name, clientAt, gatewayOf, spoken, least] of [
  ["OpenAI's", openaiAt, () => openai, "OPENAI", 80],
  ["Anthropic's", anthropicAt, () => anthropic, "ANTHROPIC", 20],
  ["Anthropic's older", anthropicOldAt, () => anthropic, "ANTHROPIC", 20],
] as const) {
  test(`each method of ${name} SDK that is served goes and comes as without the gateway`, async () => {
    const direct = clientAt(stub.origin, SECRET);
    const through = clientAt(gatewayOf().origin, CLIENT_KEY);
    const methods = await servedMethods(clientAt, spoken);
    assert.ok(methods.length >= least, `only ${String(methods.length)} methods were found`);
    for (const [way, args] of methods) {
      for (const script of [SUCCESS, ...refusals()]) {
        stub.script = script;
        stub.received.length = 0;
        const expected = await resultOf(direct, way, args);
        const sent = stub.received.splice(0).map(heard);
        assert.deepEqual(await resultOf(through, way, args), expected, way.join("."));
        assert.deepEqual(stub.received.map(heard), sent, way.join("."));
      }
    }
  });
}
