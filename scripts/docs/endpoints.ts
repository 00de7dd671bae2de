import type { Dialect } from "../../server/core/provider.js";
import { ENDPOINTS, type Endpoint, type Method } from "../../server/gateway/route/endpoints.js";
import { code, table } from "./markdown.js";

/** Endpoints of one path of which the same is true. */
interface Row {
  readonly path: string;
  readonly methods: Set<Method>;
  readonly versions: Set<string>;
  readonly facts: readonly string[];
}

const DIALECTS: readonly (readonly [dialect: Dialect, heading: string])[] = [
  ["OPENAI", "OpenAI"],
  ["ANTHROPIC", "Anthropic"],
  ["GEMINI", "Gemini"],
];
const METHODS: readonly Method[] = ["POST", "GET", "PATCH", "DELETE"];
/** What Gemini's SDKs put where the version is, by their age and by where the models are. */
const GEMINI_VERSION = /\/(v1beta1\/publishers\/google|v1beta|v1)(?=\/)/;
const STREAMS = { BODY: "if asked", FORMAT: "if asked", ALWAYS: "always", NEVER: "" } as const;
const TOKENS = { IN_OUT: "input, output", IN: "input", NONE: "" } as const;

/** Every endpoint, by dialect. */
export function endpoints(): string {
  return DIALECTS.map(([dialect, heading]) => {
    const rows = rowsOf(ENDPOINTS.filter((endpoint) => endpoint.dialect === dialect));
    const isGemini = dialect === "GEMINI";
    const head = ["endpoint", "scope", "streams", "tokens counted", "models of other dialects"];
    const lines = rows.map(({ path, methods, versions, facts }) => [
      `${METHODS.filter((method) => methods.has(method)).join(" ")} ${code(path)}`,
      ...facts,
      ...(isGemini ? [[...versions].map((version) => code(version)).join(", ")] : []),
    ]);
    return `### ${heading}\n\n${table(isGemini ? [...head, "`{version}`"] : head, lines)}`;
  }).join("\n\n");
}

function rowsOf(endpoints: readonly Endpoint[]): readonly Row[] {
  const rows = new Map<string, Row>();
  for (const endpoint of endpoints) {
    const { path, version } = pathOf(endpoint);
    const facts = factsOf(endpoint);
    const key = [path, ...facts].join("|");
    const row = rows.get(key) ?? {
      path,
      methods: new Set<Method>(),
      versions: new Set<string>(),
      facts,
    };
    rows.set(key, row);
    row.methods.add(endpoint.method);
    row.versions.add(version);
  }
  return [...rows.values()];
}

function pathOf({ dialect, path }: Endpoint): { readonly path: string; readonly version: string } {
  if (dialect !== "GEMINI") return { path, version: "" };
  const version = GEMINI_VERSION.exec(path)?.[1] ?? "";
  return { path: path.replace(GEMINI_VERSION, "/{version}"), version };
}

function factsOf(endpoint: Endpoint): readonly string[] {
  return [
    endpoint.scope === undefined ? "any" : code(endpoint.scope),
    STREAMS[endpoint.streams],
    TOKENS[endpoint.tokens],
    elsewhere(endpoint),
  ];
}

function elsewhere({ kind, translates, counts, geminiPath }: Endpoint): string {
  if (kind === "LOCAL") return "answered here";
  if (translates) return "translated";
  if (counts) return "estimated";
  return geminiPath === undefined ? "" : "Gemini's too";
}
