import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

/** The checkout: compiled tests lie one level deeper than their sources. */
const root = findRoot(path.dirname(fileURLToPath(import.meta.url)));

/**
 * Which module may import which, besides itself. Imports run downwards only; type-only imports obey the
 * same table. `app`, `main` and their like are where modules meet, so they may import their whole side.
 */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  "proto/gen": [],
  "server/core": [],
  "server/catalog": ["server/core"],
  "server/vault": ["server/core"],
  "server/storage": ["server/core"],
  "server/http": ["server/core"],
  "server/upstream": ["server/core", "server/http"],
  "server/caller": ["server/core", "server/http"],
  "server/dialect": ["server/core"],
  "server/pool": ["server/core"],
  "server/limits": ["server/core"],
  "server/metering": ["server/core"],
  "server/observe": ["server/core"],
  "server/keys": ["server/core", "server/catalog"],
  "server/gateway": [
    "server/core",
    "server/catalog",
    "server/dialect",
    "server/http",
    "server/caller",
    "server/upstream",
  ],
  "server/batches": ["server/core", "server/dialect", "server/upstream"],
  "server/control": [
    "server/core",
    "server/catalog",
    "server/keys",
    "server/metering",
    "server/observe",
    "server/pool",
    "server/upstream",
    "server/vault",
    "proto/gen",
  ],
  "tui/term": [],
  "tui/widgets": ["tui/term"],
  "tui/api": ["proto/gen"],
  "tui/state": ["proto/gen", "tui/api"],
  "tui/present": ["tui/state", "proto/gen", "tui/term"],
  "tui/screens": ["tui/state", "tui/present", "tui/widgets", "tui/term", "tui/api", "proto/gen"],
  "tui/cli": ["tui/api", "tui/present", "tui/term", "proto/gen"],
};

/** The folders of the gateway: what one runs it takes from those before it. What lies beside them sees to the call as a whole. */
const GATEWAY = ["audio", "request", "route", "estimate", "reply", "answer", "batch", "attempt"];

/** Where modules meet. */
const ASSEMBLY = new Set(["server/app", "tui/app"]);

/** Who may import a package; what is not named here may be imported anywhere. */
const HOME: Readonly<Record<string, readonly string[]>> = {
  knex: ["server/storage"],
  sqlite3: ["server/storage"],
  undici: ["server/upstream"],
  "libsodium-wrappers": ["server/vault"],
  blessed: ["tui/term", "tui/widgets"],
  "blessed-contrib": ["tui/term", "tui/widgets"],
  "@connectrpc/connect": ["server/control"],
  "@connectrpc/connect-node": ["server/control"],
  "@bufbuild/protobuf": ["server/app", "server/control", "proto/gen", "tui", "tui/*"],
  "@grpc/grpc-js": ["tui/api"],
  pino: ["server/observe"],
  "prom-client": ["server/observe"],
  jose: ["server/control", "server/keys"],
  commander: ["server", "tui/cli", "tui"],
};

test("imports run downwards only", () => {
  const wrong: string[] = [];
  for (const { file, imports } of sources()) {
    const from = moduleOf(file);
    const allowed = ALLOWED[from];
    for (const target of imports.filter((name) => name.startsWith("."))) {
      const to = moduleOf(path.join(path.dirname(file), target));
      if (to === from) continue;
      const ok =
        allowed === undefined
          ? sideOf(to) === sideOf(file) || to === "proto/gen"
          : allowed.includes(to);
      if (!ok) wrong.push(`${file} imports ${to}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("in the gateway what runs is imported downwards only", () => {
  const rankOf = (file: string): number => {
    const [, , folder = "", name] = path.normalize(file).split(path.sep);
    return name === undefined ? GATEWAY.length : GATEWAY.indexOf(folder);
  };
  const wrong: string[] = [];
  for (const { file, text } of sources()) {
    if (moduleOf(file) !== "server/gateway") continue;
    const own = rankOf(file);
    if (own < 0) wrong.push(`${file} lies in a folder that is not known`);
    for (const [, types, names = "", target = ""] of text.matchAll(IMPORT)) {
      const isTyped = types !== undefined || names.split(",").every(isTypeName);
      const imported = path.join(path.dirname(file), target);
      if (isTyped || moduleOf(imported) !== "server/gateway") continue;
      if (rankOf(imported) > own) wrong.push(`${file} imports ${imported}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("the page on the architecture has the same table", () => {
  const page = readFileSync(path.join(root, "docs/architecture.md"), "utf8");
  const said = new Map(
    [...page.matchAll(/^\| `(\w+)` +\|[^|]+\|([^|]+)\|$/gm)].map(
      ([, module = "", imports = ""]) => [
        `server/${module}`,
        imports.trim() === "nothing"
          ? []
          : imports.split(",").map((each) => `server/${each.trim()}`),
      ],
    ),
  );
  for (const [module, imports] of Object.entries(ALLOWED)) {
    if (!module.startsWith("server/")) continue;
    const held = imports.filter((each) => each.startsWith("server/"));
    assert.deepEqual(said.get(module)?.toSorted(), held.toSorted(), module);
    said.delete(module);
  }
  assert.deepEqual([...said.keys()], []);
});

test("each engine is imported by its home alone", () => {
  const wrong: string[] = [];
  for (const { file, imports } of sources()) {
    for (const name of imports.filter(
      (each) => !each.startsWith(".") && !each.startsWith("node:"),
    )) {
      const homes = HOME[packageOf(name)];
      if (homes === undefined) continue;
      const from = moduleOf(file);
      if (
        !homes.some(
          (home) => home === from || (home.endsWith("*") && from.startsWith(home.slice(0, -1))),
        )
      ) {
        wrong.push(`${file} imports ${name}`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

test("every folder of code stands in the import table", () => {
  const known = new Set(Object.keys(ALLOWED));
  const folders = sources()
    .map(({ file }) => moduleOf(file))
    .filter((name) => name.includes("/") && !ASSEMBLY.has(name));
  assert.deepEqual(
    [...new Set(folders)].filter((name) => !known.has(name)),
    [],
  );
});

/** Of names in braces: whether all are types, the names, and from where. */
const IMPORT = /^import (type )?\{([^}]*)\} from "(\.[^"]*)"/gm;

/** As a name stands in an import's braces; a list may end with a comma. */
function isTypeName(name: string): boolean {
  const given = name.trim();
  return given === "" || given.startsWith("type ");
}

interface SourceFile {
  /** Relative to the checkout, with slashes. */
  readonly file: string;
  readonly imports: readonly string[];
  readonly text: string;
}

function sources(): SourceFile[] {
  const found: SourceFile[] = [];
  for (const side of ["server", "tui", "proto/gen"]) {
    for (const entry of readdirSync(path.join(root, side), { recursive: true, encoding: "utf8" })) {
      // Tests stand beside the code and may reach for what they test it with.
      if (!entry.endsWith(".ts") || entry.endsWith(".test.ts") || entry.includes("testing/"))
        continue;
      const file = `${side}/${entry.split(path.sep).join("/")}`;
      const text = readFileSync(path.join(root, file), "utf8");
      const imports = [
        ...text.matchAll(
          /^(?:import|export)\s[^;]*?from\s+"([^"]+)"|^import\s+"([^"]+)"|import\("([^"]+)"\)/gm,
        ),
      ];
      const from = imports.map((match) => match[1] ?? match[2] ?? match[3] ?? "");
      found.push({ file, imports: from, text });
    }
  }
  assert.ok(found.length > 50, "the sources were not found");
  return found;
}

/** `server/core/fault.ts` → `server/core`; `server/app.ts` → `server`. */
function moduleOf(file: string): string {
  const parts = path.normalize(file).split(path.sep);
  if (parts[0] === "proto") return "proto/gen";
  return parts.length > 2 ? parts.slice(0, 2).join("/") : (parts[0] ?? "");
}

function sideOf(file: string): string {
  return file.split("/")[0] ?? "";
}

function packageOf(name: string): string {
  return name
    .split("/")
    .slice(0, name.startsWith("@") ? 2 : 1)
    .join("/");
}

function findRoot(from: string): string {
  const here = readdirSync(from);
  return here.includes("buf.yaml") ? from : findRoot(path.dirname(from));
}
