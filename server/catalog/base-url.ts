import type { Provider } from "../core/provider.js";
import { invalidField } from "../core/fault.js";

/** A path segment that names an API version: `v1`, `v4`, `v1beta`. */
const VERSION_SEGMENT = /^v\d+(?:alpha|beta)?\d*$/;

/** Last segments of vendors' OpenAI-compatible layers, which take no version of their own. */
const COMPATIBLE_LAYERS = new Set(["openai", "openapi"]);

/** Endpoints that people paste together with the base URL. */
const PASTED_ENDPOINTS = [
  "/chat/completions",
  "/completions",
  "/responses",
  "/embeddings",
  "/messages",
  "/models",
];

export const BASE_URL_CHARS_MAX = 255;

/**
 * Brings a base URL into the form that is stored: no trailing slash, no pasted endpoint, no fragment.
 * A query survives, because Azure's classic scheme carries `api-version` in it. Whether the address may
 * be reached at all is the upstream policy's question, not this one's.
 * Throws Fault `invalid_argument` when the text is no http(s) URL, or holds a user name or password.
 */
export function normalizeBaseUrl(text: string): string {
  const trimmed = text.trim();
  if (trimmed.length === 0 || trimmed.length > BASE_URL_CHARS_MAX) {
    throw invalidField("base_url", `must have 1 to ${BASE_URL_CHARS_MAX} characters`);
  }
  const url = URL.canParse(trimmed) ? new URL(trimmed) : undefined;
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) {
    throw invalidField("base_url", "must begin with https:// (or http:// where allowed)");
  }
  if (url.username !== "" || url.password !== "") {
    throw invalidField("base_url", "must not hold a user name or password");
  }
  let path = trimSlashes(url.pathname);
  for (const endpoint of PASTED_ENDPOINTS) {
    if (path.endsWith(endpoint)) {
      path = trimSlashes(path.slice(0, -endpoint.length));
      break;
    }
  }
  return `${url.origin}${path}${url.search}`;
}

/**
 * The address of an endpoint: `path` begins with the version that the caller used, e.g. `/v1/chat/completions`. Where
 * the base URL has a version of its own, that one counts, so that `/v1` never appears twice and a vendor's `/v4` is
 * kept; joining an already joined address changes nothing.
 */
export function joinUrl(baseUrl: string, path: string): string {
  const base = new URL(baseUrl);
  const basePath = trimSlashes(base.pathname);
  const [pathOnly, query] = splitQuery(path);
  let rest = pathOnly.startsWith("/") ? pathOnly : `/${pathOnly}`;
  if (choosesVersion(basePath)) rest = withoutVersion(rest);
  const joined = endsInEndpoint(basePath, rest) ? basePath : `${basePath}${rest}`;
  return `${base.origin}${joined}${mergeQuery(base.search, query)}`;
}

/**
 * The address to send a call of a provider to. Knows three schemes in which the address is more than base
 * URL and path: Azure's (deployments when the base URL carries `api-version`, else its `/openai/v1`),
 * DashScope's, whose OpenAI-compatible endpoints live beside the native `/api/v1` of the preset, and Vertex AI's,
 * whose models stand below their publisher.
 * `asked` is a path of OpenAI's, Anthropic's or Google's, or one of DashScope's own.
 */
export function endpointUrl(
  provider: Pick<Provider, "baseUrl" | "authStyle" | "dialect">,
  asked: string,
  upstreamModel: string,
): string {
  const base = new URL(provider.baseUrl);
  const path = provider.dialect === "GEMINI" ? pathAtGoogle(base, asked) : asked;
  const tree = TREE.exec(path)?.[0];
  if (tree !== undefined) return urlInTree(base, path, tree);
  if (provider.authStyle === "AZURE") return azureUrl(base, path, upstreamModel);
  if (provider.dialect === "OPENAI" && isDashScopeNative(base) && !DASHSCOPE_OWN.test(path)) {
    return joinUrl(`${base.origin}/compatible-mode/v1`, path);
  }
  return joinUrl(provider.baseUrl, path);
}

/** The scheme, host and port that a provider's secrets may be sent to. */
export function originOf(baseUrl: string): string {
  return new URL(baseUrl).origin;
}

function azureUrl(base: URL, path: string, deployment: string): string {
  const root = trimSlashes(base.pathname);
  if (base.searchParams.has("api-version")) {
    const prefix = root.endsWith("/openai") ? root : `${root}/openai`;
    const [pathOnly, query] = splitQuery(path);
    const rest = withoutVersion(pathOnly);
    const isDeployed = OF_DEPLOYMENTS.test(rest);
    const place = isDeployed ? `${prefix}/deployments/${encodeURIComponent(deployment)}` : prefix;
    return `${base.origin}${place}${rest}${mergeQuery(base.search, query)}`;
  }
  return joinUrl(root === "" ? `${base.origin}/openai/v1` : base.href, path);
}

/** Google's uploads and downloads have trees of their own, in which the version comes second; the base URL's wins there too. */
const TREE = /^\/(?:up|down)load\//;

function urlInTree(base: URL, path: string, tree: string): string {
  const root = trimSlashes(base.pathname);
  const last = root.lastIndexOf("/");
  const version = root.slice(last + 1);
  if (!VERSION_SEGMENT.test(version)) return joinUrl(base.href, path);
  const above = `${base.origin}${root.slice(0, last)}${base.search}`;
  return joinUrl(above, tree + version + withoutVersion(path.slice(tree.length - 1)));
}

/** Google's models as AI Studio has them, and as Vertex AI does. */
const STUDIO_MODELS = /^\/(v1|v1beta)\/models\//;
const VERTEX_MODELS = /^\/v1(?:beta1)?\/publishers\/google\/models\//;

/** Callers of either of Google's two addresses are served at both; what stands behind another address is not known. */
function pathAtGoogle({ hostname }: URL, path: string): string {
  if (hostname === "generativelanguage.googleapis.com") {
    return path.replace(VERTEX_MODELS, "/v1beta/models/");
  }
  if (!/(?:^|-)aiplatform\.(?:[\w-]+\.rep\.)?googleapis\.com$/.test(hostname)) return path;
  return path.replace(
    STUDIO_MODELS,
    (_, version: string) => `/${version === "v1" ? "v1" : "v1beta1"}/publishers/google/models/`,
  );
}

/** What Azure has once for each deployment; files, batches, responses, what was stored and models it has once for all. */
const OF_DEPLOYMENTS = /^\/(?:chat\/completions$|completions$|embeddings$|audio\/|images\/)/;

/** Paths of DashScope's own API, which the others do not have. */
const DASHSCOPE_OWN = /^\/v1\/(?:services|tasks)\//;

/** True for DashScope's own API, as opposed to its compatible layers. */
export function isDashScope(baseUrl: string): boolean {
  return isDashScopeNative(new URL(baseUrl));
}

function isDashScopeNative(base: URL): boolean {
  return base.hostname.endsWith(".aliyuncs.com") && trimSlashes(base.pathname) === "/api/v1";
}

/** True for an address that is joined already, also where the vendor's version replaced the caller's. */
function endsInEndpoint(basePath: string, path: string): boolean {
  const bare = withoutVersion(path);
  return basePath.endsWith(path) || (bare.length > 1 && basePath.endsWith(bare));
}

/**
 * True where the base URL has chosen the version: as its last segment, or above a layer of OpenAI
 * compatibility (Gemini's `/v1beta/openai`, DeepInfra's `/v1/openai`, Vertex's `/v1/…/openapi`).
 */
function choosesVersion(path: string): boolean {
  const segments = path.split("/");
  const last = segments.at(-1) ?? "";
  if (COMPATIBLE_LAYERS.has(last)) return segments.some((segment) => VERSION_SEGMENT.test(segment));
  return VERSION_SEGMENT.test(last);
}

function withoutVersion(path: string): string {
  const second = path.indexOf("/", 1);
  const first = path.slice(1, second < 0 ? undefined : second);
  if (!VERSION_SEGMENT.test(first)) return path;
  return second < 0 ? "" : path.slice(second);
}

function trimSlashes(path: string): string {
  let end = path.length;
  while (end > 0 && path.charCodeAt(end - 1) === SLASH) end--;
  return path.slice(0, end);
}

const SLASH = 47;

function splitQuery(path: string): [string, string] {
  const at = path.indexOf("?");
  return at < 0 ? [path, ""] : [path.slice(0, at), path.slice(at + 1)];
}

/** The caller's query goes first; a parameter of the base URL wins over the caller's of the same name. */
function mergeQuery(baseSearch: string, callerQuery: string): string {
  if (callerQuery === "") return baseSearch;
  if (baseSearch === "") return `?${callerQuery}`;
  const fixed = new URLSearchParams(baseSearch);
  const kept = callerQuery
    .split("&")
    .filter((pair) => !fixed.has(decodeName(pair)))
    .join("&");
  return kept === "" ? baseSearch : `?${kept}&${baseSearch.slice(1)}`;
}

function decodeName(pair: string): string {
  const [name] = new URLSearchParams(pair).keys();
  return name ?? "";
}
