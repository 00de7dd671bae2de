import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { aCall } from "./calls.js";
import { startControl } from "./harness.js";
import { refusal } from "./refusal.js";
import { COMMANDS } from "../../tui/cli/commands.js";
import { flagsOf } from "../../tui/cli/flags.js";

type Control = Awaited<ReturnType<typeof startControl>>;
type Api = Awaited<ReturnType<Control["as"]>>;
type Asked = { readonly filter?: string; readonly orderBy?: string };

/** Each list with the message of its request, by the words of the command that shows it. */
const LISTS: Readonly<
  Record<string, readonly [request: string, list: (api: Api, asked: Asked) => Promise<unknown>]>
> = {
  "provider-keys list": [
    "ListProviderKeysRequest",
    (api, asked) => api.providerKeys.listProviderKeys(asked),
  ],
  "client-keys list": [
    "ListClientKeysRequest",
    (api, asked) => api.clientKeys.listClientKeys(asked),
  ],
  "providers list": ["ListProvidersRequest", (api, asked) => api.providers.listProviders(asked)],
  "models list": ["ListModelsRequest", (api, asked) => api.providers.listModels(asked)],
  "users list": ["ListUsersRequest", (api, asked) => api.users.listUsers(asked)],
  "calls list": ["ListCallsRequest", (api, asked) => api.calls.listCalls(asked)],
  "audit list": ["ListEventsRequest", (api, asked) => api.audit.listEvents(asked)],
  "usage summary": [
    "GetSummaryRequest",
    (api, { filter = "" }) => api.usage.getSummary({ filter }),
  ],
};

test("the API's definition names the fields that each list is filtered by, and no others", async (t) => {
  const control = await startControl(t);
  const admin = await control.as(control.root);
  const protos = ["audit", "calls", "client_keys", "provider_keys", "providers", "usage", "users"]
    .map((name) => readFileSync(path.join("proto", "latchkey", "v1", `${name}.proto`), "utf8"))
    .join("\n");
  for (const [request, list] of Object.values(LISTS)) {
    const refused = await refusal("INVALID_ARGUMENT", list(admin, { filter: "nope=1" }));
    const known = /there are (.+)\.$/.exec(refused.message)?.[1]?.split(", ") ?? [];
    const body = new RegExp(`message ${request} \\{([\\s\\S]*?)\\n\\}`).exec(protos)?.[1] ?? "";
    const [, told = ""] = /Fields: ([^.;]*)/.exec(body.replaceAll(/\n *\/\/ */g, " ")) ?? [];
    const named = told.replaceAll(/\([^)]*\)/g, "").split(/,\s*/);
    assert.deepEqual(named.map((each) => each.trim()).toSorted(), known.toSorted(), request);
  }
});

test("a value that a field cannot have is refused by the field's name in the API", async (t) => {
  const control = await startControl(t);
  const admin = await control.as(control.root);
  // The calls of these tests are in memory, where nothing is refused.
  const { "calls list": _calls, ...stored } = LISTS;
  for (const [request, list] of Object.values(stored)) {
    const refused = await refusal("INVALID_ARGUMENT", list(admin, { filter: "nope=1" }));
    const known = /there are (.+)\.$/.exec(refused.message)?.[1]?.split(", ") ?? [];
    for (const field of known.filter((each) => /time$|_count$|_tokens$|_ms$/.test(each))) {
      const wrong = list(admin, { filter: `${field}>nonsense` });
      const { message } = await refusal("INVALID_ARGUMENT", wrong);
      assert(message.startsWith(`filter: ${field} must be`), `${request}: ${message}`);
    }
  }
});

test("the example of each filter in the help is one that the list takes", async (t) => {
  const control = await startControl(t);
  const admin = await control.as(control.root);
  for (const command of COMMANDS) {
    const help = flagsOf(command).find(({ name }) => name === "filter")?.help;
    if (help === undefined) continue;
    const example = /'(.+)'/.exec(help)?.[1];
    assert(example !== undefined, `${command.noun} ${command.verb}: ${help}`);
    const [, list] =
      LISTS[`${command.noun} list`] ??
      LISTS[`${command.noun} summary`] ??
      assert.fail(command.noun);
    await list(admin, { filter: example });
  }
});

test("reports are narrowed by name as by id, and a name that says nothing or too much is refused", async (t) => {
  const control = await startControl(t);
  const [admin, alice] = [await control.as(control.root), await control.as(control.alice)];
  const { clientKey } = await alice.clientKeys.createClientKey({ name: "ci" });
  const mine = { clientKeyId: clientKey?.id ?? "", ownerId: control.alice.userId ?? "" };
  const at = { startedAt: control.clock.now() };
  const bobs = { clientKeyId: "ck_gone", ownerId: control.bob.userId ?? "" };
  await control.ledger.appendCalls(
    [aCall("call_1", { ...mine, ...at }), aCall("call_2", { ...bobs, ...at })],
    { file: 0, offset: 0 },
  );
  control.clock.advance(1);
  const calls = async (api: Api, filter: string): Promise<bigint | undefined> =>
    (await api.usage.getSummary({ filter })).totals?.calls;
  assert.equal(await calls(admin, "provider=openai"), 2n);
  assert.equal(await calls(admin, "provider=openai owner=alice"), 1n);
  assert.equal(await calls(admin, "client_key=ci"), 1n);
  assert.equal(await calls(admin, "client_key=ck_gone"), 1n, "a key that is gone has its id");
  assert.equal(await calls(alice, "provider=openai"), 1n);
  await refusal("INVALID_ARGUMENT", calls(admin, "provider=opneai"));
  const hidden = await refusal("INVALID_ARGUMENT", calls(alice, "owner=bob"));
  const none = await refusal("INVALID_ARGUMENT", calls(alice, "owner=nobody"));
  assert.equal(hidden.message.replace("bob", "nobody"), none.message);
  await control.as(control.bob).then((bob) => bob.clientKeys.createClientKey({ name: "ci" }));
  assert.match(
    (await refusal("INVALID_ARGUMENT", calls(admin, "client_key=ci"))).message,
    /its id/,
  );
  assert.equal(await calls(alice, "client_key=ci"), 1n);
});

test("what is no id is told by what ids of its kind begin with", async (t) => {
  const control = await startControl(t);
  const admin = await control.as(control.root);
  const refused = await refusal("INVALID_ARGUMENT", admin.calls.getCall({ id: "x" }));
  assert.equal(refused.message, "id: must be an id that begins with call_");
});
