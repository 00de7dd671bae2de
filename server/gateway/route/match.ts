import type { Dialect } from "../../core/provider.js";
import { Fault } from "../../core/fault.js";
import { type AzurePath, azurePath } from "./azure-scheme.js";
import { CHAT_OF_GOOGLE, type Endpoint, ENDPOINTS, type Method } from "./endpoints.js";
import { whyUnserved } from "./unserved.js";

/** An endpoint and what stood in its place holders. */
export interface Match {
  readonly endpoint: Endpoint;
  /** Decoded; empty without a place holder. */
  readonly model: string;
  /** As sent, checked; empty without a place holder. */
  readonly id: string;
  /** Of what is inside the thing of that id; as sent, checked; empty without a place holder. */
  readonly item: string;
  /** What a path in Azure's scheme names in the model's place; empty in any other. */
  readonly deployment: string;
}

/** A path is known, but not with this method. */
export interface WrongMethod {
  readonly allow: readonly Method[];
}

type Row = readonly Endpoint[];

interface Table {
  /** Those without place holders: what is found is made already. */
  readonly exact: ReadonlyMap<string, readonly Match[]>;
  readonly patterns: readonly (readonly [RegExp, Row])[];
}

/** What stands in the place holders of a path without any. */
const NO_HOLDERS = { model: "", id: "", item: "", deployment: "" };
const TABLE: Table = tableOf(ENDPOINTS);

/** OpenAI's paths under Google's prefix mean the same as under our own; only chat is not translated for Google then. */
const GOOGLE_PREFIX = "/v1beta/openai/";
const GOOGLE_CHAT = `${GOOGLE_PREFIX}chat/completions`;
/** Both bounds matter: an id goes into a path upstream. */
const ID = /^(?!\.+$)[A-Za-z0-9._~:@-]{1,256}$/;
const ACTION = /:[a-z][A-Za-z]*$/;
const OPERATION = /\/operations\/[^/]+$/;
const MODEL_ENCODED = /^[A-Za-z0-9._~:@/%-]{1,512}$/;

/**
 * Finds the endpoint of a request. The table alone decides: no part of a caller's path goes upstream but
 * ids and models that look like ids and models. `spoken` is the API whose client seems
 * to ask, which tells those apart that share a path. Throws Fault `unsupported_endpoint`.
 */
export function matchEndpoint(method: string, path: string, spoken: Dialect): Match | WrongMethod {
  const azure = azurePath(path);
  if (azure !== undefined) return matchAzure(method, path, azure);
  if (path === GOOGLE_CHAT && method === "POST") {
    return withoutHolders(CHAT_OF_GOOGLE);
  }
  const asked = path.startsWith(GOOGLE_PREFIX) ? `/v1/${path.slice(GOOGLE_PREFIX.length)}` : path;
  const exact = TABLE.exact.get(asked);
  if (exact !== undefined) return chosen(exact, method, spoken);
  for (const [pattern, rows] of TABLE.patterns) {
    const groups = pattern.exec(asked)?.groups;
    if (groups === undefined) continue;
    const { id = "", item = "", model = "" } = groups;
    if (!areIds(id, item) || isAction(rows, { method, model, id }, spoken)) break;
    const holders = { model: decodeModel(model), id, item };
    const matches = rows.map((endpoint) => ({ endpoint, ...holders, deployment: "" }));
    return chosen(matches, method, spoken);
  }
  throw unknownPath(path, spoken);
}

function areIds(...ids: readonly string[]): boolean {
  return ids.every((each) => each === "" || ID.test(each));
}

/** True for what a model or a thing is asked to do, or has begun: their own paths would take it for a part of the name. */
function isAction(
  rows: Row,
  asked: { readonly method: string; readonly model: string; readonly id: string },
  spoken: Dialect,
): boolean {
  const { method, model, id } = asked;
  if (rows[0]?.kind === "LOCAL") return (method === "GET" ? OPERATION : ACTION).test(model);
  return ACTION.test(id) && areGoogles(rows, spoken);
}

/** True where a Google client asks, or can be the only one: no id of theirs ends like an action. */
function areGoogles(rows: Row, spoken: Dialect): boolean {
  const areSome = rows.some(({ dialect }) => dialect === "GEMINI");
  return areSome && (spoken === "GEMINI" || rows.every(({ dialect }) => dialect === "GEMINI"));
}

/** Azure's paths are OpenAI's under another prefix; a deployment stands only where a model is named in the body. */
function matchAzure(method: string, path: string, azure: AzurePath): Match | WrongMethod {
  const match = matchEndpoint(method, azure.path, "OPENAI");
  if ("allow" in match) return match;
  const { endpoint } = match;
  const named = endpoint.model === "BODY" || endpoint.model === "FORM";
  if (endpoint.dialect !== "OPENAI" || (azure.deployment !== "" && !named)) {
    throw unknownPath(path, "OPENAI");
  }
  return { ...match, deployment: decodeModel(azure.deployment) };
}

const OF_GEMINI =
  /^\/(?:(?:up|down)load\/|v1beta)|:(?:\w*[gG]enerateContent|\w*[eE]mbedContents?|countTokens)$/;

/** The dialect in which to refuse a request that matches nothing. */
export function dialectOf(path: string, spoken: Dialect): Dialect {
  if (path.startsWith(GOOGLE_PREFIX) || azurePath(path) !== undefined) return "OPENAI";
  if (OF_GEMINI.test(path)) {
    return "GEMINI";
  }
  return path.startsWith("/v1/messages") ? "ANTHROPIC" : spoken;
}

function chosen(matches: readonly Match[], method: string, spoken: Dialect): Match | WrongMethod {
  // OpenAI's stand first, for those who say nothing of themselves.
  let first: Match | undefined;
  for (const match of matches) {
    if (match.endpoint.method !== method) continue;
    if (match.endpoint.dialect === spoken) return match;
    first ??= match;
  }
  return first ?? { allow: [...new Set(matches.map(({ endpoint }) => endpoint.method))] };
}

function decodeModel(text: string): string {
  if (text === "") return text;
  try {
    if (MODEL_ENCODED.test(text)) {
      const model = decodeURIComponent(text);
      // Segments of dots alone would climb in an upstream path.
      const climbs = model.split("/").some((segment) => /^\.*$/.test(segment));
      if (!climbs && /^[!-~]+$/.test(model) && !/[\\?#%]/.test(model)) return model;
    }
  } catch {
    // A stray percent sign: refused below like any other odd name.
  }
  throw new Fault("malformed_request", "The model in the path is not a model id.");
}

function unknownPath(path: string, spoken: Dialect): Fault {
  const why = whyUnserved(path, dialectOf(path, spoken), isServed);
  return new Fault("unsupported_endpoint", why);
}

function isServed(path: string): boolean {
  return TABLE.exact.has(path) || TABLE.patterns.some(([pattern]) => pattern.test(path));
}

function tableOf(endpoints: readonly Endpoint[]): Table {
  const byPath = new Map<string, Endpoint[]>();
  for (const endpoint of endpoints) {
    const rows = byPath.get(endpoint.path) ?? [];
    rows.push(endpoint);
    byPath.set(endpoint.path, rows);
  }
  const exact = new Map<string, readonly Match[]>();
  const actions: [RegExp, Row][] = [];
  const others: [RegExp, Row][] = [];
  for (const [path, rows] of byPath) {
    if (!path.includes("{")) exact.set(path, rows.map(withoutHolders));
    // First, for a model's own path would take an action for part of its name.
    else if (path.includes(":")) actions.push([patternOf(path), rows]);
    else others.push([patternOf(path), rows]);
  }
  return { exact, patterns: [...actions, ...others] };
}

function withoutHolders(endpoint: Endpoint): Match {
  return { endpoint, ...NO_HOLDERS };
}

function patternOf(path: string): RegExp {
  const source = path
    .replaceAll(/[.*+?^$()|[\]\\]/g, String.raw`\$&`)
    .replace("{id}", "(?<id>[^/]+)")
    .replace("{item}", "(?<item>[^/]+)")
    // A model id may hold slashes, sent as they are or as %2F.
    .replace("{model}", "(?<model>.+)");
  return new RegExp(`^${source}$`);
}
