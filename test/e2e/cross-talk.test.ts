import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";
import { Call_UsageSource } from "../../proto/gen/latchkey/v1/calls_pb.js";
import { Dialect } from "../../proto/gen/latchkey/v1/common_pb.js";
import {
  drawsOf,
  MARKED_DIALECTS,
  type MarkedDialect,
  markOf,
  marksIn,
  saidIn,
  startMarkedProvider,
  usageOf,
  wayOf,
} from "../support/marked-provider.js";
import { addClientKey, addProviderKey, dataFolder, serve, until } from "../system/fixture.js";

/** More for a thorough run. */
const CALLS = Number(process.env["LATCHKEY_CALLS"] ?? 250);
const CALLERS = 24;
const KEYS_PER_PROVIDER = 12;

/** What a caller has of its answer. */
interface Answer {
  readonly id: string;
  readonly httpStatus: number | undefined;
  readonly head: string;
  readonly body: string;
  /** It has come to the end of its framing. */
  readonly whole: boolean;
}

interface Asked {
  readonly call: number;
  readonly speaks: MarkedDialect;
  readonly streamed: boolean;
  readonly leaves: boolean;
}

function askedIn(call: number): Asked {
  const draw = drawsOf(call + 3);
  const speaks = MARKED_DIALECTS[draw(3)] ?? "openai";
  return { call, speaks, streamed: draw(3) > 0, leaves: call % 11 === 7 };
}

/** Path and body of a call to a model of any of the providers. */
function requestOf({ call, speaks, streamed }: Asked): { path: string; body: string } {
  const draw = drawsOf(call + 4);
  const model = `marked-${MARKED_DIALECTS[draw(3)] ?? "openai"}`;
  const text = `${markOf(call)} ${"x".repeat(draw(draw(5) === 0 ? 100_000 : 500))} ${markOf(call)}`;
  const messages = [{ role: "user", content: text }];
  if (speaks === "gemini") {
    const action = streamed ? "streamGenerateContent?alt=sse" : "generateContent";
    const contents = [{ role: "user", parts: [{ text }] }];
    return { path: `/v1beta/models/${model}:${action}`, body: JSON.stringify({ contents }) };
  }
  const path = speaks === "openai" ? "/v1/chat/completions" : "/v1/messages";
  return {
    path,
    body: JSON.stringify({
      model,
      max_tokens: 100,
      messages,
      ...(streamed ? { stream: true } : {}),
    }),
  };
}

function headersOf(call: number, clientKey: string): Record<string, string> {
  const draw = drawsOf(call + 5);
  const headers: Record<string, string> = {
    authorization: `Bearer ${clientKey}`,
    "user-agent": markOf(call),
    "content-type": "application/json",
    cookie: `${markOf(call)}${"c".repeat(draw(3) === 0 ? draw(8_000) : 10)}`,
  };
  const count = draw(4) === 0 ? draw(60) : draw(5);
  for (let i = 0; i < count; i++) {
    headers[`x-stainless-${String(i)}`] = `${markOf(call)}${"s".repeat(draw(400))}`;
  }
  return headers;
}

/** Sends one call, its body in pieces, and reads the answer as it likes. */
function send(
  asked: Asked,
  { proxyUrl, clientKey, agent }: { proxyUrl: string; clientKey: string; agent: http.Agent },
): Promise<Answer> {
  const { path, body } = requestOf(asked);
  const draw = drawsOf(asked.call + 6);
  const headers = headersOf(asked.call, clientKey);
  if (draw(2) === 0) headers["content-length"] = String(Buffer.byteLength(body));
  return new Promise((resolve, reject) => {
    const req = http.request(`${proxyUrl}${path}`, { method: "POST", agent, headers }, (res) => {
      const id = String(res.headers["x-request-id"]);
      const head = res.rawHeaders.join("\n");
      const chunks: Buffer[] = [];
      const end = (): void => {
        const text = Buffer.concat(chunks).toString();
        resolve({ id, httpStatus: res.statusCode, head, body: text, whole: res.complete });
      };
      res.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        if (asked.leaves) req.destroy();
        else if (draw(20) === 0) {
          res.pause();
          setImmediate(() => res.resume());
        }
      });
      res.on("end", end);
      res.on("error", end);
    });
    req.on("error", reject);
    const cut = draw(body.length);
    req.write(body.slice(0, cut));
    setImmediate(() => req.end(body.slice(cut)));
  });
}

/** All that a model says in an answer: texts that begin with a mark. */
function saidBy(value: unknown): string {
  if (typeof value === "string") return value.startsWith("<mark-") ? value : "";
  if (typeof value !== "object" || value === null) return "";
  return Object.values(value).map(saidBy).join("");
}

const ENDS = { openai: "data: [DONE]\n\n", anthropic: "event: message_stop", gemini: '"STOP"' };

function check(asked: Asked, answer: Answer): void {
  const { call, speaks, streamed } = asked;
  const { head, body } = answer;
  for (const mark of marksIn(head + body)) {
    assert.equal(mark, call, `call ${String(call)} got what belongs to ${String(mark)}`);
  }
  if (asked.leaves) return;
  const isCut = wayOf(call, streamed) === "CUT";
  // Cut in its first event it is tried again, in vain.
  if (isCut && answer.httpStatus === 502) return;
  assert.equal(answer.httpStatus, 200, body);
  assert.ok(answer.whole, body.slice(-500));
  const events = streamed
    ? body.split(/\r?\n/).flatMap((line) => (line.startsWith("data: {") ? [line.slice(6)] : []))
    : [body];
  const said = events.map((json) => saidBy(JSON.parse(json))).join("");
  const wanted = saidIn(call).join("");
  if (isCut) {
    assert.ok(wanted.startsWith(said) && body.includes('"error"'), body.slice(-500));
    assert.ok(!body.includes(ENDS[speaks]), "what was cut looks whole");
    return;
  }
  assert.ok(
    said === wanted,
    `call ${String(call)}: ${String(said.length)} of ${String(wanted.length)}`,
  );
  if (streamed) assert.ok(body.includes(ENDS[speaks]), body.slice(-500));
}

test(`${String(CALLS)} calls at the same time get what is theirs and nothing else, however it is cut on its way`, async (t) => {
  const provider = await startMarkedProvider();
  t.after(() => {
    provider.close();
  });
  const server = await serve(t, dataFolder(t), "--log-level", "error");
  const dialects = { openai: Dialect.OPENAI, anthropic: Dialect.ANTHROPIC, gemini: Dialect.GEMINI };
  const paths = { openai: "/v1", anthropic: "", gemini: "/v1beta" };
  for (const dialect of MARKED_DIALECTS) {
    const slug = `marked-${dialect}`;
    const { provider: made } = await server.api.providers.createProvider({
      slug,
      displayName: slug,
      baseUrl: `${provider.origin}${paths[dialect]}`,
      dialect: dialects[dialect],
      modelPatterns: [slug],
    });
    for (let i = 0; i < KEYS_PER_PROVIDER; i++) {
      const secret = `sk-${slug}-${String(i).padStart(20, "0")}`;
      await addProviderKey(server.api, made?.id ?? "", `${slug} ${String(i)}`, secret);
    }
  }
  const clientKey = await addClientKey(server.api);
  const agent = new http.Agent({ keepAlive: true, maxSockets: CALLERS });
  t.after(() => {
    agent.destroy();
  });
  const whole = new Map<string, number>();
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < CALLS) {
      const asked = askedIn(next++);
      const answer = await send(asked, { proxyUrl: server.proxyUrl, clientKey, agent });
      check(asked, answer);
      const isWhole = !asked.leaves && wayOf(asked.call, asked.streamed) !== "CUT";
      if (isWhole) whole.set(answer.id, asked.call);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, work));
  assert.deepEqual(provider.wrong, []);

  let { calls } = await server.api.calls.listCalls({ pageSize: 1000 });
  await until(async () => {
    ({ calls } = await server.api.calls.listCalls({ pageSize: 1000 }));
    return calls.length >= Math.min(CALLS, 1000);
  });
  for (const { id, tokens, usageSource, httpStatus } of calls) {
    const call = whole.get(id);
    if (call === undefined) continue;
    const { input, output } = usageOf(call);
    assert.deepEqual([Number(tokens?.input), Number(tokens?.output)], [input, output]);
    assert.deepEqual([usageSource, httpStatus], [Call_UsageSource.PROVIDER, 200]);
    whole.delete(id);
  }
  if (CALLS <= 1000) assert.equal(whole.size, 0, "each call has one row");
  assert.equal(await server.stop(), 0);
  assert.equal(server.log(), "");
});
