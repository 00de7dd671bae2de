import { ProviderKey_Tier } from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import {
  Listener_Kind,
  SettingsSchema,
  UpdateSettingsRequestSchema,
} from "../../proto/gen/latchkey/v1/system_pb.js";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Notice } from "../../proto/gen/latchkey/v1/common_pb.js";
import { ApiError } from "../../tui/api/api-error.js";
import { openApp, type Rig, type RigOptions } from "./app-rig.js";
import { clientKey, overview, providerKey, whoAmI } from "./fake-data.js";

const PROVIDER_SECRET = "sk-proj-NeverOnTheScreen0123456789";
const CLIENT_SECRET = "sk-lk_NeverInBytesBeforeReveal0123456789abcd";

async function withApp(options: RigOptions, run: (rig: Rig) => Promise<void>): Promise<void> {
  const rig = await openApp(options);
  try {
    await run(rig);
  } finally {
    rig.close();
  }
}

function created(clock: { now(): number }) {
  return { clientKey: { ...clientKey(1, clock.now()), name: "ci-bot" }, secret: CLIENT_SECRET };
}

/** Opens the form for a client key and sends it. */
async function createKey({ press, type }: Rig): Promise<void> {
  await press("3", "n");
  await type("ci-bot");
  await press("<C-s>");
}

test("a new client key's secret is on the glass only while it is revealed", async () => {
  await withApp({}, async (rig) => {
    const { tui, fake, press, type, clock } = rig;
    fake.on("createClientKey", () => created(clock));
    await createKey(rig);
    assert.ok(tui.find("shown ONCE"));
    assert.equal(tui.find("Client keys["), undefined, "nothing stands behind it");
    assert.ok(!tui.bytes().includes(CLIENT_SECRET));
    await press("v");
    assert.deepEqual(tui.find(CLIENT_SECRET), { x: 0, y: 4 });
    await press("v");
    assert.equal(tui.find(CLIENT_SECRET), undefined);
    await press("<tab>");
    await type("abcd");
    assert.ok(tui.find("Client keys["));
    assert.equal(fake.requests("revokeClientKey").length, 0);
    assert.equal(tui.bytes().split(CLIENT_SECRET).length - 1, 1, "sent once");
  });
});

test("esc does not lose the secret; giving it up revokes the key", async () => {
  await withApp({}, async (rig) => {
    const { tui, fake, press, clock } = rig;
    fake.on("createClientKey", () => created(clock));
    await createKey(rig);
    await press("<esc>");
    assert.ok(tui.find("shown ONCE"));
    await press("D", "<enter>");
    assert.equal(fake.requests("revokeClientKey").length, 0, "Cancel has the focus");
    await press("D", "y");
    assert.deepEqual(fake.requests("revokeClientKey"), [{ id: "ck_1" }]);
  });
});

test("a revealed secret hides when the connection is lost or the job is suspended", async () => {
  await withApp({}, async (rig) => {
    const { tui, fake, press, pass, clock } = rig;
    fake.on("createClientKey", () => created(clock));
    await createKey(rig);
    await press("v");
    fake.stream("watchOverview").fail("UNAVAILABLE", "down");
    await pass(300);
    assert.equal(tui.find(CLIENT_SECRET), undefined);
    await press("v", "<C-z>");
    tui.process.events.emit("SIGCONT");
    await pass(300);
    assert.equal(tui.find(CLIENT_SECRET), undefined);
    assert.ok(tui.find("shown ONCE"));
  });
});

test("the secret goes to a file or the clipboard without being shown", async () => {
  await withApp({}, async (rig) => {
    const { tui, fake, press, files, clock } = rig;
    fake.on("createClientKey", () => created(clock));
    await createKey(rig);
    await press("c");
    assert.deepEqual(tui.clipboard, [CLIENT_SECRET]);
    await press("w", "<enter>");
    assert.deepEqual([...files], [["./ci-bot.key", CLIENT_SECRET]]);
    assert.equal(tui.find(CLIENT_SECRET), undefined);
  });
});

test("a form that was not answered is sent again under the same id, and a changed one is not", async () => {
  await withApp({}, async (rig) => {
    const { fake, press, type, tui, clock } = rig;
    fake.refuse("createClientKey", "UNAVAILABLE", "the line broke");
    await createKey(rig);
    assert.ok(tui.find("the line broke"));
    await press("<C-s>");
    await type("2");
    fake.on("createClientKey", () => created(clock));
    await press("<C-s>");
    const ids = fake.requests("createClientKey").map((request) => request["requestId"]);
    assert.equal(ids.length, 3);
    assert.equal(ids[0], ids[1]);
    assert.notEqual(ids[1], ids[2]);
  });
});

test("a key whose secret was lost on the way is told with its remedy", async () => {
  await withApp({}, async (rig) => {
    const details = { reason: "already_exists", fields: {}, metadata: { id: "ck_7" } };
    rig.fake.refuse("createClientKey", "ALREADY_EXISTS", "exists", details);
    await createKey(rig);
    assert.ok(rig.tui.find("It was done (ck_7)"));
  });
});

test("what the server finds wrong with a field stands below that field", async () => {
  await withApp({}, async (rig) => {
    const fields = { ip_allowlist: "10.0.0.0/99 is no block" };
    const details = { reason: "invalid_argument", fields, metadata: {} };
    rig.fake.refuse("createClientKey", "INVALID_ARGUMENT", "one field is wrong", details);
    await createKey(rig);
    const at = rig.tui.find("IP addresses");
    assert.ok(at);
    assert.match(rig.tui.row(at.y + 1), /10\.0\.0\.0\/99 is no block/);
  });
});

test("a super key needs an admin, and goes to the owner that was chosen", async () => {
  await withApp({}, async ({ press, type, fake, clock }) => {
    fake.on("createSuperClientKey", () => created(clock));
    await press("4", "S");
    await type("shared");
    await press("<C-s>");
    assert.deepEqual(
      fake.requests("createSuperClientKey").map(({ ownerId, name }) => [ownerId, name]),
      [["usr_0", "shared"]],
    );
  });
  await withApp({ role: "USER" }, async ({ press, tui }) => {
    await press("3", "n");
    assert.ok(tui.find("New client key"));
    assert.equal(tui.find("super: the public pool"), undefined);
    assert.equal(tui.find("Owner  "), undefined);
  });
});

test("limits, expiry and lists are sent as they were written", async () => {
  await withApp({}, async ({ press, type, fake, clock }) => {
    fake.on("createClientKey", () => created(clock));
    await press("3", "n");
    await type("ci-bot");
    await press("<tab>", "<tab>", "<tab>", "<tab>");
    await type("30d");
    await press("<tab>");
    await type("gpt-4o*, claude-*");
    await press("<tab>");
    await type("10.0.0.0/8");
    await press("<tab>");
    await type("chat, embeddings");
    await press("<tab>");
    await type("rpm=60,month=$25,month=1000tokens");
    await press("<C-s>");
    const [request] = fake.requests("createClientKey");
    assert.ok(request);
    assert.deepEqual(request["modelAllowlist"], ["gpt-4o*", "claude-*"]);
    assert.deepEqual(request?.["ipAllowlist"], ["10.0.0.0/8"]);
    assert.deepEqual(request?.["scopes"], ["chat", "embeddings"]);
    assert.deepEqual(request?.["limits"], {
      requestsPerMinute: 60,
      budgets: [{ period: 3, costMicros: 25_000_000n, tokens: 1000n }],
    });
    const { seconds } = request["expireTime"] as { seconds: bigint };
    assert.equal(Math.round((Number(seconds) * 1000 - clock.now()) / 86_400_000), 30);
  });
});

test("what is typed before a form is there goes to the form, and never to the list below", async () => {
  await withApp({}, async ({ press, type, fake, tui, pass }) => {
    await press("2");
    let answer: (() => void) | undefined;
    fake.on(
      "listProviders",
      () =>
        new Promise((resolve) => {
          answer = () => resolve({ providers: [{ id: "prv_0", slug: "openai" }] });
        }),
    );
    await press("n");
    assert.ok(tui.find("asking the server"));
    await press("<tab>");
    await type("deed");
    assert.equal(fake.requests("disableProviderKey").length, 0, "d means the list's row");
    answer?.();
    await pass(100);
    assert.match(tui.row(tui.find("Name")?.y ?? 0), /Name +\* +deed /);

    await press("<esc>", "y", "n", "<esc>");
    assert.equal(tui.find("asking the server"), undefined);
    answer?.();
    await pass(100);
    assert.equal(tui.find("New provider key"), undefined, "who has left is not shown the form");
  });
});

test("revoking asks, and a bare enter does nothing", async () => {
  await withApp({}, async ({ press, fake, tui }) => {
    await press("3", "r", "<enter>");
    assert.equal(fake.requests("revokeClientKey").length, 0);
    await press("r", "y");
    assert.deepEqual(fake.requests("revokeClientKey"), [{ id: "ck_0" }]);
    assert.ok(tui.find("is revoked"));
  });
});

test("a revoked key cannot be revoked, rotated or enabled again", async () => {
  await withApp({ count: 4 }, async ({ press, tui }) => {
    await press("3", "G");
    for (const key of ["r", "R", "d"]) {
      await press(key);
      assert.ok(tui.find("the key is revoked for good"), key);
    }
  });
});

test("deleting a client key says that its calls go too, and takes its typed name", async () => {
  await withApp({}, async ({ press, type, tui, fake }) => {
    await press("3", "<C-d>");
    assert.match(tui.text(), /together with all its/);
    await press("y", "<enter>");
    assert.equal(fake.requests("deleteClientKey").length, 0);
    await press("<C-u>");
    await tui.paste("ci-bot-0");
    await press("<enter>");
    assert.equal(fake.requests("deleteClientKey").length, 0, "a paste is not typing");
    await type("ci-bot-0");
    await press("<enter>");
    assert.deepEqual(fake.requests("deleteClientKey"), [{ id: "ck_0", expectedVersion: 2n }]);
  });
});

test("rotating keeps the old secret for the time chosen and shows the new one once", async () => {
  await withApp({}, async ({ press, tui, fake, clock }) => {
    fake.on("rotateClientKey", () => created(clock));
    await press("3", "R", "<right>", "<C-s>");
    const [request] = fake.requests("rotateClientKey");
    assert.equal(request?.["graceSeconds"], 3600n);
    assert.ok(tui.find("shown ONCE"));
    assert.ok(!tui.bytes().includes(CLIENT_SECRET));
  });
});

test("a provider's secret is never drawn, and is stored after its test has passed", async () => {
  await withApp({}, async ({ press, type, tui, fake, pass }) => {
    fake.on("createProviderKey", () => ({ providerKey: providerKey(1, 0) }));
    await press("2", "n", "<tab>");
    await type("main-1");
    await press("<tab>");
    await type(PROVIDER_SECRET);
    await press("<C-s>");
    assert.ok(tui.find("Test connection: main-1"));
    assert.deepEqual(fake.requests("testProviderKey")[0]?.["target"], {
      case: "candidate",
      value: { providerId: "prv_openai", secret: PROVIDER_SECRET },
    });
    const stream = fake.stream("testProviderKey");
    const step = { name: 4, state: 2, durationMs: 121n, detail: "200, 42 models" };
    stream.send({ event: { case: "step", value: step } });
    stream.send({ event: { case: "result", value: { ok: true, durationMs: 121n } } });
    stream.end();
    await pass(300);
    assert.ok(tui.find("200, 42 models"));
    assert.equal(fake.requests("createProviderKey").length, 0);
    await press("<enter>");
    assert.equal(fake.requests("createProviderKey")[0]?.["secret"], PROVIDER_SECRET);
    assert.ok(tui.find("main-1 is stored"));
    assert.ok(!tui.bytes().includes(PROVIDER_SECRET));
  });
});

test("a secret that fails its test is stored only when one insists", async () => {
  await withApp({}, async ({ press, type, tui, fake, pass }) => {
    await press("2", "n", "<tab>");
    await type("main-1");
    await press("<tab>");
    await type(PROVIDER_SECRET);
    await press("<C-s>");
    const result = { ok: false, message: "The provider refuses this key.", httpStatus: 401 };
    fake.stream("testProviderKey").send({ event: { case: "result", value: result } });
    await pass(300);
    await press("<enter>", "<enter>");
    assert.equal(fake.requests("createProviderKey").length, 0);
    assert.ok(tui.find("New provider key"), "the form is still there");
    await press("<C-s>");
    await pass(300);
    fake.stream("testProviderKey").send({ event: { case: "result", value: result } });
    await pass(300);
    await press("<enter>", "y");
    assert.equal(fake.requests("createProviderKey").length, 1);
  });
});

test("leaving a test cancels it and keeps the form", async () => {
  await withApp({}, async ({ press, type, tui, fake }) => {
    await press("2", "n", "<tab>");
    await type("main-1");
    await press("<tab>");
    await type(PROVIDER_SECRET);
    await press("<C-s>");
    const stream = fake.stream("testProviderKey");
    await press("<esc>");
    assert.equal(stream.open, false);
    assert.ok(tui.find("the test was cancelled"));
    assert.equal(fake.requests("createProviderKey").length, 0);
  });
});

test("a server that cannot test stores without, and does not offer it again", async () => {
  const script: RigOptions["script"] = (fake) => {
    fake.onStream("testProviderKey", (stream) => stream.fail("UNIMPLEMENTED", "no tests here"));
  };
  await withApp({ script }, async ({ press, type, fake, tui }) => {
    await press("2", "n", "<tab>");
    await type("main-1");
    await press("<tab>");
    await type(PROVIDER_SECRET);
    await press("<C-s>");
    assert.ok(tui.find("no tests here"));
    await press("<enter>");
    assert.equal(fake.requests("createProviderKey").length, 1);
    await press("n");
    assert.equal(tui.find("Test first"), undefined);
  });
});

test("a form with contents asks before it is closed", async () => {
  await withApp({}, async ({ press, type, tui }) => {
    await press("3", "n");
    await type("half a na");
    await press("<esc>");
    assert.ok(tui.find("What was typed is lost"));
    await press("<enter>");
    assert.ok(tui.find("half a na"));
    await press("<esc>", "y");
    assert.equal(tui.find("New client key"), undefined);
  });
});

test("an edit names its fields and the version it is based on", async () => {
  await withApp({}, async ({ press, fake }) => {
    await press("2", "e", "<C-s>");
    const [request] = fake.requests("updateProviderKey");
    assert.ok(request);
    assert.equal(request?.["expectedVersion"], 3n);
    const { paths } = request["updateMask"] as { paths: string[] };
    assert.ok(paths.includes("expire_time") && paths.includes("limits"));
  });
});

test("an edit leaves an expiry as it is to the second, and may be of a key that has expired", async () => {
  await withApp({}, async ({ press, fake, clock }) => {
    const expireTime = timestampFromMs(clock.now() - 61_234);
    const owned = { ...providerKey(0, clock.now()), expireTime };
    const presented = { ...clientKey(0, clock.now()), expireTime };
    fake.on("listProviderKeys", () => ({ providerKeys: [owned], totalEstimate: 1n }));
    fake.on("listClientKeys", () => ({ clientKeys: [presented], totalEstimate: 1n }));
    await press("2", "e", "<C-s>");
    await press("3", "e", "<C-s>");
    for (const method of ["updateProviderKey", "updateClientKey"]) {
      const [request] = fake.requests(method);
      assert.deepEqual(request?.["expireTime"], expireTime, method);
    }
  });
});

test("a change by somebody else in between is told and loses nothing", async () => {
  await withApp({}, async ({ press, fake, tui, type }) => {
    fake.on("updateProviderKey", () => {
      throw new ApiError("ABORTED", "bob changed it meanwhile; look again");
    });
    await press("2", "e");
    await type("-new");
    await press("<C-s>");
    assert.ok(tui.find("bob changed it meanwhile"));
    assert.ok(tui.find("ci-bot-0-new"));
  });
});

test("the vault is unlocked with a passphrase that is never drawn", async () => {
  await withApp({}, async ({ press, type, fake, tui, pass }) => {
    fake.on("getStatus", () => ({ version: "0.1.0", vault: { state: 2 } }));
    await press("9");
    await pass(300);
    await press("u");
    await type("open sesame 123");
    await press("<C-s>");
    assert.deepEqual(fake.requests("unlock"), [{ passphrase: "open sesame 123" }]);
    assert.ok(!tui.bytes().includes("open sesame"));
  });
});

test("a vault whose root key needs no passphrase is unlocked without one", async () => {
  await withApp({}, async ({ press, fake, tui, pass }) => {
    fake.on("getStatus", () => ({ version: "0.1.0", vault: { state: 2, rootKeySource: 1 } }));
    await press("9");
    await pass(300);
    await press("u");
    assert.equal(tui.find("Passphrase"), undefined);
    await press("<enter>");
    assert.deepEqual(fake.requests("unlock"), [{ passphrase: "" }]);
  });
});

test("the audit chain is verified on demand and its state stays in sight", async () => {
  await withApp({}, async ({ press, fake, tui }) => {
    fake.on("verifyChain", () => ({ intact: false, firstBadSeq: 17n, message: "hash differs" }));
    await press("8", "v");
    assert.ok(tui.find("broken at event 17: hash differs"));
    await press("<esc>");
    assert.ok(tui.find("CHAIN BROKEN at #17"));
  });
});

test("usage asks for the period, group and unit that were chosen", async () => {
  await withApp({}, async ({ press, fake }) => {
    await press("6", "m", "<tab>", "u");
    const request = fake.requests("getTrend").at(-1);
    const { startTime, endTime } = request!["range"] as Record<string, { seconds: bigint }>;
    assert.equal(Number(endTime!.seconds - startTime!.seconds), 30 * 86_400);
    assert.equal(request?.["groupBy"], 2);
    assert.equal(request?.["rankBy"], 1);
  });
});

test("the calls of a filter are exported to a file", async () => {
  const script: RigOptions["script"] = (fake) => {
    fake.onStream("exportCalls", (stream) => {
      stream.send({ chunk: Buffer.from("id,model\n"), exportedCalls: 0n });
      stream.send({ chunk: Buffer.from("call_1,数据\n"), exportedCalls: 1n, done: true });
      stream.end();
    });
  };
  await withApp({ script, readonly: true }, async ({ press, fake, files, tui }) => {
    await press("5", "e", "x", "<C-s>");
    assert.equal(fake.requests("exportCalls")[0]?.["filter"], "status=error");
    assert.deepEqual([...files], [["./calls-2026-11-20.csv", "id,model\ncall_1,数据\n"]]);
    assert.ok(tui.find("1 calls written to"));
  });
});

test("a secret is shown again to its owner alone, after the password, and hides when it must", async () => {
  const script: RigOptions["script"] = (fake) => {
    fake.on("whoAmI", () => ({ ...whoAmI(), session: { authMethod: 1 } }));
    fake.on("revealProviderKey", ({ password }) => {
      if (password !== "right password") throw new ApiError("PERMISSION_DENIED", "wrong password");
      return { secret: PROVIDER_SECRET };
    });
  };
  await withApp({ script }, async ({ press, type, tui }) => {
    await press("2", "u");
    await type("wrong");
    await press("<C-s>");
    assert.ok(tui.find("wrong password"));
    await press("<C-u>");
    await type("right password");
    await press("<C-s>");
    assert.ok(tui.find("Secret of ci-bot-0"));
    assert.ok(!tui.bytes().includes(PROVIDER_SECRET));
    await press("v");
    assert.deepEqual(tui.find(PROVIDER_SECRET), { x: 0, y: 4 });
    await press("<C-z>");
    tui.process.events.emit("SIGCONT");
    await tui.settle();
    assert.equal(tui.find(PROVIDER_SECRET), undefined);
    await press("<esc>");
    assert.ok(tui.find("Provider keys["));
    assert.doesNotMatch(tui.bytes(), /right password/);
  });
});

test("what belongs to somebody else is not revealed, and what is not kept cannot be", async () => {
  const script: RigOptions["script"] = (fake) => {
    fake.on("listProviderKeys", () => ({
      providerKeys: [{ ...providerKey(0, 0), ownerId: "usr_bob" }],
      totalEstimate: 1n,
    }));
  };
  await withApp({ script }, async ({ press, tui, fake }) => {
    await press("2", "u");
    assert.ok(tui.find("only its owner may see the secret"));
    await press("3", "u");
    assert.ok(tui.find("no copy of it is kept"));
    assert.equal(fake.requests("revealProviderKey").length, 0);
  });
});

test("a row shown in full can be read to its end in a small window", async () => {
  await withApp({ cols: 60, rows: 16 }, async ({ press, tui }) => {
    await press("2", "<enter>");
    assert.ok(tui.find("esc: back"));
    assert.equal(tui.find("failures"), undefined);
    await press("<pgdn>", "<pgdn>", "<pgdn>");
    assert.ok(tui.find("failures"), tui.text());
    await press("<enter>");
    assert.ok(tui.find("Provider keys["));
  });
});

test("a vault rotation takes its typed word, shows how far it is, and outlives its window", async () => {
  await withApp({}, async ({ press, type, fake, tui, pass }) => {
    await press("9", "R", "<enter>");
    assert.equal(fake.requests("rotateVaultKey").length, 0);
    await type("rotate");
    await press("<enter>");
    const stream = fake.stream("rotateVaultKey");
    stream.send({ progress: { state: 1, done: 12n, total: 27n, elapsedMs: 800n } });
    await pass(300);
    assert.ok(tui.find("12 of 27 secrets"));
    assert.ok(tui.find("the rotation goes on"));
    stream.send({ progress: { state: 2, done: 27n, total: 27n, elapsedMs: 1800n } });
    stream.end();
    await pass(300);
    assert.ok(tui.find("<enter> close"));
  });
});

test("a backup tells its name and size, or why there is none", async () => {
  await withApp({}, async ({ press, fake, tui, pass }) => {
    await press("9", "B");
    const stream = fake.stream("backup");
    assert.deepEqual(fake.requests("backup"), [{ target: 2 }]);
    const info = { name: "latchkey-1.backup", sizeBytes: 2048n, durationMs: 120n };
    stream.send({ part: { case: "info", value: info } });
    stream.end();
    await pass(300);
    assert.ok(tui.find("latchkey-1.backup, 2.00K in 120ms"));
    await press("<enter>", "B");
    fake.stream("backup").fail("RESOURCE_EXHAUSTED", "the disk is full");
    await pass(300);
    assert.ok(tui.find("the disk is full"));
  });
});

test("a model's alias and fallback chain are shown, set, and removed by an empty list", async () => {
  await withApp({}, async (rig) => {
    const { tui, fake, press, type } = rig;
    fake.on("listModels", () => ({
      models: [
        {
          modelId: "gpt-5-mini",
          providerSlug: "openai",
          enabled: true,
          aliases: ["mini"],
          catalogAliases: ["fast"],
          fallbacks: ["gpt-5"],
          catalogFallbacks: ["claude-haiku-4-5"],
        },
      ],
    }));
    const known = [
      { kind: 1, name: "fast", targets: ["gpt-5-mini", "gpt-4o"], unserved: ["gpt-4o"] },
      { kind: 2, name: "gpt-5*", targets: ["claude-haiku-4-5"] },
    ];
    fake.on("getRewrites", ({ kind }) => ({
      rewrites: known.filter((each) => kind === undefined || each.kind === kind),
    }));
    fake.on("setRewrite", () => ({}));
    fake.on("deleteRewrite", () => ({ deleted: true }));
    await press("7");
    assert.ok(tui.find("fast, mini"));
    await press("l");
    assert.ok(tui.find("fast"));
    assert.ok(tui.find("nothing serves gpt-4o"));
    assert.ok(tui.find("gpt-5* "));
    assert.ok(tui.find("falls back to claude-haiku-4-5"));
    await press("<esc>", "e");
    assert.ok(tui.find("Alias fast"));
    assert.ok(tui.find("gpt-5-mini, gpt-4o"));
    await press("<tab>", "<C-u>", "<C-s>");
    assert.deepEqual(fake.requests("deleteRewrite"), [{ kind: 1, name: "fast" }]);
    await press("f");
    assert.ok(tui.find("Fallbacks of gpt-5-mini"));
    await press("<tab>");
    await type("grok-4.5, claude-haiku-4-5");
    await press("<C-s>");
    assert.deepEqual(fake.requests("setRewrite"), [
      { kind: 2, name: "gpt-5-mini", targets: ["grok-4.5", "claude-haiku-4-5"] },
    ]);
  });
});

test("the server's log is followed, and holds still while one reads back", async () => {
  await withApp({}, async ({ press, fake, tui, pass }) => {
    await press("9", "l");
    const line = (i: number) => ({ level: 2, message: `line ${i}`, fields: { rpc: "x\u001b[2J" } });
    const stream = fake.stream("tailLog");
    stream.send({ lines: Array.from({ length: 100 }, (_, i) => line(i)) });
    await pass(300);
    assert.ok(tui.find("line 99"));
    await press("k");
    stream.send({ lines: [line(100)] });
    await pass(300);
    assert.equal(tui.find("line 100"), undefined);
    await press("G");
    assert.ok(tui.find("line 100"));
    await press("<esc>");
    assert.equal(stream.open, false);
  });
});

test("settings are edited in a form, and a refused one is marked where it stands", async () => {
  await withApp({}, async ({ press, type, fake, tui }) => {
    fake.on("getSettings", () => ({
      settings: {
        sessionMinutes: 480,
        storageFailurePolicy: 1,
        durability: 1,
        abortedCallPolicy: 1,
        serverLimits: { requestsPerMinute: 60 },
      },
    }));
    fake.on("updateSettings", () => {
      const fields = { lockout_failures: "must be a whole number from 3 to 100" };
      const details = { reason: "invalid_argument", fields, metadata: {} };
      throw new ApiError("INVALID_ARGUMENT", "refused", { details });
    });
    await press("9", "e");
    assert.ok(tui.find("rpm=60"));
    await press("<tab>", "<tab>", "<right>", "<tab>", "<tab>", "<tab>", "<tab>");
    await type("concurrency=4");
    await press("<C-s>");
    const [request] = fake.requests("updateSettings");
    assert.equal(request?.["sessionMinutes"], 480);
    assert.equal(request["storageFailurePolicy"], 2);
    const { paths } = request["updateMask"] as { paths: readonly string[] };
    assert.deepEqual(paths, ["storage_failure_policy", "default_client_key_limits"]);
    const inForm = UpdateSettingsRequestSchema.fields.filter(
      ({ name, localName }) => name !== "update_mask" && request[localName] !== undefined,
    );
    const settings = SettingsSchema.fields.map(({ name }) => name);
    assert.deepEqual(inForm.map(({ name }) => name).toSorted(), settings.toSorted());
    assert.deepEqual(request["serverLimits"], { requestsPerMinute: 60, budgets: [] });
    assert.deepEqual(request["defaultClientKeyLimits"], { concurrency: 4, budgets: [] });
    assert.ok(tui.find("must be a whole number from 3 to 100"));
  });
});

test("what a server refuses of a field stands there in full, and not once more in the API's words", async () => {
  const words = "must be an IP address or a block of addresses, such as 192.0.2.7 or 10.0.0.0/8";
  await withApp({}, async ({ press, type, fake, tui }) => {
    const fields = { "ip_allowlist[1]": words };
    const details = { reason: "invalid_argument", fields, metadata: {} };
    fake.refuse("createClientKey", "INVALID_ARGUMENT", `ip_allowlist[1]: ${words}`, details);
    await press("3", "n");
    await type("ci");
    await press("<C-s>");
    const at = tui.find("must be an IP address")?.y ?? 0;
    assert.match(tui.row(at), /such as/);
    assert.match(tui.row(at + 1), /192\.0\.2\.7 or 10\.0\.0\.0\/8/);
    assert.equal(tui.find("ip_allowlist"), undefined);
  });
});

test("a key that its owner should look at is marked in the list and explained in the detail", async () => {
  await withApp({}, async ({ press, fake, tui, clock }) => {
    const due = { ...clientKey(0, clock.now()), name: "old-one", notices: [Notice.ROTATION_DUE] };
    const odd = {
      ...clientKey(1, clock.now()),
      name: "odd-one",
      notices: [Notice.HIGH_ERROR_RATE],
    };
    const fine = { ...clientKey(2, clock.now()), name: "fine-one" };
    fake.on("listClientKeys", () => ({ clientKeys: [due, odd, fine], totalEstimate: 3n }));
    await press("3");
    const rowOf = (name: string) => tui.row(tui.find(name)?.y ?? 0);
    assert.match(rowOf("old-one"), /▲/);
    assert.match(rowOf("odd-one"), /✖/);
    assert.doesNotMatch(rowOf("fine-one"), /▲|✖/);
    await press("<enter>");
    assert.ok(tui.find("rotation is due"));
  });
});

test("how to call with a key can be pasted from the narrowest terminal, and is copied by c", async () => {
  const address = "10.0.0.5:8080";
  const script: RigOptions["script"] = (fake) =>
    fake.on("getStatus", () => ({ listeners: [{ kind: Listener_Kind.PROXY, address }] }));
  await withApp({ cols: 60, rows: 24, script }, async ({ tui, press, pass }) => {
    await press("3", "c");
    assert.ok(tui.find("Call with"), tui.text());
    assert.doesNotMatch(tui.text(), /…/);
    assert.equal(tui.find(`curl -s http://${address}/v1/chat/completions \\`)?.x, 0);
    await press("c");
    await pass(200);
    const command = tui.clipboard.at(-1) ?? "";
    assert.match(command, /^curl -s http:\/\/10\.0\.0\.5:8080.*"hello"}\]}'$/s);
    await press("<esc>");
    assert.equal(tui.find("Call with"), undefined);
  });
});

test("the last row tells the keys of the window that is open, not of the view below it", async () => {
  await withApp({ cols: 80, rows: 24 }, async ({ tui, press }) => {
    await press("3");
    assert.match(tui.row(23), /<n> new/);
    await press("n");
    assert.match(tui.row(23), /<C-s> create {2}<esc> cancel/);
    await press("<tab>");
    assert.match(tui.row(23), /^ <left> <right> choose {2}<tab> next/);
    await press("<esc>");
    await press("<C-d>");
    assert.match(
      tui.row(23),
      /<enter> delete with all calls, when the name is right {2}<esc> cancel/,
    );
    await press("<esc>");
    assert.match(tui.row(23), /<n> new/);
  });
});

/** The snapshot with other rows at some places. */
function overviewWith(nowMs: number, changes: object) {
  const snapshot = overview(nowMs);
  return { ...snapshot, overview: { ...snapshot.overview, ...changes } };
}

test("names that change when they are made safe do not shift what stands beside them", async () => {
  const script: RigOptions["script"] = (fake) => {
    const labels = ["👩‍👩‍👧 family", "数据团队", "plain"];
    const rows = labels.map((label) => ({ id: label, label, requestsPerSecond: 6, share: 0.6 }));
    fake.onStream("watchOverview", (stream) =>
      stream.send(overviewWith(Date.UTC(2026, 10, 20), { topClientKeys: { rows } })),
    );
  };
  await withApp({ script }, async ({ tui }) => {
    const bars = ["family", "数据团队", "plain"].map((name) => {
      const y = tui.find(name)?.y ?? 0;
      return Array.from({ length: 120 }, (_, x) => x).findLast((x) => tui.cell(x, y).char === "█");
    });
    assert.equal(new Set(bars).size, 1, tui.text());
  });
});

test("why keys of the pool are not there is readable at 120 columns", async () => {
  const script: RigOptions["script"] = (fake) => {
    const counts = { total: 60, eligible: 3, cooldown: 12, invalid: 45 };
    const pool = { tiers: [{ tier: ProviderKey_Tier.PRIMARY, counts }] };
    fake.onStream("watchOverview", (stream) =>
      stream.send(overviewWith(Date.UTC(2026, 10, 20), { pool })),
    );
  };
  await withApp({ script }, async ({ tui }) => {
    assert.ok(tui.find("3/60  12 cooling"), tui.text());
  });
});

test("without colour a large screen has no empty gauges, and lines are told apart by signs", async () => {
  await withApp({ cols: 200, rows: 60, theme: "mono" }, async ({ tui }) => {
    assert.equal(tui.find("Spend today ─"), undefined);
    assert.match(tui.row(2), /Traffic/);
    assert.ok(tui.find("█ p50  2 p95"), tui.text());
  });
  await withApp({ cols: 200, rows: 60 }, async ({ tui }) => {
    assert.ok(tui.find("Spend today ─"), tui.text());
    assert.ok(tui.find("── p50  ── p95"), tui.text());
  });
});

test("the whole secret proves as well as its end that one has it", async () => {
  await withApp({}, async (rig) => {
    rig.fake.on("createClientKey", () => created(rig.clock));
    await createKey(rig);
    assert.ok(rig.tui.find("shown ONCE"));
    await rig.press("<tab>");
    await rig.tui.paste(`${CLIENT_SECRET}\n`);
    await rig.pass(200);
    assert.equal(rig.tui.find("shown ONCE"), undefined);
  });
});

test("two secrets pasted as one are refused before they are stored", async () => {
  await withApp({}, async ({ tui, press, type, fake }) => {
    await press("2", "n");
    await press("<tab>");
    await type("main");
    await press("<tab>");
    await tui.paste("sk-one-1234567890\nsk-two-1234567890\n");
    await press("<C-s>");
    assert.ok(tui.find("paste one secret"), tui.text());
    assert.equal(fake.requests("testProviderKey").length, 0);
    assert.equal(fake.requests("createProviderKey").length, 0);
  });
});

test("at 60 columns each view is still in the bar, and what System has no room for is one key away", async () => {
  await withApp({ cols: 60, rows: 20 }, async ({ tui, press }) => {
    await press("9");
    assert.equal(tui.row(1), " 1  2  3  4  5  6  7  8 [9 Syst]");
    assert.ok(tui.find("enter: all of it"), tui.text());
    await press("<enter>");
    assert.ok(tui.find("SERVER"), tui.text());
    await press("<esc>");
    assert.ok(tui.find("enter: all of it"));
  });
});
