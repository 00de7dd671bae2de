import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { filled, pages, unpadded } from "../scripts/docs/main.js";
import { rpcs } from "../scripts/docs/rpcs.js";
import { TABLES } from "../scripts/docs/tables.js";
import { startServerProcess } from "../scripts/lib/server-process.js";
import { presetProviders } from "../server/catalog/presets.js";
import { MESSAGE_BYTES_MAX } from "../server/control/router.js";
import { OPTIONS } from "../server/options.js";
import { COMMANDS } from "../tui/cli/commands.js";
import { createProgram, type ProgramHandlers } from "../tui/cli/program.js";
import { outcomesOfEmptyRequests } from "./support/empty-requests.js";

const root = findRoot(path.dirname(fileURLToPath(import.meta.url)));
const PAGES = [
  ...readdirSync(root).filter((file) => file.endsWith(".md")),
  ...pages(root),
  "proto/README.md",
  ...readdirSync(path.join(root, "docs/decisions")).map((file) => `docs/decisions/${file}`),
];
const FOLDERS = ["server", "tui", "proto", "scripts", "docs", "test", "deploy"];
/** Words of other programs that look like ours. */
const WORDS_OF_OTHERS = new Set([
  "limit_req",
  "limit_conn",
  "min_decryption_version",
  "extra_body",
  "tool_usage",
]);
/** Fields, reasons, settings and limits, which are written so and not otherwise. */
const OUR_WORD = /`([a-z]+(?:_[a-z\d]+)+|[a-z]+(?:[A-Z][a-z]*)*(?:Max|Ms))`/g;
const LINES_OF_TWO_SCREENS = 100;
const TABLE_CHARS_MAX = 240;
const REMEDY = "run `node scripts/docs.mjs` and commit what it writes";

test("every relative link leads to a file, and its anchor to a heading", () => {
  const wrong: string[] = [];
  for (const page of PAGES) {
    for (const [, target = ""] of proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [file = "", anchor] = target.split("#");
      const found = path.join(root, file === "" ? page : path.join(path.dirname(page), file));
      const ok =
        existsSync(found) &&
        (anchor === undefined || anchorsOf(readFileSync(found, "utf8")).has(anchor));
      if (!ok) wrong.push(`${page}: ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("every page that is longer than two screens says first where what is", () => {
  const wrong = pages(root).flatMap((page) => {
    const text = proseOf(page);
    if (text.split("\n").length <= LINES_OF_TWO_SCREENS) return [];
    const links: readonly string[] =
      text.slice(0, text.search(/^## /m)).match(/(?<=\]\(#)[^)]+/g) ?? [];
    const sections = [...anchorsOf(text.replaceAll(/^(?:#|#{3,}) .*$/gm, ""))];
    return sections.filter((each) => !links.includes(each)).map((each) => `${page}#${each}`);
  });
  assert.deepEqual(wrong, []);
});

test("no table of a page is wider than a wide screen", () => {
  const wrong = pages(root).flatMap((page) =>
    textOf(page)
      .split("\n")
      .filter((line) => line.startsWith("|") && line.length > TABLE_CHARS_MAX)
      .map((line) => `${page}: ${line.slice(0, 80)}`),
  );
  assert.deepEqual(wrong, []);
});

test("the tables from the code are what the code says", () => {
  for (const page of pages(root)) {
    const text = textOf(page);
    assert.equal(bare(text), bare(filled(text, root)), `${page} is out of date: ${REMEDY}`);
  }
});

test("each limit of the ports has a meaning", () => {
  for (const name of ["limits", "strangers"]) {
    const list = TABLES[name]?.(root) ?? "";
    assert.match(list, /^- `\w+`: \*\*[^*]+\*\*\. \w/m, `table ${name} has figures`);
    assert.doesNotMatch(list, /^- `\w+`: \*\*[^*]+\*\*$/m, `table ${name}`);
  }
});

test("each table of the code stands on exactly one page", () => {
  const all = pages(root)
    .map((page) => textOf(page))
    .join("\n");
  for (const name of Object.keys(TABLES)) {
    assert.equal(all.split(`<!-- table: ${name} -->`).length - 1, 1, `table ${name}`);
  }
});

test("every file and folder of the checkout that is named exists", () => {
  const paths = FOLDERS.flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: "utf8" }).map(
      (file) => `/${folder}/${file.split(path.sep).join("/")}`,
    ),
  );
  const folders = new Set(paths.flatMap((each) => each.split("/").slice(0, -1)));
  const named = [
    ...mentions(/`([\w./-]+\.(?:ts|mjs|proto))`/g),
    ...mentions(/`([a-z]+(?:\/[a-z-]+)+)(?:\/…)?`/g).filter(([, name]) =>
      folders.has(name.split("/")[0] ?? ""),
    ),
  ];
  assert.ok(named.length > 50, "the names were not found");
  const wrong = named.filter(
    ([, name]) =>
      !paths.some((each) => each.replace(/\.ts$/, "").endsWith(`/${name.replace(/\.ts$/, "")}`)),
  );
  assert.deepEqual(wrong, []);
});

test("every word of ours that stands as code is in the code", () => {
  const code = FOLDERS.map((folder) => sourcesOf(folder)).join("\n");
  const named = mentions(OUR_WORD);
  assert.ok(named.length > 100, "the words were not found");
  assert.deepEqual(strangeWords(named, code), []);
});

test("every word of ours in the comments of the API is in the code", () => {
  const folder = "proto/latchkey/v1";
  const named = readdirSync(path.join(root, folder)).flatMap((file) =>
    [...textOf(`${folder}/${file}`).matchAll(OUR_WORD)].map(([, word = ""]): [string, string] => [
      file,
      word,
    ]),
  );
  assert.ok(named.length > 20, "the words were not found");
  assert.deepEqual(strangeWords(named, sourcesOf("server") + sourcesOf("tui")), []);
});

test("the read-me file knows how many presets there are", () => {
  assert.match(textOf("README.md"), new RegExp(`\\b${presetProviders(0).length} presets\\b`));
});

test("every npm script that is named exists", () => {
  const manifest: unknown = JSON.parse(textOf("package.json"));
  const scripts = JSON.stringify(manifest);
  const wrong = mentions(/npm run (?:--silent )?([a-z][\w:-]*)/g).filter(
    ([, name]) => !scripts.includes(`"${name}":`),
  );
  assert.deepEqual(wrong, []);
});

test("every command that is named exists, with its flags", () => {
  const program = commandLine();
  const help = program.helpInformation();
  const wrong: string[] = [];
  for (const [page, rest] of mentions(
    /(?:`|^|\| |exec latchkey |")(?:latchkey|npm run tui --) ([a-z][^`\n]*)/gm,
  )) {
    const [noun = "", verb = ""] = rest.split(/\s+/);
    const group = program.commands.find((each) => each.name() === noun);
    const alone = group?.commands.length === 0 ? group : undefined;
    const command = alone ?? group?.commands.find((each) => each.name() === verb);
    if (command === undefined) {
      wrong.push(`${page}: latchkey ${noun} ${verb}`);
      continue;
    }
    for (const [flag = ""] of rest.split(/ #|\|\|/)[0]?.matchAll(/--[a-z][\w-]*/g) ?? []) {
      const known = command.options.some(({ long }) => long === flag) || help.includes(flag);
      if (!known) wrong.push(`${page}: latchkey ${noun} ${verb} ${flag}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(COMMANDS.length > 50, "the commands were not found");
});

test("every flag that stands as code exists", () => {
  const program = commandLine();
  const known = new Set([
    "--config",
    "--accept-unreadable",
    "--help",
    ...OPTIONS.map(({ flag }) => `--${flag}`),
    ...program.options.map(({ long }) => long ?? ""),
    ...program.commands.flatMap((group) =>
      group.commands.flatMap((command) => command.options.map(({ long }) => long ?? "")),
    ),
  ]);
  const wrong = mentions(/`(--[a-z][\w-]*)[^`]*`/g).filter(([, flag]) => !known.has(flag));
  assert.deepEqual(wrong, []);
});

test("every option of the client is on the page of the client", () => {
  const page = textOf("docs/terminal.md");
  const missing = commandLine().options.filter(
    ({ long, short }) => short !== "-V" && !new RegExp(`${long ?? ""}\\b`).test(page),
  );
  assert.deepEqual(
    missing.map(({ long }) => long),
    [],
  );
});

test("every variable and metric that is named is in the code", () => {
  const code = ["server", "tui", "scripts"].map((folder) => sourcesOf(folder)).join("\n");
  const named = [
    ...mentions(/\b((?:LATCHKEY|OTEL)_[A-Z_]+)\b/g),
    ...readdirSync(path.join(root, "deploy")).flatMap((file) =>
      [...textOf(`deploy/${file}`).matchAll(/\b(LATCHKEY_[A-Z_]+)\b/g)].map(
        ([, name = ""]): [string, string] => [`deploy/${file}`, name],
      ),
    ),
    ...mentions(/\b(latchkey_[a-z_]+)\b/g),
  ];
  assert.deepEqual(
    named.filter(([, name]) => !code.includes(`"${name}"`)),
    [],
  );
});

test("the example for nginx lets through what both ports take", () => {
  const sizes = textOf("deploy/nginx.conf").matchAll(/client_max_body_size (\d+)m?;/g);
  const [calls, messages] = [...sizes].map(([, size]) => Number(size));
  assert.equal(calls, 0, "without a bound");
  assert.ok((messages ?? 0) * 2 ** 20 > MESSAGE_BYTES_MAX);
});

test("every RPC that is named exists", () => {
  const known = new Set(rpcs(root).map(({ service, name }) => `${service}.${name}`));
  const wrong = mentions(/\b(\w+Service[./]\w+)/g).filter(
    ([, name]) => !known.has(name.replace("/", ".")),
  );
  assert.deepEqual(wrong, []);
});

test("the RPCs that are said not to be served are those that the server does not serve", async () => {
  const list = /<!-- not served -->([\s\S]*?)<!-- end -->/.exec(textOf("docs/api.md"))?.[1] ?? "";
  const said = new Set(
    list.split("\n").flatMap((line) => {
      const service = /^- (\w+):/.exec(line)?.[1];
      return [...line.matchAll(/`(\w+)`/g)].map(([, name]) => `${service}.${name}`);
    }),
  );
  const folder = mkdtempSync(path.join(os.tmpdir(), "latchkey-docs-"));
  const server = await startServerProcess({ dataFolder: folder, args: ["--log-level", "error"] });
  try {
    const outcomes = await outcomesOfEmptyRequests(folder);
    const wrong = outcomes.filter(
      ({ rpc, served }) => served !== undefined && served === said.has(rpc),
    );
    assert.deepEqual(wrong, [], "correct the list in docs/api.md and “Not yet” in README.md");
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Those that the code does not have in any case. */
function strangeWords(named: readonly [page: string, word: string][], code: string) {
  const words = new Set(code.toLowerCase().match(/\w+/g));
  return named.filter(([, word]) => !words.has(word.toLowerCase()) && !WORDS_OF_OTHERS.has(word));
}

/** The command line with handlers that nobody calls. */
function commandLine(): ReturnType<typeof createProgram> {
  const none = new Proxy({}, { get: () => () => Promise.resolve() });
  return createProgram("0", none as ProgramHandlers);
}

function textOf(file: string): string {
  return readFileSync(path.join(root, file), "utf8");
}

/** Without code, in which brackets are no links. */
function proseOf(page: string): string {
  return textOf(page)
    .replaceAll(/^```[\s\S]*?^```/gm, "")
    .replaceAll(/`[^`\n]*`/g, "");
}

/** What a pattern's group found, with the page it stands on. */
function mentions(pattern: RegExp): [page: string, found: string][] {
  return PAGES.flatMap((page) =>
    [...textOf(page).matchAll(pattern)].map(([, found = ""]): [string, string] => [page, found]),
  );
}

/** As the common hosts make anchors of headings. */
function anchorsOf(text: string): Set<string> {
  const headings = [...text.matchAll(/^#+ (.+)$/gm)];
  return new Set(
    headings.map(([, heading = ""]) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

/** The formatter escapes and pads. */
function bare(text: string): string {
  return unpadded(text)
    .replaceAll("\\", "")
    .replaceAll(/\n{2,}/g, "\n");
}

function sourcesOf(folder: string): string {
  return readdirSync(path.join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => /\.(ts|mjs|proto)$/.test(file) && !file.endsWith(".test.ts"))
    .map((file) => textOf(path.join(folder, file)))
    .join("\n");
}

function findRoot(from: string): string {
  return readdirSync(from).includes("package.json") ? from : findRoot(path.dirname(from));
}
