import assert from "node:assert/strict";
import { test } from "node:test";
import { StreamInfo_Kind } from "../../proto/gen/latchkey/v1/common_pb.js";
import { reachable } from "../../tui/term/keymap.js";
import { openApp, type Rig, type RigOptions } from "./app-rig.js";
import { HARD_NAMES, overview } from "./fake-data.js";
import type { FakeApi } from "./fake-api.js";
import { foreignBytes } from "./grammar.js";

const VIEWS = [
  { key: "1", title: "Overview", list: undefined, method: undefined },
  { key: "2", title: "Provider keys", list: "Provider keys[", method: "listProviderKeys" },
  { key: "3", title: "Client keys", list: "Client keys[", method: "listClientKeys" },
  { key: "4", title: "Users", list: "Users[", method: "listUsers" },
  { key: "5", title: "Calls", list: "Calls[", method: "listCalls" },
  { key: "6", title: "Usage", list: undefined, method: "getTrend" },
  { key: "7", title: "Models", list: "Models[", method: "listModels" },
  { key: "8", title: "Audit", list: "Audit[", method: "listEvents" },
  { key: "9", title: "System", list: undefined, method: "getStatus" },
] as const;

const SIZES = [
  [200, 60],
  [120, 35],
  [80, 24],
  [60, 16],
] as const;

async function withApp(options: RigOptions, run: (rig: Rig) => Promise<void>): Promise<void> {
  const rig = await openApp(options);
  try {
    await run(rig);
  } finally {
    rig.close();
  }
}

for (const rows of [0, 1, 10_000]) {
  test(`every view shows ${rows} rows at every size, and sends nothing but text and our sequences`, async () => {
    await withApp({ count: rows }, async ({ tui, press }) => {
      for (const [cols, height] of SIZES) {
        await tui.resize(cols, height);
        for (const { key, title, list } of VIEWS) {
          await press(key);
          assert.match(tui.row(0), new RegExp(`^ .*${title}`), `${title} at ${cols}x${height}`);
          if (list !== undefined) assert.ok(tui.find(`${list}${rows}]`), `${title}\n${tui.text()}`);
          assert.match(tui.row(height - 1), /<q> quit/);
        }
      }
      assert.deepEqual(foreignBytes(tui.bytes()), []);
    });
  });
}

test("the last of ten thousand rows takes one page of each list, in the opposite order", async () => {
  const ends = [
    ["2", "listProviderKeys", "create_time"],
    ["3", "listClientKeys", "create_time"],
    ["4", "listUsers", "create_time"],
    ["7", "listModels", "model_id desc"],
    ["8", "listEvents", "seq"],
  ] as const;
  await withApp({ count: 10_000 }, async ({ tui, fake, press }) => {
    for (const [key, method, orderBy] of ends) {
      await press(key, "G");
      const { pageSize, pageToken, ...asked } = fake.requests(method).at(-1) ?? {};
      assert.deepEqual([pageSize, pageToken, asked["orderBy"]], [200, "", orderBy], method);
      assert.ok(tui.find("-10000 of 10000"), tui.text());
      await press("g");
      assert.equal(fake.requests(method).at(-1)?.["orderBy"], "");
      assert.ok(tui.find(" 1-"), tui.text());
    }
  });
});

test("a name is shown further, the wider the terminal is, in every list of named things", async () => {
  const name = `x${"o".repeat(62)}x`;
  const script = (fake: FakeApi): void => {
    fake.on("listProviderKeys", () => ({
      providerKeys: [{ id: "pk_1", name }],
      totalEstimate: 1n,
    }));
    fake.on("listClientKeys", () => ({ clientKeys: [{ id: "ck_1", name }], totalEstimate: 1n }));
    fake.on("listUsers", () => ({ users: [{ id: "usr_1", username: name }], totalEstimate: 1n }));
    fake.on("listModels", () => ({ models: [{ modelId: name }], totalEstimate: 1n }));
  };
  await withApp({ script }, async ({ tui, press }) => {
    for (const key of ["2", "3", "4", "7"]) {
      const shown: number[] = [];
      for (const [cols, height] of [
        [80, 24],
        [120, 35],
        [200, 60],
      ] as const) {
        await tui.resize(cols, height);
        await press(key);
        shown.push(/xo+…?x?/.exec(tui.row(4))?.[0].length ?? 0);
      }
      const [narrow = 0, usual = 0, wide = 0] = shown;
      assert.ok(narrow >= 12 && usual > narrow && wide > usual, `view ${key}: ${shown.join(" ")}`);
    }
  });
});

test("the Overview tells providers apart by names that begin alike, where there is room", async () => {
  const names = ["Provider with a long name, east", "Provider with a long name, west"];
  const script = (fake: FakeApi): void =>
    fake.onStream("watchOverview", (stream) => {
      const providers = names.map((displayName) => ({
        displayName,
        eligibleKeys: 1,
        totalKeys: 1,
      }));
      const message = overview(0);
      stream.send({ ...message, overview: { ...message.overview, providers } });
    });
  await withApp({ script, cols: 200, rows: 60 }, async ({ tui, pass }) => {
    await pass(500);
    for (const name of names) assert.ok(tui.find(name), tui.text());
  });
});

test("usage that is still on its way is not called none", async () => {
  const script = (fake: FakeApi): void => fake.on("getTrend", () => new Promise(() => undefined));
  await withApp({ script }, async ({ tui, press }) => {
    await tui.resize(120, 35);
    await press("6");
    assert.ok(tui.find("loading"), tui.text());
    assert.equal(tui.find("no data yet"), undefined);
  });
});

test("o on a call leads to its client key, whatever that is called", async () => {
  await withApp({ count: 3 }, async ({ fake, press }) => {
    await press("5", "j", "o");
    assert.equal(fake.requests("listClientKeys").at(-1)?.["filter"], "id=ck_1");
  });
});

test("calls that the server has not counted to the end are that many or more", async () => {
  let more = true;
  const script = (fake: FakeApi): void =>
    fake.on("listCalls", () => ({
      calls: [{ id: "call_1" }],
      totalEstimate: 500n,
      totalIsLowerBound: more,
    }));
  await withApp({ script }, async ({ tui, press }) => {
    await press("5");
    assert.ok(tui.find("Calls[500+]"), tui.text());
    more = false;
    await press("<C-r>");
    assert.ok(tui.find("Calls[500]"), tui.text());
  });
});

test("a list that is empty because of its filter says so, and not that nothing was made yet", async () => {
  await withApp({ count: 0 }, async ({ tui, press, type }) => {
    for (const key of ["2", "3", "4", "5", "6", "7", "8"]) {
      await press(key);
      assert.equal(tui.find("nothing matches the filter"), undefined, key);
      await press("/");
      await type("nobody");
      await press("<enter>");
      assert.ok(tui.find("nothing matches the filter: esc clears it"), key);
      await press("<esc>");
      assert.equal(tui.find("nothing matches the filter"), undefined, key);
    }
  });
});

test("names from outside keep to their cells: the columns of all rows line up", async () => {
  await withApp({ count: HARD_NAMES.length }, async ({ tui, press }) => {
    await press("2");
    const at = tui.find("openai");
    assert.ok(at);
    for (let y = at.y; y < at.y + HARD_NAMES.length; y += 1) {
      const provider = Array.from({ length: 6 }, (_, i) => tui.cell(at.x + i, y).char).join("");
      assert.equal(provider, "openai", `row ${y}\n${tui.text()}`);
    }
  });
});

test("a list of ten thousand rows is fetched page by page as one goes down", async () => {
  await withApp({ count: 10_000 }, async ({ tui, press, type, fake }) => {
    await press("8");
    assert.ok(fake.requests("listEvents").length <= 2);
    await type("j".repeat(190));
    await type("j".repeat(200));
    assert.ok(tui.find("of 10000"));
    const tokens = fake.requests("listEvents").map((request) => request["pageToken"]);
    assert.ok(tokens.includes("200") && tokens.includes("400"), String(tokens));
  });
});

test("a list of which more than a thousand rows were gone through says that it stands still", async () => {
  await withApp({ count: 1200 }, async ({ tui, press }) => {
    await press("8", "G");
    assert.ok(tui.find("1185-1200 of 1200, ctrl-r renews"), tui.text());
  });
});

test("each view says what went wrong instead of showing nothing", async () => {
  const script: RigOptions["script"] = (fake) => {
    for (const { method } of VIEWS) {
      if (method !== undefined) fake.refuse(method, "INTERNAL", "the database is on fire");
    }
  };
  await withApp({ script }, async ({ tui, press }) => {
    for (const { key, title } of VIEWS.slice(1)) {
      await press(key);
      assert.ok(tui.find("the database is on fire"), `${title}\n${tui.text()}`);
    }
  });
});

test("a view that is refused says so; what the server does not have is not offered", async () => {
  const script: RigOptions["script"] = (fake) => {
    fake.refuse(
      "listEvents",
      "PERMISSION_DENIED",
      "Role USER may not do audit.list: ask an admin.",
    );
    fake.refuse("getTrend", "UNIMPLEMENTED", "GetTrend is not implemented");
  };
  await withApp({ script }, async ({ tui, press }) => {
    await press("8");
    assert.ok(tui.find("ask an admin"));
    assert.doesNotMatch(tui.row(1), /Usage/);
    await press("6");
    assert.ok(tui.find("this server does not offer usage"));
    assert.match(tui.row(0), /Audit/);
  });
});

test("views and keys beyond the role are left out", async () => {
  await withApp({ role: "USER" }, async ({ tui, press, fake }) => {
    assert.doesNotMatch(tui.row(1), /Users/);
    await press("4");
    assert.ok(tui.find("your role does not allow users"));
    assert.equal(fake.requests("listUsers").length, 0);
    await press("9", "u");
    assert.ok(tui.find("your role does not allow this"), tui.text());
  });
});

test("the status line tells server, view, filter, link, round trip, user and time", async () => {
  await withApp({}, async ({ tui, press, type }) => {
    await press("3", "/");
    await type("owner=alice");
    await press("<enter>");
    assert.match(
      tui.row(0),
      /Latchkey ▸ prod-eu-1 ▸ Client keys ▸ owner=alice .*● live 2Hz +rtt \d+ms +alice\(admin\) +11:21:\d\dZ/,
    );
  });
});

test("the filter goes to the server, and esc takes it away", async () => {
  await withApp({}, async ({ press, type, fake }) => {
    await press("2", "/");
    await type("tier=backup");
    await press("<enter>");
    assert.equal(fake.requests("listProviderKeys").at(-1)?.["filter"], "tier=backup");
    await press("<esc>");
    assert.equal(fake.requests("listProviderKeys").at(-1)?.["filter"], "");
  });
});

test("a command goes to a view with its filter; tab completes; nonsense is told", async () => {
  await withApp({}, async ({ tui, press, type, fake }) => {
    await press(":");
    await type("calls status:429");
    await press("<enter>");
    assert.match(tui.row(0), /Calls ▸ status:429/);
    assert.equal(fake.requests("listCalls").at(-1)?.["filter"], "status:429");
    assert.equal(fake.requests("watchCalls").at(-1)?.["filter"], "status:429");
    await press(":");
    await type("the");
    await press("<tab>", "<tab>", "<tab>", "<enter>");
    assert.ok(tui.cell(1, 0).bg > 250, "the light theme");
    await press(":");
    await type("nonsense");
    await press("<enter>");
    assert.ok(tui.find("there is no command :nonsense"));
  });
});

test("help lists every key of a view, and every key in it is bound", async () => {
  await withApp({ cols: 200, rows: 60 }, async ({ tui, app, press }) => {
    await tui.resize(200, 60);
    for (const { key, title } of VIEWS) {
      await press(key);
      const bound = reachable(app.keymaps);
      await press("?");
      assert.ok(tui.find(`Help: ${title}`));
      const shown = tui.text();
      for (const { binding } of bound) {
        // Long sentences go on below, and none is cut.
        const words = [binding.description.slice(0, 12), ...binding.description.split(" ")];
        assert.ok(
          words.every((word) => shown.includes(word)),
          `${title}: ${binding.action} is not in help\n${shown}`,
        );
      }
      await press("<esc>");
    }
  });
});

test("every view's own keys leave the global ones alone but where it is meant", async () => {
  /** Keys that a view may use for itself. */
  const meant = new Set<string>();
  await withApp({}, async ({ app, press }) => {
    for (const { key } of VIEWS) {
      await press(key);
      const [globals] = app.keymaps.slice(-1);
      const own = app.keymaps
        .slice(0, -1)
        .flatMap((map) => map.bindings.flatMap(({ keys }) => keys));
      const clash = own.filter((each) => globals?.find(each) !== undefined && !meant.has(each));
      assert.deepEqual(clash, [], key);
    }
  });
});

test("the menu runs what it shows", async () => {
  await withApp({}, async ({ tui, press }) => {
    await press("3", "a");
    assert.ok(tui.find("make a new client key"));
    await press("<enter>");
    assert.ok(tui.find("New client key"));
  });
});

test("a lost connection dims the last data, refuses changes and comes back by itself", async () => {
  await withApp({}, async ({ tui, fake, press, pass }) => {
    await press("3");
    fake.stream("watchOverview").fail("UNAVAILABLE", "no connection: connect ECONNREFUSED");
    await pass(200);
    assert.ok(tui.find("Connection lost"));
    assert.match(tui.row(0), /✖ reconnecting/);
    await press("n");
    assert.ok(tui.find("the connection is lost"));
    assert.equal(tui.find("New client key"), undefined);
    await pass(1000);
    assert.equal(tui.find("Connection lost"), undefined);
    assert.match(tui.row(0), /● live/);
  });
});

test("r tries again at once", async () => {
  await withApp({}, async ({ tui, fake, press, pass }) => {
    fake.onStream("watchOverview", (stream) => stream.fail("UNAVAILABLE", "down"));
    fake.stream("watchOverview").fail("UNAVAILABLE", "down");
    await pass(20_000);
    assert.ok(tui.find("attempt 6"), tui.text());
    fake.onStream("watchOverview", (stream, request) => {
      assert.equal(request["intervalMs"], 500);
      stream.send(overview(0));
    });
    await press("r");
    assert.match(tui.row(0), /● live/);
  });
});

test("data that stop coming are called stale", async () => {
  await withApp({}, async ({ tui, pass }) => {
    await pass(8000);
    assert.match(tui.row(0), /▲ stale [78]\.\ds/);
  });
});

test("a stream that is not ours to see is no reason to reconnect for ever", async () => {
  const script: RigOptions["script"] = (fake) => {
    fake.onStream("watchOverview", (stream) => stream.fail("PERMISSION_DENIED", "not yours"));
  };
  await withApp({ script, without: ["usage.watch_overview"] }, async ({ tui, fake, pass }) => {
    await pass(10_000);
    assert.equal(fake.requests("watchOverview").length, 1);
    assert.match(tui.row(0), /Provider keys.*refused/);
  });
});

test("without a session the dashboard asks for one, and goes on where it was", async () => {
  let signedIn = false;
  const script: RigOptions["script"] = (fake) => {
    const answer = overview(0);
    fake.onStream("watchOverview", (stream) => {
      if (signedIn) stream.send(answer);
      else stream.fail("UNAUTHENTICATED", "sign in first");
    });
    fake.refuse("whoAmI", "UNAUTHENTICATED", "sign in first");
  };
  const signIn = async (_username: string, password: string): Promise<void> => {
    if (password !== "correct horse") throw new Error("the name or the password is wrong");
    signedIn = true;
  };
  await withApp({ script, signIn }, async ({ tui, fake, press, type, signIns, pass }) => {
    assert.ok(tui.find("Sign in to prod-eu-1"));
    await type("alice");
    await press("<tab>");
    await type("wrong");
    await press("<C-s>");
    assert.ok(tui.find("the name or the password is wrong"));
    fake.on("whoAmI", () => ({ user: { id: "usr_alice", username: "alice" }, permissions: [] }));
    await type("correct horse");
    await press("<C-s>");
    await pass(500);
    assert.equal(tui.find("Sign in to"), undefined);
    assert.deepEqual(signIns.at(-1), { username: "alice", password: "correct horse" });
    assert.match(tui.row(0), /● live.*alice/);
    assert.doesNotMatch(tui.bytes(), /correct horse/);
  });
});

test("read-only hides and refuses every change", async () => {
  await withApp({ readonly: true }, async ({ tui, press, fake }) => {
    assert.match(tui.row(0), /READ-ONLY/);
    await press("3");
    assert.doesNotMatch(tui.row(34), /revoke/);
    for (const key of ["n", "e", "d", "r", "R", "<C-d>"]) {
      await press(key);
      assert.ok(tui.find("read-only mode"), key);
    }
    const reads = /^(list|get|watch|whoAmI)/;
    assert.deepEqual(
      fake.sent.map(({ method }) => method).filter((method) => !reads.test(method)),
      [],
    );
  });
});

test("a locked vault is told in every view", async () => {
  const script: RigOptions["script"] = (fake) => {
    fake.onStream("watchOverview", (stream) => stream.send(overview(0, true)));
  };
  await withApp({ script }, async ({ tui, press }) => {
    await press("5");
    assert.match(tui.row(0), /VAULT LOCKED/);
  });
});

test("pausing holds lists and figures still until it ends", async () => {
  await withApp({}, async ({ tui, fake, press, pass }) => {
    await press("3", "<space>");
    assert.match(tui.row(0), /PAUSED/);
    const before = fake.requests("listClientKeys").length;
    await pass(20_000);
    assert.equal(fake.requests("listClientKeys").length, before);
    await press("<space>");
    assert.doesNotMatch(tui.row(0), /PAUSED/);
    assert.ok(fake.requests("listClientKeys").length > before);
  });
});

test("+ and - ask the server for more and fewer snapshots", async () => {
  await withApp({}, async ({ tui, fake, press }) => {
    await press("+");
    assert.equal(fake.requests("watchOverview").at(-1)?.["intervalMs"], 250);
    assert.match(tui.row(0), /4Hz/);
    await press("-", "-", "-", "-");
    assert.equal(fake.requests("watchOverview").at(-1)?.["intervalMs"], 2000);
    assert.match(tui.row(0), /0\.5Hz/);
  });
});

test("a slow link gets fewer snapshots, and all of them again when it is quick", async () => {
  await withApp({}, async ({ tui, fake, clock, pass }) => {
    const write = tui.output.onWrite;
    tui.output.onWrite = (text) => {
      clock.block(text.length > 20 ? 400 : 0);
      write(text);
    };
    await pass(4000);
    assert.equal(fake.requests("watchOverview").at(-1)?.["intervalMs"], 2000);
    tui.output.onWrite = write;
    await pass(60_000);
    assert.equal(fake.requests("watchOverview").at(-1)?.["intervalMs"], 500);
  });
});

test("calls come in on top, wait while paused, and older ones are fetched", async () => {
  await withApp({ count: 500 }, async ({ tui, fake, press, pass, clock }) => {
    await press("5");
    const stream = fake.stream("watchCalls");
    const fresh = (id: string) => ({
      id,
      modelAsked: id,
      httpStatus: 200,
      startTime: { seconds: BigInt(Math.floor(clock.now() / 1000)) },
    });
    stream.send({ calls: [fresh("call_newone")] });
    await pass(300);
    assert.match(tui.row(4), /call_newone/);
    await press("<space>");
    stream.send({ calls: [fresh("call_later1"), fresh("call_later2")] });
    await pass(300);
    assert.ok(tui.find("paused, 2 newer"));
    assert.match(tui.row(4), /call_newone/);
    await press("f");
    assert.match(tui.row(4), /call_later2/);
    await press("G", "G", "G");
    assert.ok(fake.requests("listCalls").some((request) => request["pageToken"] === "200"));
    assert.ok(tui.find("of 503"), tui.text());
  });
});

test("a quiet server is told from a silent one by its heartbeats", async () => {
  await withApp({ count: 5 }, async ({ tui, fake, press, pass }) => {
    await press("5");
    const stream = fake.stream("watchCalls");
    stream.send({ stream: { kind: StreamInfo_Kind.DATA, dropped: 7n } });
    for (let beats = 0; beats < 4; beats++) {
      await pass(5_000);
      stream.send({ stream: { kind: StreamInfo_Kind.HEARTBEAT, dropped: 7n } });
      await pass(100);
      assert.ok(tui.find("live, 7 left out"), tui.text());
    }
    await pass(13_000);
    assert.ok(tui.find("not live, the server is silent"), tui.text());
    stream.send({ stream: { kind: StreamInfo_Kind.HEARTBEAT, dropped: 7n } });
    await pass(300);
    assert.ok(tui.find("live, 7 left out"), tui.text());
  });
});

test("an opened call stays on the screen while newer ones come in", async () => {
  await withApp({ count: 3 }, async ({ tui, fake, press, pass }) => {
    await tui.resize(80, 24);
    await press("5");
    const stream = fake.stream("watchCalls");
    stream.send({ calls: [{ id: "call_looked-at", modelAsked: "m" }] });
    await pass(300);
    await press("<enter>");
    assert.ok(tui.find("call_looked-at"), tui.text());
    stream.send({ calls: [{ id: "call_newer", modelAsked: "m" }] });
    await pass(300);
    assert.ok(tui.find("call_looked-at"), tui.text());
    assert.equal(fake.requests("getCall").at(-1)?.["id"], "call_looked-at");
    await press("<enter>");
    await pass(300);
    assert.match(tui.row(3), /TIME/);
  });
});

test("a call is shown whole with its attempts", async () => {
  await withApp({}, async ({ tui, press, pass }) => {
    await press("5", "j");
    await pass(500);
    assert.ok(tui.find("attempts"));
    assert.ok(tui.find("choose 0.4ms"));
    await tui.resize(80, 24);
    await press("<enter>");
    assert.ok(tui.find("esc: back"));
    assert.ok(tui.find("attempts"));
    await press("<esc>");
    assert.equal(tui.find("esc: back"), undefined);
  });
});

test("quitting gives the terminal back, and a second key does no harm", async () => {
  await withApp({}, async ({ tui, press }) => {
    await press("3", "q");
    assert.equal(tui.alternate, false);
    assert.equal(tui.input.raw, false);
    assert.deepEqual(tui.process.exitCodes, [0]);
    const before = tui.bytes().length;
    await press("3");
    assert.equal(tui.bytes().length, before);
  });
});

test("a storm of sizes leaves a whole picture", async () => {
  await withApp({}, async ({ tui, press }) => {
    for (const [cols, rows] of [
      [120, 35],
      [40, 10],
      [1, 1],
      [200, 60],
      [61, 17],
      [120, 35],
    ] as const) {
      await tui.resize(cols, rows);
    }
    await press("1");
    assert.match(tui.row(0), /Latchkey ▸ prod-eu-1 ▸ Overview/);
    assert.match(tui.row(34), /<q> quit/);
  });
});

test("in ASCII and without colours nothing else is sent", async () => {
  await withApp({ unicode: "ascii", theme: "mono", count: 5 }, async ({ tui, press }) => {
    for (const { key } of VIEWS) await press(key);
    assert.match(tui.bytes(), /^[\x00-\x7e]*$/);
    assert.doesNotMatch(tui.bytes(), /\u001b\[(?:\d+;)*(?:[349][0-7]|38;5)(?:;\d+)*m/);
  });
});

test("a click on a tab goes there, and on a row selects it", async () => {
  await withApp({ mouse: true }, async ({ tui, press }) => {
    const at = tui.find("3 Client keys");
    assert.ok(at);
    tui.input.feed(`\u001b[<0;${at.x + 1};${at.y + 1}M`);
    await press();
    assert.match(tui.row(0), /Client keys/);
    tui.input.feed("\u001b[<0;10;6M");
    await press();
    assert.match(tui.row(5), /▸/);
  });
});

test("another version of the API is told once", async () => {
  const script: RigOptions["script"] = (fake) => {
    fake.on("getStatus", () => ({ version: "9.9.9", protoRevision: "other" }));
  };
  await withApp({ script }, async ({ tui }) => {
    assert.ok(tui.find("the server is 9.9.9 and speaks another version of the API"));
  });
});

test("when the terminal itself is gone nothing more is written and no normal exit is tried", async () => {
  await withApp({}, async ({ tui }) => {
    Object.assign(tui.input, { isTTY: true });
    const before = tui.bytes().length;
    tui.input.emit("end");
    await tui.settle();
    assert.equal(tui.process.killed, 1);
    assert.deepEqual(tui.process.exitCodes, []);
    assert.equal(tui.bytes().length, before);
  });
});
