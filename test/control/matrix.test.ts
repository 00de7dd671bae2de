import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test, type TestContext } from "node:test";
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { Actor } from "../../server/core/audit.js";
import type { Provider } from "../../server/core/provider.js";
import { Secret } from "../../server/core/secret.js";
import { POLICY, type Caller, type Grant } from "../../server/keys/policy-table.js";
import { ApiError, type ApiCode } from "../../tui/api/api-error.js";
import { openChannel } from "../../tui/api/channel.js";
import { createServiceClient } from "../../tui/api/client.js";
import { SERVICES } from "../proto/api.js";
import { aCall } from "./calls.js";
import { startControl, type Control } from "./harness.js";
import { TARGETED, UNTARGETED, type Self, type Target } from "./matrix-requests.js";
import { RPC_ACTIONS } from "./rpc-actions.js";

type Role = "anonymous" | "client key" | "user A" | "user B" | "operator" | "admin";

interface Rpc {
  readonly name: string;
  readonly service: DescService;
  readonly method: DescMethod;
}

const ROLES: readonly { role: Role; caller: Caller; isOwner: boolean }[] = [
  { role: "anonymous", caller: "ANONYMOUS", isOwner: false },
  { role: "user B", caller: "USER", isOwner: false },
  { role: "client key", caller: "CLIENT_KEY", isOwner: true },
  { role: "user A", caller: "USER", isOwner: true },
  { role: "operator", caller: "OPERATOR", isOwner: false },
  { role: "admin", caller: "ADMIN", isOwner: false },
];

const RPCS: readonly Rpc[] = SERVICES.flatMap((service) =>
  service.methods.map((method) => ({
    name: `${service.typeName.split(".").at(-1)}/${method.name}`,
    service,
    method,
  })),
);

/** A refusal for lack of a right, or anything else that happened. */
type Outcome =
  "UNAUTHENTICATED" | "PERMISSION_DENIED" | "NOT_FOUND" | "UNIMPLEMENTED" | "BROKEN" | "ALLOWED";

test("every RPC stands in the table of actions, and nothing else does", () => {
  assert.deepEqual(RPCS.map(({ name }) => name).toSorted(), Object.keys(RPC_ACTIONS).toSorted());
});

test("every RPC does for every role what the permission table says", async (t) => {
  const control = await startControl(t);
  await control.settings.update(control.root, { registrationEnabled: true });
  const callers = await credentials(control);
  const wrong: string[] = [];
  let cells = 0;
  let target = await makeTarget(control);
  for (const rpc of RPCS) {
    for (const { role, caller, isOwner } of ROLES) {
      const expected = expectedOutcome(control, rpc, { caller, isOwner });
      const { token, self } = await callers(role, rpc);
      const outcome = await callAs(t, control, rpc, {
        token,
        request: requestOf(rpc, target, self),
      });
      cells += 1;
      if (outcome !== expected) {
        wrong.push(`${rpc.name} as ${role}: ${outcome} instead of ${expected}`);
      }
      // What was allowed may have changed or removed the things it was done to.
      if (outcome === "ALLOWED" && changesTarget(rpc)) {
        target = await makeTarget(control, target, rpc.name.split("/", 1)[0]);
      }
    }
  }
  assert.deepEqual(wrong, []);
  assert(cells >= 300, `only ${cells} cells`);
});

function changesTarget({ name, method }: Rpc): boolean {
  const isRead = method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
  return !isRead && (TARGETED[name] !== undefined || name.startsWith("UserService/"));
}

/** A session for each role; a new one where the RPC may end it. */
async function credentials(control: Control) {
  const sessions = new Map<Role, string>();
  const clientKey = await keyOf(control);
  const actors: Readonly<Record<Exclude<Role, "anonymous" | "client key">, Actor>> = {
    "user A": control.alice,
    "user B": control.bob,
    operator: control.operator,
    admin: control.root,
  };
  return async (role: Role, rpc: Rpc): Promise<{ token: string | undefined; self: Self }> => {
    const alice = { username: "alice", password: "alice 1234" };
    if (role === "anonymous") return { token: undefined, self: alice };
    if (role === "client key") return { token: clientKey, self: alice };
    const actor = actors[role];
    const password = actor === control.root ? "correct horse" : `${actor.name} 1234`;
    const known = sessions.get(role);
    const token = known ?? (await control.login(actor));
    if (rpc.name.startsWith("SessionService/")) sessions.delete(role);
    else sessions.set(role, token);
    return { token, self: { username: actor.name, password } };
  };
}

async function keyOf(control: Control): Promise<string> {
  const { secret } = await control.clientKeys.create(control.alice, { name: "caller" });
  return secret.reveal();
}

function expectedOutcome(
  control: Control,
  rpc: Rpc,
  who: { readonly caller: Caller; readonly isOwner: boolean },
): Outcome {
  const action = RPC_ACTIONS[rpc.name] ?? null;
  const isServed = control.serves(rpc.service, rpc.method);
  if (!isServed) return who.caller === "ANONYMOUS" ? "UNAUTHENTICATED" : "UNIMPLEMENTED";
  const grant: Grant = action === null ? "DENY" : POLICY[action][who.caller];
  if (grant === "DENY") {
    return who.caller === "ANONYMOUS" ? "UNAUTHENTICATED" : "PERMISSION_DENIED";
  }
  const isHidden = grant === "OWN" && !who.isOwner && TARGETED[rpc.name] !== undefined;
  return isHidden ? "NOT_FOUND" : "ALLOWED";
}

function requestOf(rpc: Rpc, target: Target, self: Self): object {
  return (TARGETED[rpc.name] ?? UNTARGETED[rpc.name])?.(target, self) ?? {};
}

async function callAs(
  t: TestContext,
  control: Control,
  rpc: Rpc,
  call: { readonly token: string | undefined; readonly request: object },
): Promise<Outcome> {
  const channel = sharedChannel(t, control);
  const client = createServiceClient(rpc.service, {
    channel,
    token: () => call.token,
    timeoutMs: 5_000,
  }) as Readonly<Record<string, (request: object, settings?: object) => unknown>>;
  const abort = new AbortController();
  try {
    const result = client[rpc.method.localName]?.(call.request, { signal: abort.signal });
    if (rpc.method.methodKind === "unary") await result;
    else await (result as AsyncIterable<unknown>)[Symbol.asyncIterator]().next();
    return "ALLOWED";
  } catch (thrown) {
    assert(thrown instanceof ApiError, String(thrown));
    return OUTCOMES[thrown.code] ?? "ALLOWED";
  } finally {
    abort.abort();
  }
}

const OUTCOMES: Readonly<Partial<Record<ApiCode, Outcome>>> = {
  UNAUTHENTICATED: "UNAUTHENTICATED",
  PERMISSION_DENIED: "PERMISSION_DENIED",
  NOT_FOUND: "NOT_FOUND",
  UNIMPLEMENTED: "UNIMPLEMENTED",
  INTERNAL: "BROKEN",
  UNKNOWN: "BROKEN",
  DEADLINE_EXCEEDED: "BROKEN",
};

const channels = new WeakMap<Control, ReturnType<typeof openChannel>>();

function sharedChannel(t: TestContext, control: Control): ReturnType<typeof openChannel> {
  const known = channels.get(control);
  if (known !== undefined) return known;
  const { address } = control;
  const channel = openChannel({
    address,
    label: address,
    token: undefined,
    tls: false,
    caFile: undefined,
  });
  t.after(() => channel.close());
  channels.set(control, channel);
  return channel;
}

/** Alice's custom provider; a new one after it was deleted. */
async function customProvider(control: Control): Promise<Provider> {
  const known = (await control.store.read.providers.all()).find(
    ({ createdBy }) => createdBy === control.alice.userId,
  );
  if (known !== undefined) return known;
  const draft = { displayName: "Alice's", baseUrl: "https://llm.example.com" };
  return control.providers.create(control.alice, draft);
}

/** New things of Alice's, in place of those that the RPCs of a service may have changed; all without one. */
async function makeTarget(control: Control, before?: Target, service = ""): Promise<Target> {
  const { alice, root } = control;
  const name = randomUUID().slice(0, 13);
  const makers: Readonly<Record<string, () => Promise<Partial<Target>>>> = {
    ProviderService: async () => ({ providerId: (await customProvider(control)).id }),
    ProviderKeyService: async () => {
      const secret = new Secret(`sk-${randomUUID()}`);
      const draft = { providerId: "prv_openai", secret, name };
      return { providerKeyId: (await control.providerKeys.create(alice, draft)).id };
    },
    ClientKeyService: async () => {
      const draft = { name, recoverable: true };
      return { clientKeyId: (await control.clientKeys.create(alice, draft)).clientKey.id };
    },
    UserService: async () => {
      const victim = await control.users.create(root, { username: `victim-${name}` });
      return { victimId: victim.id };
    },
  };
  if (before !== undefined) return { ...before, ...(await makers[service]?.()) };
  const ownerId = alice.userId ?? "";
  const callId = `call_${name}`;
  await control.ledger.appendCalls([aCall(callId, { ownerId })], { file: 0, offset: 0 });
  const parts = await Promise.all(Object.values(makers).map((make) => make()));
  const empty = { providerId: "", providerKeyId: "", clientKeyId: "", victimId: "" };
  return Object.assign({ ...empty, ownerId, callId }, ...parts) as Target;
}
