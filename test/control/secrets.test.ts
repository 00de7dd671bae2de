import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { inspect } from "node:util";
import { test } from "node:test";
import { ApiError } from "../../tui/api/api-error.js";
import type { Api } from "../../tui/api/services.js";
import { startControl, type Control } from "./harness.js";

/** The only responses that may hold a secret. */
const TELLING = new Set([
  "sessions.login",
  "clientKeys.createClientKey",
  "clientKeys.createSuperClientKey",
  "clientKeys.rotateClientKey",
  "clientKeys.getByorKey",
  "clientKeys.refreshByorKey",
  "clientKeys.revealClientKey",
  "providerKeys.revealProviderKey",
]);

interface Answer {
  readonly rpc: string;
  readonly text: string;
}

test("no response but those that are made for it ever holds a secret, and no log line does", async (t) => {
  const control = await startControl(t);
  const answers: Answer[] = [];
  const secrets = new Set<string>();
  const alice = recording(await control.as(control.alice), answers);
  const admin = recording(await control.as(control.root), answers);
  const nobody = recording(control.api(), answers);

  await signIn(nobody, secrets);
  const providerKeyId = await useProviderKeys(alice, secrets);
  await useClientKeys({ alice, admin, control, secrets });
  await readEverything(admin, providerKeyId);
  await failOften(alice, secrets);
  await secondAnswers(alice, secrets);

  const hashes = [...secrets].map((secret) => createHash("sha256").update(secret).digest("hex"));
  const forbidden = [...secrets, ...hashes];
  assert(secrets.size >= 12, `${secrets.size} secrets were used`);
  for (const { rpc, text } of answers) {
    if (TELLING.has(rpc)) continue;
    assert(!forbidden.some((secret) => text.includes(secret)), `${rpc} tells a secret: ${text}`);
  }
  const told = new Set(answers.map(({ rpc }) => rpc));
  for (const rpc of TELLING) assert(told.has(rpc), `${rpc} was not tried`);
  const log = inspect(control.log.lines, { depth: 10, maxStringLength: null });
  assert(![...secrets].some((secret) => log.includes(secret)), "the log tells a secret");
});

async function signIn(nobody: Api, secrets: Set<string>): Promise<void> {
  const { sessionToken } = await nobody.sessions.login({
    username: "alice",
    password: "alice 1234",
  });
  secrets.add(sessionToken).add("alice 1234");
}

async function useProviderKeys(alice: Api, secrets: Set<string>): Promise<string> {
  const secretOf = (): string => {
    const secret = `sk-provider-${randomUUID()}`;
    secrets.add(secret);
    return secret;
  };
  const { providerKeys } = alice;
  const draft = { providerId: "prv_openai", name: "main" };
  const { providerKey } = await providerKeys.createProviderKey({ ...draft, secret: secretOf() });
  const id = providerKey?.id ?? "";
  await providerKeys.rotateProviderKey({ id, secret: secretOf() });
  const candidate = { providerId: "prv_openai", secret: secretOf() };
  await drain(providerKeys.testProviderKey({ target: { case: "candidate", value: candidate } }));
  await drain(providerKeys.testProviderKey({ target: { case: "id", value: id } }));
  await drain(providerKeys.testProviderKeys({ ids: [id] }));
  const content = `OPENAI_API_KEY=${secretOf()}\nNOBODY_API_KEY=${secretOf()}\n`;
  await providerKeys.importProviderKeys({ content: Buffer.from(content) });
  await providerKeys.revealProviderKey({ id, password: "alice 1234" });
  await providerKeys.diagnoseProviderKey({ id, model: "gpt-4o" });
  await providerKeys.checkProviderKeyHealth({ id });
  return id;
}

async function useClientKeys(used: {
  alice: Api;
  admin: Api;
  control: Control;
  secrets: Set<string>;
}): Promise<void> {
  const { alice, admin, control, secrets } = used;
  const made = await alice.clientKeys.createClientKey({ name: "ci", recoverable: true });
  const id = made.clientKey?.id ?? "";
  const rotated = await alice.clientKeys.rotateClientKey({ id, graceSeconds: 60n });
  const ownerId = control.alice.userId ?? "";
  const pool = await admin.clientKeys.createSuperClientKey({ ownerId, name: "pool" });
  const first = await alice.clientKeys.getByorKey({});
  const fresh = await alice.clientKeys.refreshByorKey({});
  await alice.clientKeys.revealClientKey({ id, password: "alice 1234" });
  const token = `an-old-token-${randomUUID()}`;
  await admin.clientKeys.importClientKeys({
    keys: [{ name: "old", credential: { case: "secret", value: token } }],
  });
  for (const { secret } of [made, rotated, pool, first, fresh]) secrets.add(secret);
  secrets.add(token);
  await alice.clientKeys.updateClientKey({ id, description: "changed" });
  await alice.clientKeys.getClientKeyStats({ id });
}

async function readEverything(admin: Api, providerKeyId: string): Promise<void> {
  await admin.providerKeys.listProviderKeys({});
  await admin.providerKeys.getProviderKey({ id: providerKeyId });
  await admin.providerKeys.getProviderKeyHealth({ id: providerKeyId });
  await admin.providerKeys.getProviderKeyUsage({ id: providerKeyId });
  await admin.clientKeys.listClientKeys({});
  await admin.users.listUsers({});
  await admin.providers.listProviders({});
  await admin.sessions.whoAmI({});
  await admin.audit.listEvents({ pageSize: 1000 });
  await admin.audit.verifyChain({});
  await admin.system.getStatus({});
}

/** Refusals quote what was wrong, so they are tried with secrets in many wrong places. */
async function failOften(alice: Api, secrets: Set<string>): Promise<void> {
  // The second one is stored: it took the first one's place.
  const [, secret = ""] = [...secrets].filter((each) => each.startsWith("sk-provider-"));
  const draft = { providerId: "prv_openai", name: "another", secret };
  await failing(alice.providerKeys.createProviderKey(draft));
  await failing(alice.providerKeys.createProviderKey({ ...draft, secret: `${secret} ${secret}` }));
  await failing(alice.providerKeys.createProviderKey({ ...draft, name: "" }));
  await failing(alice.sessions.login({ username: "alice", password: secret }));
  await failing(alice.sessions.changePassword({ currentPassword: secret, newPassword: "short" }));
  const content = Buffer.from(`{"keys": [{"secret": "${secret}", "provider": 7}`);
  await failing(alice.providerKeys.importProviderKeys({ content }));
}

/** A repeat must not find the first answer's secret anywhere. */
async function secondAnswers(alice: Api, secrets: Set<string>): Promise<void> {
  const request = { name: "once", requestId: randomUUID() };
  secrets.add((await alice.clientKeys.createClientKey(request)).secret);
  await failing(alice.clientKeys.createClientKey(request));
}

async function failing(work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, ApiError);
}

async function drain(messages: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of messages) continue;
}

/** The same client, which also keeps all that it is told, refusals included. */
function recording(api: Api, answers: Answer[]): Api {
  const keep = (rpc: string, answer: unknown): void => {
    answers.push({ rpc, text: inspect(answer, { depth: 20, maxStringLength: null }) });
  };
  const wrap = (rpc: string, call: (...args: unknown[]) => unknown) => {
    return (...args: unknown[]): unknown => {
      const result = call(...args);
      return result instanceof Promise ? kept(rpc, result, keep) : keptStream(rpc, result, keep);
    };
  };
  const services = Object.entries(api).map(([noun, service]) => {
    const methods = Object.entries(service as Record<string, (...args: unknown[]) => unknown>);
    return [
      noun,
      Object.fromEntries(methods.map(([verb, call]) => [verb, wrap(`${noun}.${verb}`, call)])),
    ];
  });
  return Object.fromEntries(services) as Api;
}

async function kept(
  rpc: string,
  result: Promise<unknown>,
  keep: (rpc: string, answer: unknown) => void,
): Promise<unknown> {
  try {
    const answer = await result;
    keep(rpc, answer);
    return answer;
  } catch (thrown) {
    // A refusal may not tell a secret, whichever RPC it is of.
    keep(`${rpc} (refused)`, thrown);
    throw thrown;
  }
}

async function* keptStream(
  rpc: string,
  messages: unknown,
  keep: (rpc: string, answer: unknown) => void,
): AsyncGenerator {
  for await (const message of messages as AsyncIterable<unknown>) {
    keep(rpc, message);
    yield message;
  }
}
