import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { Readable, Writable } from "node:stream";
import { test } from "node:test";
import {
  create,
  toBinary,
  type DescField,
  type DescMessage,
  type DescService,
} from "@bufbuild/protobuf";
import { anyPack, AnySchema } from "@bufbuild/protobuf/wkt";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { Metadata, status as grpcStatus } from "@grpc/grpc-js";
import { AuditService } from "../../proto/gen/latchkey/v1/audit_pb.js";
import { CallService } from "../../proto/gen/latchkey/v1/calls_pb.js";
import { ClientKeyService } from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import { ErrorInfoSchema } from "../../proto/gen/latchkey/v1/errors_pb.js";
import { PoolService } from "../../proto/gen/latchkey/v1/pool_pb.js";
import {
  ImportedProviderKey_Outcome,
  ProviderKeyService,
} from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { ProviderService } from "../../proto/gen/latchkey/v1/providers_pb.js";
import { SessionService } from "../../proto/gen/latchkey/v1/sessions_pb.js";
import { RotationProgress_State, SystemService } from "../../proto/gen/latchkey/v1/system_pb.js";
import { UsageService } from "../../proto/gen/latchkey/v1/usage_pb.js";
import { UserService } from "../../proto/gen/latchkey/v1/users_pb.js";
import { SETTINGS } from "../../server/keys/settings-table.js";
import { ApiError, toApiError } from "../../tui/api/api-error.js";
import { findTarget } from "../../tui/api/channel.js";
import type { ServiceClient } from "../../tui/api/client.js";
import { COMMANDS, type Command } from "../../tui/cli/commands.js";
import { complaintOf, exitCodeOf } from "../../tui/cli/exit-code.js";
import { rulesOf } from "../../tui/cli/field-rules.js";
import { flagsOf, isRedacted, secretFieldsOf } from "../../tui/cli/flags.js";
import type { CliPort } from "../../tui/cli/port.js";
import { createProgram, type ProgramHandlers } from "../../tui/cli/program.js";
import { resolveId } from "../../tui/cli/resolve-id.js";
import { runCommand } from "../../tui/cli/run.js";
import { printStatus } from "../../tui/cli/status.js";
import { FakeApi } from "./fake-api.js";
import { overview, status } from "./fake-data.js";

const NOW = Date.UTC(2026, 10, 20, 11, 21, 8);

const SERVICES: readonly DescService[] = [
  AuditService,
  CallService,
  ClientKeyService,
  PoolService,
  ProviderKeyService,
  ProviderService,
  SessionService,
  SystemService,
  UsageService,
  UserService,
];

/** Their own subcommands: they keep and forget the session's token. */
const NOT_IN_THE_TABLE = new Set(["Login", "Logout"]);

interface Ran {
  readonly fake: FakeApi;
  readonly out: string;
  readonly told: string;
  readonly prompts: string;
  readonly code: number;
  readonly complaint: string | undefined;
  /** The request of the last call that changes or reads what the command is for. */
  readonly request: Record<string, unknown> | undefined;
}

/** Runs a command line against a scripted server, the way `main` does. */
async function run(
  argv: readonly string[],
  options: {
    readonly stdin?: string;
    readonly yes?: boolean;
    readonly toTerminal?: boolean;
    readonly script?: (fake: FakeApi) => void;
  } = {},
): Promise<Ran> {
  const fake = new FakeApi();
  options.script?.(fake);
  let out = "";
  let told = "";
  let prompts = "";
  const client = clientOf(fake);
  const port: CliPort = {
    client,
    secrets: {
      input: Readable.from([options.stdin ?? ""]),
      prompt: new Writable({
        write(chunk, _encoding, done) {
          prompts += String(chunk);
          done();
        },
      }),
    },
    write: (text) => void (out += text),
    writeBytes: (bytes) => void (out += Buffer.from(bytes).toString("latin1")),
    tell: (text) => void (told += text),
    toTerminal: options.toTerminal ?? false,
    width: Infinity,
    confirm: async () => options.yes ?? false,
    resolveId: (noun, field, text) => resolveId(client, noun, field, text),
    nowMs: () => NOW,
    signal: new AbortController().signal,
  };
  let code = 0;
  let complaint: string | undefined;
  const program = createProgram("0.1.0", {
    ...handlers(),
    command: async (command, invocation) => {
      code = (await runCommand(command, invocation, port)) ? 0 : 1;
    },
    status: (json) => printStatus(json, port),
  });
  quiet(program);
  try {
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    code = exitCodeOf(error);
    complaint = complaintOf(error);
  }
  return { fake, out, told, prompts, code, complaint, request: fake.sent.at(-1)?.request };
}

function handlers(): ProgramHandlers {
  const none = async (): Promise<void> => undefined;
  return { dashboard: none, command: none, status: none, login: none, logout: none };
}

type Program = ReturnType<typeof createProgram>;

/** Commander writes usage errors itself; tests read the exit code. */
function quiet(program: Program): void {
  program.configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
  for (const child of program.commands) quiet(child);
}

function clientOf(fake: FakeApi) {
  const { api } = fake;
  const byName = new Map<string, unknown>([
    [AuditService.typeName, api.audit],
    [CallService.typeName, api.calls],
    [ClientKeyService.typeName, api.clientKeys],
    [PoolService.typeName, api.pool],
    [ProviderKeyService.typeName, api.providerKeys],
    [ProviderService.typeName, api.providers],
    [SessionService.typeName, api.sessions],
    [SystemService.typeName, api.system],
    [UsageService.typeName, api.usage],
    [UserService.typeName, api.users],
  ]);
  return <S extends DescService>(service: S) => byName.get(service.typeName) as ServiceClient<S>;
}

const nameOf = ({ noun, verb }: Command): string => `${noun} ${verb}`;

test("every RPC of the API is a subcommand", () => {
  const known = new Set(
    COMMANDS.map(({ service, method }) => `${service.typeName}/${method.name}`),
  );
  const missing = SERVICES.flatMap((service) =>
    service.methods
      .filter(({ name }) => !NOT_IN_THE_TABLE.has(name))
      .map(({ name }) => `${service.typeName}/${name}`)
      .filter((name) => !known.has(name)),
  );
  assert.deepEqual(missing, []);
});

test("no two subcommands have one name", () => {
  const names = COMMANDS.map(nameOf);
  assert.deepEqual(names, [...new Set(names)]);
});

test("every column and argument of a subcommand is a field of its messages", () => {
  for (const command of COMMANDS) {
    const { input, output } = command.method;
    const fields = new Set(input.fields.map(({ name }) => name));
    for (const name of command.positional)
      assert.ok(fields.has(name), `${nameOf(command)} ${name}`);
    const rows = output.fields.find(
      (field) => field.fieldKind === "list" && field.listKind === "message",
    );
    for (const column of command.columns) {
      const [first = "", second] = column.split(".");
      const field = rows?.message?.fields.find(({ name }) => name === first);
      assert.ok(field, `${nameOf(command)} ${column}`);
      if (second !== undefined) {
        assert.ok(
          field.message?.fields.some(({ name }) => name === second),
          column,
        );
      }
    }
  }
});

test("no secret can be given on the command line", () => {
  const program = createProgram("0.1.0", handlers());
  const secret = /secret|password|passphrase|token(?!s)|content/;
  for (const command of COMMANDS) {
    for (const flag of flagsOf(command)) assert.equal(isRedacted(flag.field), false, flag.name);
  }
  for (const group of program.commands) {
    for (const verb of group.commands) {
      for (const { long = "", required, optional } of verb.options) {
        const takesValue = required || optional;
        assert.ok(!(takesValue && secret.test(long)), `${group.name()} ${verb.name()} ${long}`);
      }
      for (const { name } of verb.registeredArguments.map((one) => ({ name: one.name() }))) {
        assert.doesNotMatch(name, secret);
      }
    }
  }
});

test("every secret of a request, however deep, can be given by prompt or stdin", () => {
  const program = createProgram("0.1.0", handlers());
  for (const command of COMMANDS) {
    const verb = program.commands
      .find((group) => group.name() === command.noun)
      ?.commands.find((each) => each.name() === command.verb);
    assert.ok(verb, nameOf(command));
    const asked = new Set(secretFieldsOf(command));
    const others = redactedIn(command.method.input).filter((field) => !asked.has(field));
    if (others.length === 0 || command.method.name === "TestProviderKey") continue;
    assert.ok(
      verb.options.some(({ long }) => long === "--request"),
      nameOf(command),
    );
  }
});

function redactedIn(message: DescMessage): DescField[] {
  return message.fields.flatMap((field) =>
    isRedacted(field) ? [field] : field.message === undefined ? [] : redactedIn(field.message),
  );
}

test("a secret comes from stdin and goes into the request alone", async () => {
  const { request, out, prompts } = await run(
    ["provider-keys", "create", "--provider", "prv_openai", "--name", "main", "--tier", "backup"],
    { stdin: "sk-from-stdin-0123456789\n" },
  );
  assert.equal(request?.["secret"], "sk-from-stdin-0123456789");
  assert.equal(request?.["tier"], 2);
  assert.match(String(request?.["requestId"]), /^[0-9a-f-]{36}$/);
  assert.doesNotMatch(out + prompts, /sk-from-stdin/);
});

test("two secrets are two lines of stdin", async () => {
  const { request } = await run(["session", "change-password"], { stdin: "old one\nnew one\n" });
  assert.deepEqual(
    [request?.["currentPassword"], request?.["newPassword"]],
    ["old one", "new one"],
  );
  const half = await run(["session", "change-password"], { stdin: "old one\n" });
  assert.equal(half.code, 2);
  assert.match(half.complaint ?? "", /a line for each of: current password, new password/);
});

test("what is missing is said before a secret is asked for", async () => {
  const { code, complaint, prompts, fake } = await run(["provider-keys", "create", "--name", "x"]);
  assert.equal(code, 2);
  assert.match(complaint ?? "", /provider-keys create needs --provider/);
  assert.equal(prompts, "");
  assert.deepEqual(fake.sent, []);
});

test("names do where ids are asked for; unknown and double ones are told", async () => {
  const script = (fake: FakeApi): void => {
    fake.on("listClientKeys", ({ filter }) => ({
      clientKeys:
        filter === 'name="ci-bot"'
          ? [{ id: "ck_1" }]
          : filter === 'name="twice"'
            ? [{ id: "ck_2" }, { id: "ck_3" }]
            : [],
    }));
  };
  const found = await run(["client-keys", "disable", "ci-bot"], { script });
  assert.deepEqual(found.request, { id: "ck_1" });
  const none = await run(["client-keys", "disable", "nope"], { script });
  assert.match(
    none.complaint ?? "",
    /there is no client key "nope"; see `latchkey client-keys list`/,
  );
  const twice = await run(["client-keys", "disable", "twice"], { script });
  assert.match(twice.complaint ?? "", /by its id: ck_2, ck_3/);
  const byId = await run(["client-keys", "disable", "ck_9"], { script });
  assert.deepEqual(
    byId.fake.sent.map(({ method }) => method),
    ["disableClientKey"],
  );
});

test("a list of models tells what each costs, in the unit that is paid for", async () => {
  const script = (fake: FakeApi): void =>
    fake.on("listModels", () => ({
      models: [
        {
          modelId: "dall-e-3",
          currentPrice: {
            inputMicrosPerMillion: 0n,
            outputMicrosPerMillion: 0n,
            imagePrices: [{ size: "1024x1024", micros: 40_000n }],
          },
        },
        { modelId: "new" },
      ],
    }));
  const { out } = await run(["models", "list"], { script });
  assert.match(out, /CURRENT PRICE/);
  assert.match(out, /dall-e-3 .*\$0\.04 an image/);
  assert.match(out, /new .* - /);
});

test("an alias and a fallback chain are told apart by the verb alone", async () => {
  const set = await run(["models", "set-alias", "fast", "--targets", "gpt-5-mini, groq/llama-3.3"]);
  assert.deepEqual(
    [set.fake.sent.map(({ method }) => method), set.request],
    [["setRewrite"], { kind: 1, name: "fast", targets: ["gpt-5-mini", "groq/llama-3.3"] }],
  );
  const gone = await run(["models", "delete-fallbacks", "gpt-5*"]);
  assert.deepEqual(gone.request, { kind: 2, name: "gpt-5*" });
  const script = (fake: FakeApi): void =>
    fake.on("getRewrites", ({ kind }) => ({
      rewrites: [{ kind, name: "fast", targets: ["gpt-5-mini", "gpt-x"], unserved: ["gpt-x"] }],
    }));
  const listed = await run(["models", "aliases"], { script });
  assert.deepEqual(listed.request, { kind: 1 });
  assert.match(listed.out, /NAME +TARGETS +UNSERVED\nfast +gpt-5-mini,gpt-x +gpt-x/);
  const json = await run(["models", "fallbacks", "--json"], { script });
  assert.match(json.out, /"kind":"KIND_FALLBACK","name":"fast","targets":\["gpt-5-mini"/);
});

test("an update names exactly the fields that were given, so that empty ones are cleared", async () => {
  const cleared = ["--models", "", "--expires", "never", "--limits", "none"];
  const { request } = await run(
    ["client-keys", "update", "ck_1", "--expected-version", "3"].concat(cleared),
  );
  assert.deepEqual(request, {
    id: "ck_1",
    expectedVersion: 3n,
    modelAllowlist: [],
    limits: { budgets: [] },
    updateMask: { paths: ["expire_time", "model_allowlist", "limits"] },
  });
  const nothing = await run(["client-keys", "update", "ck_1", "--expected-version", "3"]);
  assert.equal(nothing.code, 2);
  assert.match(nothing.complaint ?? "", /nothing to change/);
});

test("values that cannot be are refused with the flag, the value and what is allowed", async () => {
  const wrong: [string[], RegExp][] = [
    [
      ["client-keys", "create", "--name", "x", "--expires", "yesterday"],
      /--expires cannot be "yesterday"; give never, a span such as 30d/,
    ],
    [
      ["client-keys", "create", "--name", "x", "--limits", "fast"],
      /--limits cannot be "fast"; give none, or rpm=60/,
    ],
    [
      ["client-keys", "create", "--name", "x", "--format", "imported"],
      /--format cannot be "imported"; give sk, uuid, alnum32$/,
    ],
    [["calls", "list", "--page-size", "many"], /--page-size cannot be "many"; give a number/],
    [["usage", "summary", "--range", "24x"], /--range cannot be "24x"/],
    [["system", "set", "--registration-enabled", "maybe"], /give yes or no/],
    [["audit", "verify", "--anchor-hash", "xyz"], /bytes in hexadecimal/],
  ];
  for (const [argv, sentence] of wrong) {
    const { code, complaint, fake } = await run(argv);
    assert.equal(code, 2, argv.join(" "));
    assert.match(complaint ?? "", sentence);
    assert.deepEqual(fake.sent, []);
  }
});

test("unknown commands and flags are wrong usage", async () => {
  for (const argv of [["foo"], ["client-keys", "foo"], ["calls", "list", "--bogus", "1"]]) {
    assert.equal((await run(argv)).code, 2, argv.join(" "));
  }
  for (const argv of [["--help"], ["calls", "list", "--help"], ["--version"]]) {
    assert.equal((await run(argv)).code, 0, argv.join(" "));
  }
});

test("a word that is near a command's name is told it", async () => {
  let said = "";
  const program = createProgram("0.1.0", handlers()).configureOutput({
    writeErr: (text) => void (said += text),
  });
  await assert.rejects(program.parseAsync(["Keys"], { from: "user" }));
  assert.match(said, /did you mean provider-keys or client-keys\?\n\(--help lists what there is\)/);
});

test("what destroys asks first, and is not done without an answer", async () => {
  const refused = await run(["client-keys", "delete", "ck_1"]);
  assert.equal(refused.code, 2);
  assert.deepEqual(refused.fake.sent, []);
  assert.equal((await run(["client-keys", "delete", "ck_1"], { yes: true })).fake.sent.length, 1);
  assert.equal((await run(["client-keys", "delete", "ck_1", "--yes"])).fake.sent.length, 1);
});

test("a list is a table with one head, or JSON; --all goes through every page", async () => {
  const script = (fake: FakeApi): void => {
    fake.on("listClientKeys", ({ pageToken }) => ({
      clientKeys: [{ id: pageToken === "2" ? "ck_2" : "ck_1", name: "数据\u001b[31m\u202e团队" }],
      nextPageToken: pageToken === "2" ? "" : "2",
    }));
  };
  const one = await run(["client-keys", "list"], { script });
  assert.match(one.out, /^ID +NAME/);
  assert.match(one.out, /--all prints every page/);
  assert.doesNotMatch(one.out, /[\u001b\u202e]/);
  const all = await run(["client-keys", "list", "--all"], { script });
  assert.deepEqual(all.out.match(/ck_\d/g), ["ck_1", "ck_2"]);
  assert.equal(all.out.match(/^ID/gm)?.length, 1);
  const json = await run(["client-keys", "list", "--json", "--all"], { script });
  const pages = json.out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { client_keys: { id: string }[] });
  assert.deepEqual(
    pages.map((page) => page.client_keys[0]?.id),
    ["ck_1", "ck_2"],
  );
});

test("a request in JSON comes from stdin, and what cannot be read is not quoted", async () => {
  const json = '{"keys":[{"name":"old","secret":"my-old-static-token"}]}';
  const good = await run(["client-keys", "import", "--request"], { stdin: json });
  const { keys } = good.request as { keys: { name: string }[] };
  assert.equal(keys[0]?.name, "old");
  const bad = await run(["client-keys", "import", "--request"], {
    stdin: '{"keys": "my-old-static',
  });
  assert.equal(bad.code, 2);
  assert.doesNotMatch(bad.complaint ?? "", /my-old/);
});

test("a connection test reads as lines, and a failed one is bad news", async () => {
  const script = (ok: boolean) => (fake: FakeApi) =>
    fake.onStream("testProviderKey", (stream) => {
      stream.send({ event: { case: "step", value: { name: 4, state: 1 } } });
      stream.send({
        event: { case: "step", value: { name: 4, state: 2, durationMs: 121n, detail: "200" } },
      });
      stream.send({
        event: { case: "result", value: { ok, message: "The provider accepts this key." } },
      });
      stream.end();
    });
  const good = await run(["provider-keys", "test", "pk_1"], { script: script(true) });
  assert.equal(good.code, 0);
  assert.match(good.out, /^auth +passed +121ms +200\npassed: The provider accepts this key\.\n$/);
  assert.equal((await run(["provider-keys", "test", "pk_1"], { script: script(false) })).code, 1);
  const candidate = await run(["provider-keys", "try", "--provider", "prv_x"], {
    script: script(true),
    stdin: "sk-candidate",
  });
  assert.deepEqual(candidate.request, {
    target: { case: "candidate", value: { providerId: "prv_x", secret: "sk-candidate" } },
  });
});

test("what has no versions takes no version", () => {
  const taking = COMMANDS.filter((command) =>
    flagsOf(command).some(({ name }) => name === "expected-version"),
  ).map(({ noun }) => noun);
  assert.deepEqual(new Set(taking), new Set(["provider-keys", "client-keys", "users"]));
});

test("a broken audit chain is bad news", async () => {
  const script = (fake: FakeApi): void => fake.on("verifyChain", () => ({ intact: false }));
  assert.equal((await run(["audit", "verify"], { script })).code, 1);
});

test("an import that leaves out keys, and a rotation that failed, are bad news", async () => {
  const importing = async (outcome: number): Promise<number> => {
    const script = (fake: FakeApi): void =>
      fake.on("importProviderKeys", () => ({ keys: [{ outcome: 1 }, { outcome }] }));
    return (await run(["provider-keys", "import"], { script, stdin: "A=b" })).code;
  };
  assert.equal(await importing(ImportedProviderKey_Outcome.CREATED), 0);
  assert.equal(await importing(ImportedProviderKey_Outcome.DUPLICATE), 0);
  assert.equal(await importing(ImportedProviderKey_Outcome.UNKNOWN_PROVIDER), 1);
  const rotating = async (state: RotationProgress_State): Promise<number> => {
    const script = (fake: FakeApi): void =>
      fake.onStream("rotateVaultKey", (stream) => {
        stream.send({ progress: { state: RotationProgress_State.RUNNING } });
        stream.send({ progress: { state } });
        stream.end();
      });
    return (await run(["vault", "rotate-key"], { script })).code;
  };
  assert.equal(await rotating(RotationProgress_State.DONE), 0);
  assert.equal(await rotating(RotationProgress_State.FAILED), 1);
});

test("an export's bytes go out as they are", async () => {
  const script = (fake: FakeApi): void =>
    fake.onStream("exportCalls", (stream) => {
      stream.send({ chunk: Buffer.from("id,model\n") });
      stream.send({ chunk: Buffer.from("call_1,gpt\n"), done: true });
      stream.end();
    });
  assert.equal((await run(["calls", "export"], { script })).out, "id,model\ncall_1,gpt\n");
});

const BEGUN = { name: "latchkey-1.backup", version: "0.1.0", schemaVersion: 13 };

test("a backup tells how far it is, and of itself once it is made", async () => {
  const made = { ...BEGUN, sizeBytes: 2048n, sha256: Buffer.alloc(32), durationMs: 3n };
  const parts = [
    { case: "info", value: BEGUN },
    { case: "progress", value: { writtenBytes: 1024n, totalBytes: 2048n } },
    { case: "info", value: made },
  ];
  const script = (fake: FakeApi): void =>
    fake.onStream("backup", (stream) => {
      for (const part of parts) stream.send({ part });
      stream.end();
    });
  const { out } = await run(["vault", "backup"], { script });
  const lines = out.trimEnd().split("\n");
  assert.equal(lines[0], "1.00K written of about 2.00K");
  assert.deepEqual(
    lines.slice(1).map((line) => line.split(/ +/)),
    [
      ["name", "latchkey-1.backup"],
      ["size_bytes", "2048"],
      ["sha256", "00".repeat(32)],
      ["version", "0.1.0"],
      ["schema_version", "13"],
      ["duration_ms", "3"],
    ],
  );
  const json = await run(["vault", "backup", "--json"], { script });
  assert.equal(json.out.trimEnd().split("\n").length, 3, "to a program, all is told");
});

test("each setting tells its meaning, its range and what holds unless it is set", () => {
  const set = COMMANDS.find(({ noun, verb }) => noun === "system" && verb === "set");
  assert.ok(set);
  const flags = new Map(flagsOf(set).map((flag) => [flag.field.localName, flag]));
  for (const [name, { fallback }] of Object.entries(SETTINGS)) {
    const flag = flags.get(name);
    assert.ok(flag, name);
    const isLimits = typeof fallback === "object";
    const initial = typeof fallback === "boolean" ? (fallback ? "yes" : "no") : String(fallback);
    const shown = isLimits ? "none" : initial.toLowerCase();
    assert.match(flag.help, new RegExp(`[;,] ${shown} unless set$`), name);
    if (typeof fallback !== "number") continue;
    const { greaterThan, lessThan } = boundsOf(flag.field);
    assert.ok(flag.help.includes(` to ${lessThan.value}`), name);
    assert.match(flag.help, new RegExp(`\\b${greaterThan.value}\\b`), name);
  }
});

/** The range of a whole number, as the API's definition has it. */
function boundsOf(field: DescField) {
  const type = rulesOf(field)?.type;
  assert.ok(type?.case === "int32" || type?.case === "int64");
  return type.value;
}

test("a backup goes to the data folder unless stdout is asked for", async () => {
  const script = (fake: FakeApi): void => fake.onStream("backup", (stream) => stream.end());
  assert.equal((await run(["vault", "backup"], { script })).request?.["target"], 2);
  const info = { part: { case: "info", value: { ...BEGUN, sha256: Buffer.alloc(32) } } };
  const sent = (fake: FakeApi): void =>
    fake.onStream("backup", (stream) => {
      stream.send(info);
      stream.send({ part: { case: "chunk", value: Buffer.from("\u00ffbytes", "latin1") } });
      stream.send(info);
      stream.end();
    });
  const argv = ["vault", "backup", "--target", "stream"];
  for (const form of [argv, [...argv, "--json"]]) {
    const streamed = await run(form, { script: sent });
    assert.equal(streamed.out, "\u00ffbytes");
    assert.match(streamed.told, /latchkey-1\.backup/);
  }
  const spoilt = await run(argv, { script: sent, toTerminal: true });
  assert.deepEqual([spoilt.code, spoilt.out, spoilt.fake.sent.length], [2, "", 0]);
});

test("the exit code tells refusals, lost connections and missing sessions apart", async () => {
  const cases = [
    ["PERMISSION_DENIED", 1],
    ["UNAVAILABLE", 3],
    ["UNAUTHENTICATED", 4],
  ] as const;
  for (const [code, expected] of cases) {
    const script = (fake: FakeApi): void => fake.refuse("getStatus", code, "no");
    const ran = await run(["system", "status"], { script });
    assert.equal(ran.code, expected, code);
    if (code === "UNAUTHENTICATED") assert.match(ran.complaint ?? "", /latchkey login <username>/);
  }
});

test("status is one look as text, or as JSON for scripts", async () => {
  const script = (fake: FakeApi): void => {
    fake.on("getStatus", () => status(NOW));
    fake.onStream("watchOverview", (stream) => stream.send(overview(NOW)));
  };
  const text = await run(["status"], { script });
  assert.match(text.out, /^vault +unlocked$/m);
  assert.match(text.out, /^pool primary +14\/16 eligible$/m);
  for (const argv of [
    ["status", "--json"],
    ["--once", "--json"],
  ]) {
    const { out } = await run(argv, { script });
    const parsed = JSON.parse(out) as { overview: { gauges: { in_flight: number } } };
    assert.equal(parsed.overview.gauges.in_flight, 12);
  }
});

test("a refusal names the flags that were given, not the request's fields", async () => {
  const refuse = (...fields: readonly string[]): ((fake: FakeApi) => void) => {
    const message = fields.map((field) => `${field}: must be so: and so`).join("; ");
    const details = {
      reason: "",
      metadata: {},
      fields: Object.fromEntries(fields.map((f) => [f, ""])),
    };
    return (fake) => fake.refuse("createClientKey", "INVALID_ARGUMENT", message, details);
  };
  const argv = ["client-keys", "create", "--name=x", "--ips=a"];
  const one = await run(argv, { script: refuse("ip_allowlist[1]", "limits.budgets[0].tokens") });
  assert.equal(
    one.complaint,
    "--ips, number 2: must be so: and so; limits.budgets[0].tokens: must be so: and so",
  );
  const script = (fake: FakeApi): void =>
    fake.refuse("upsertModels", "INVALID_ARGUMENT", "provider_id: must be so", {
      reason: "",
      metadata: {},
      fields: { provider_id: "must be so" },
    });
  const raw = await run(["models", "upsert", "--request"], { stdin: "{}", script });
  assert.equal(raw.complaint, "provider_id: must be so");
});

test("a server's refusal keeps its reason, its fields and its facts", () => {
  const info = create(ErrorInfoSchema, {
    reason: "already_exists",
    domain: "latchkey",
    metadata: { id: "ck_7" },
    fieldViolations: [{ field: "name", rule: "", message: "is taken" }],
  });
  const any = toBinary(AnySchema, anyPack(ErrorInfoSchema, info));
  const trailer = new BinaryWriter().uint32(8).int32(6).uint32(26).bytes(any).finish();
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(trailer));
  const thrown = Object.assign(new Error("6 ALREADY_EXISTS: taken"), {
    code: grpcStatus.ALREADY_EXISTS,
    details: "taken",
    metadata,
  });
  const error = toApiError(thrown);
  assert.equal(error.message, "taken");
  assert.deepEqual(error.details, {
    reason: "already_exists",
    metadata: { id: "ck_7" },
    fields: { name: "is taken" },
  });
  metadata.set("grpc-status-details-bin", Buffer.from("rubbish"));
  assert.equal(toApiError(thrown).code, "ALREADY_EXISTS");
});

test("a lost line is told by its cause, and is not mistaken for a refusal", () => {
  const details =
    "No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:1. Resolution note: ";
  const thrown = Object.assign(new Error(details), { code: grpcStatus.UNAVAILABLE, details });
  const error = toApiError(thrown);
  assert.equal(error.message, "no connection: connect ECONNREFUSED 127.0.0.1:1");
  assert.ok(error.isConnectionLoss);
  const overloaded = new ApiError("UNAVAILABLE", "no key", {
    details: { reason: "no_own_token", fields: {}, metadata: {} },
  });
  assert.equal(overloaded.isConnectionLoss, false);
});

test("a switch whose name begins with no- is sent, and the log reads as lines without heartbeats", async () => {
  const script = (fake: FakeApi): void =>
    fake.onStream("tailLog", (stream) => {
      stream.send({ stream: { kind: 1, nodeId: "node-1" } });
      stream.send({
        stream: { kind: 2 },
        lines: [{ level: 3, message: "calls waited", fields: { loopDelayMaxMs: "338" } }],
      });
      stream.send({ stream: { kind: 3 } });
      stream.end();
    });
  const { request, out } = await run(["system", "log", "--no-follow"], { script });
  assert.equal(request?.["noFollow"], true);
  assert.match(out, /^ ?warn +calls waited loopDelayMaxMs=338\n$/);
  assert.equal((await run(["system", "log"], { script })).request?.["noFollow"], undefined);
});

test("streams say nothing of their begin and heartbeats, but tell when rows were missed", async () => {
  const script = (fake: FakeApi): void =>
    fake.onStream("watchChanges", (stream) => {
      for (const kind of [1, 3]) stream.send({ stream: { kind, nodeId: "node-1" } });
      stream.send({ stream: { kind: 4, reason: "too_slow" } });
      stream.end();
    });
  const { out } = await run(["system", "changes"], { script });
  assert.match(out, /^stream\n +kind +resync\n +reason +too_slow\n\n$/);
});

test("no flag has an underscore", () => {
  const flags = createProgram("0.1.0", handlers()).commands.flatMap((group) =>
    group.commands.flatMap((command) => command.options.map(({ long }) => long ?? "")),
  );
  assert.deepEqual(
    flags.filter((flag) => flag.includes("_")),
    [],
  );
  assert.ok(flags.includes("--ask-new-passphrase"));
});

test("a provider key's limits are told as the quota that they are", async () => {
  const limits = (noun: string): string =>
    COMMANDS.filter((command) => command.noun === noun && command.verb === "create")
      .flatMap((command) => flagsOf(command))
      .find(({ name }) => name === "limits")?.help ?? "";
  assert.match(limits("client-keys"), /rpm=60/);
  assert.match(limits("provider-keys"), /month=1000requests/);
  assert.doesNotMatch(limits("provider-keys"), /rpm/);
});

test("what flags cannot say is asked for as --request", async () => {
  for (const command of ["pool set-allocation", "client-keys import"]) {
    const { code, complaint, fake } = await run(command.split(" "));
    assert.equal(code, 2);
    assert.match(complaint ?? "", /needs --request, with \w+Request as JSON on stdin/);
    assert.deepEqual(fake.sent, []);
  }
});

test("a vault without a passphrase is unlocked without one", async () => {
  assert.equal((await run(["vault", "unlock"])).request?.["passphrase"], "");
  const given = await run(["vault", "unlock"], { stdin: "open sesame 123\n" });
  assert.equal(given.request?.["passphrase"], "open sesame 123");
});

test("a part of an answer that says nothing is not shown", async () => {
  const script = (fake: FakeApi): void =>
    fake.on("whoAmI", () => ({ user: { username: "mia", limits: { budgets: [] } } }));
  const { out } = await run(["session", "whoami"], { script });
  assert.match(out, /^user\n {2}username +mia\n/);
  assert.doesNotMatch(out, /limits|create_time|role/);
});

test("a server of another user is told from one that does not run", (t) => {
  const data = mkdtempSync(path.join(os.tmpdir(), "latchkey-other-"));
  t.after(() => rmSync(data, { recursive: true, force: true }));
  assert.throws(() => findTarget({ data }, {}), /No Latchkey server runs here/);
  writeFileSync(path.join(data, "control.sock"), "");
  assert.equal(findTarget({ data }, {}).tls, false);
  chmodSync(data, 0o000);
  const isRoot = process.getuid?.() === 0;
  // Root may look into every folder; nobody may not.
  if (isRoot) process.seteuid?.(65_534);
  try {
    assert.throws(() => findTarget({ data }, {}), /is for another user: run this as/);
  } finally {
    if (isRoot) process.seteuid?.(0);
    chmodSync(data, 0o700);
  }
});

test("a named authority means TLS, on this host too", () => {
  const server = "localhost:7443";
  assert.equal(findTarget({ server }, {}).tls, false);
  assert.equal(findTarget({ server, caFile: "/ca.pem" }, {}).tls, true);
  assert.equal(findTarget({ server: `http://${server}`, caFile: "/ca.pem" }, {}).tls, false);
});

test("a server is named with its port, and an IPv6 address between brackets", () => {
  const addressOf = (server: string): string => findTarget({ server }, {}).address;
  assert.equal(addressOf("[2001:DB8::1]:7443"), "[2001:DB8::1]:7443");
  assert.equal(addressOf("http://[::1]:7443/"), "[::1]:7443");
  assert.equal(addressOf("https://gw-1"), "gw-1:443");
  assert.equal(addressOf("unix:/run/control.sock"), "unix:/run/control.sock");
  for (const server of ["gw-1", "::1", "::1:7443", "[::1]", "http://gw-1", "[fe80::1%eth0]:7443"]) {
    assert.throws(() => addressOf(server), /take host:port, such as gw-1:7443/, server);
  }
});

test("a socket that a killed server left behind is told as such", () => {
  const refused = new ApiError(
    "UNAVAILABLE",
    "no connection: connect ECONNREFUSED /x/control.sock",
  );
  assert.match(complaintOf(refused) ?? "", /nothing listens there; is the server running\?$/);
});
