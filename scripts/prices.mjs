#!/usr/bin/env node
// Generates server/catalog/data/prices.ts from two independent price lists on npm. Run it by hand after
// `npm run build`, look at the difference, and commit it: the product itself never fetches prices.
//   node scripts/prices.mjs [--built dist]
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const built = path.resolve(root, argument("--built") ?? "dist");
const outFile = path.join(root, "server/catalog/data/prices.ts");

/** The list with dated prices and long-context tiers. */
const DATED = { name: "@pydantic/genai-prices", version: "0.1.8", entry: "dist/index.js" };
/** The newer list, with limits and abilities of each model. */
const NEWER = {
  name: "@earendil-works/pi-ai",
  version: "1.5.2",
  entry: "dist/models.generated.js",
};

/** Our slug: its name in the dated list, its name in the newer one. */
const PROVIDERS = {
  openai: ["openai", "openai"],
  anthropic: ["anthropic", "anthropic"],
  google: ["google", "google"],
  deepseek: ["deepseek", "deepseek"],
  zhipu: ["zhipuai", "zai"],
  moonshot: ["moonshotai", "moonshotai"],
  alibaba: [null, null],
  mistral: ["mistral", "mistral"],
  xai: ["x-ai", "xai"],
  groq: ["groq", "groq"],
  openrouter: ["openrouter", "openrouter"],
};

/** Where the seller bills in yuan the dated list is the one of our address's market. */
const DATED_WINS = new Set(["zhipu"]);
/** A reseller's price moves with its own suppliers: the dearer of the two never bills too little. */
const DEARER_WINS = new Set(["openrouter", "alibaba"]);
/** Ids of the dated list that are other vendors' models behind this one's address. */
const FOREIGN = { google: /^(claude|gemma-2)/, openai: /^gpt-oss|:/ };

/** What the dated list prices apart: our name, its name. Amounts are dollars for as much as ours are micros for. */
const PARTS = {
  cacheWriteLong: "cache_write_1h_mtok",
  audioInput: "input_audio_mtok",
  audioOutput: "output_audio_mtok",
  audioCacheRead: "cache_audio_read_mtok",
  imageInput: "input_image_mtok",
  imageOutput: "output_image_mtok",
  imageCacheRead: "cache_image_read_mtok",
  audioHour: "input_audio_hours",
  webSearches: "web_searches_kcount",
};

/** Searches are told in the usage of Anthropic's replies alone; a price that nothing is counted for says nothing. */
const COUNTS_SEARCHES = new Set(["anthropic"]);

const MICROS = 1_000_000;
const MODEL_CHARS_MAX = 100;

const conflicts = [];
const notes = new Set();

const work = mkdtempSync(path.join(tmpdir(), "prices-"));
try {
  const dated = await loadDated();
  const newer = await loadNewer();
  const { CURATED_MODELS } = await import(
    pathToFileURL(path.join(built, "server/catalog/data/models.js")).href
  );
  const rows = [];
  for (const [slug, [datedName, newerName]] of Object.entries(PROVIDERS)) {
    const curated = CURATED_MODELS.filter((model) => model.provider === slug).map((m) => m.id);
    rows.push(
      ...(slug === "alibaba"
        ? alibabaRows(dated, newer, curated)
        : rowsOf(slug, dated.get(datedName)?.models ?? [], newer[newerName] ?? {}, curated)),
    );
  }
  writeFileSync(outFile, render(rows));
  execFileSync("npx", ["--no-install", "prettier", "--write", "--log-level", "warn", outFile], {
    cwd: root,
  });
  const priced = rows.filter((row) => row.prices.length > 0).length;
  console.log(`${rows.length} models, ${priced} priced, ${conflicts.length} conflicts`);
} finally {
  rmSync(work, { recursive: true, force: true });
}

function rowsOf(slug, datedModels, newerModels, curated) {
  const ids = new Set(curated);
  for (const id of Object.keys(newerModels)) ids.add(id);
  if (slug !== "openrouter")
    for (const model of datedModels) if (isApiId(slug, model)) ids.add(model.id);
  const rows = [];
  for (const id of [...ids].toSorted()) {
    const lower = slug === "zhipu" ? id.toLowerCase() : id;
    if (id.length > MODEL_CHARS_MAX || (lower !== id && ids.has(lower))) continue;
    const a = findDated(datedModels, id);
    const b = newerModels[id];
    rows.push(row(slug, lower, { a, b }));
  }
  return rows.filter((each) => !each.empty);
}

/**
 * Alibaba's own models have one seller, so what OpenRouter asks for `qwen/…` of the closed ones is Alibaba
 * Cloud's international list price; open-weight sizes have several sellers and stay unpriced here.
 */
function alibabaRows(dated, newer, curated) {
  const closed =
    /^qwen(?:\d+(?:\.\d+)?)?-(?:max|plus|turbo|flash|vl-max|vl-plus|coder-plus|coder-flash)$/;
  const datedModels = dated.get("openrouter").models;
  const ids = new Set(curated);
  for (const id of Object.keys(newer.openrouter)) {
    if (id.startsWith("qwen/") && closed.test(id.slice(5))) ids.add(id.slice(5));
  }
  return [...ids]
    .toSorted()
    .map((id) => {
      const name = `qwen/${id}`;
      const a = closed.test(id) ? datedModels.find((model) => model.id === name) : undefined;
      const b = closed.test(id) ? newer.openrouter[name] : undefined;
      return row("alibaba", id, { a, b });
    })
    .filter((each) => !each.empty);
}

function row(slug, id, { a, b }) {
  if (a === undefined && b === undefined) return { empty: true };
  const fromDated = a === undefined ? [] : datedPrices(a, slug, `${slug}/${id}`);
  const fromNewer = b === undefined ? [] : newerPrices(b);
  const newer = b ?? {
    name: a.name ?? id,
    contextWindow: 0,
    maxTokens: null,
    input: [],
    reasoning: false,
  };
  return {
    provider: slug,
    id,
    name: cleanName(newer.name),
    context: Math.max(newer.contextWindow, a?.context_window ?? 0) || null,
    maxOutput: newer.maxTokens,
    vision: newer.input.includes("image"),
    reasoning: newer.reasoning,
    prices: merge(slug, id, fromDated, fromNewer),
  };
}

/** Both lists agree almost everywhere; where they do not, the newer release is taken and the row is named in the header. */
function merge(slug, id, dated, newer) {
  if (dated.length === 0) return newer;
  if (newer.length === 0) return dated;
  const now = inForce(dated);
  const other = newer[0];
  const differs = ["input", "output"].some((part) => now[part] !== other[part]);
  if (!differs) {
    const cacheRead = other.cacheRead ?? now.cacheRead;
    if (cacheRead !== now.cacheRead) {
      conflicts.push(`${slug}/${id}: cache read ${dollars(now.cacheRead)} | ${dollars(cacheRead)}`);
      return dated.map((price) => (price === now ? { ...price, cacheRead } : price));
    }
    return dated;
  }
  conflicts.push(`${slug}/${id}: ${pair(now)} | ${pair(other)}`);
  if (DATED_WINS.has(slug)) return dated;
  if (!DEARER_WINS.has(slug)) return newer;
  return now.input + now.output >= other.input + other.output ? dated : newer;
}

function datedPrices(model, slug, label) {
  const list = Array.isArray(model.prices) ? model.prices : [{ prices: model.prices }];
  const byTimeOfDay = list.filter((each) => each.constraint?.type === "time_of_date");
  if (byTimeOfDay.length > 0) {
    notes.add(`${label}: billed by time of day; the dearest time is taken.`);
    const all = list.map((each) => toPrice(each.prices, 0, slug)).filter((price) => price !== null);
    const dearest = all.toSorted((x, y) => y.input + y.output - (x.input + x.output))[0];
    return dearest === undefined ? [] : [dearest];
  }
  return list
    .map((each) =>
      toPrice(each.prices, each.constraint ? Date.parse(each.constraint.start_date) : 0, slug),
    )
    .filter((price) => price !== null)
    .toSorted((x, y) => x.effectiveFrom - y.effectiveFrom);
}

function partsOf(prices, slug) {
  const parts = {};
  for (const [name, theirs] of Object.entries(PARTS)) {
    const value = base(prices[theirs]);
    if (value === null || (name === "webSearches" && !COUNTS_SEARCHES.has(slug))) continue;
    parts[name] = value;
  }
  return Object.keys(parts).length === 0 ? undefined : parts;
}

function withTier(parts, prices) {
  if (parts?.cacheWriteLong === undefined) return parts;
  return { ...parts, longContextCacheWriteLong: tiered(prices[PARTS.cacheWriteLong]) };
}

function toPrice(prices, effectiveFrom, slug) {
  const parts = partsOf(prices, slug);
  // A model that is billed by the hour of audio alone takes and gives no tokens.
  const input = base(prices.input_mtok) ?? (parts?.audioHour === undefined ? null : 0);
  const output = base(prices.output_mtok) ?? (input === null ? null : 0);
  if (input === null || output === null) return null;
  const start = [prices.input_mtok, prices.output_mtok].map(firstTier).find((tier) => tier)?.start;
  return {
    effectiveFrom,
    input,
    output,
    cacheRead: base(prices.cache_read_mtok),
    cacheWrite: base(prices.cache_write_mtok),
    parts: start === undefined ? parts : withTier(parts, prices),
    longContextFrom: start ?? null,
    longContextInput: start === undefined ? null : tiered(prices.input_mtok),
    longContextOutput: start === undefined ? null : tiered(prices.output_mtok),
    longContextCacheRead: start === undefined ? null : tiered(prices.cache_read_mtok),
    longContextCacheWrite: start === undefined ? null : tiered(prices.cache_write_mtok),
  };
}

/** In the newer list 0 for a cache price means that none is stated; 0 for input and output, that nothing is known. */
function newerPrices(model) {
  const { input, output, cacheRead, cacheWrite, tiers } = model.cost;
  if (!(input > 0) && !model.id.endsWith(":free")) return [];
  const tier = tiers?.[0];
  return [
    {
      effectiveFrom: 0,
      input: micros(input),
      output: micros(output),
      cacheRead: cacheRead > 0 ? micros(cacheRead) : null,
      cacheWrite: cacheWrite > 0 ? micros(cacheWrite) : null,
      longContextFrom: tier?.inputTokensAbove ?? null,
      longContextInput: tier ? micros(tier.input) : null,
      longContextOutput: tier ? micros(tier.output) : null,
      longContextCacheRead: tier && tier.cacheRead > 0 ? micros(tier.cacheRead) : null,
      longContextCacheWrite: tier && tier.cacheWrite > 0 ? micros(tier.cacheWrite) : null,
    },
  ];
}

function inForce(prices) {
  const now = Date.now();
  return prices.findLast((price) => price.effectiveFrom <= now) ?? prices[0];
}

function base(value) {
  if (value === undefined) return null;
  return micros(typeof value === "number" ? value : value.base);
}

function tiered(value) {
  const tier = firstTier(value);
  return tier ? micros(tier.price) : base(value);
}

function firstTier(value) {
  return typeof value === "object" && value !== null ? value.tiers[0] : undefined;
}

function micros(dollarsPerMillion) {
  return Math.round(dollarsPerMillion * MICROS);
}

/** An entry is an id of the API, and not a family's label, when it says that it equals itself. */
function isApiId(slug, model) {
  if (model.deprecated || FOREIGN[slug]?.test(model.id)) return false;
  const equalsItself = (match) =>
    match.equals === model.id || (match.or ?? []).some((each) => equalsItself(each));
  return equalsItself(model.match);
}

function findDated(models, id) {
  const lower = id.toLowerCase();
  const exact = models.find((model) => model.id.toLowerCase() === lower);
  return exact ?? models.find((model) => matches(model.match, lower));
}

function matches(rule, text) {
  if (rule.equals !== undefined) return text === rule.equals.toLowerCase();
  if (rule.starts_with !== undefined) return text.startsWith(rule.starts_with.toLowerCase());
  if (rule.ends_with !== undefined) return text.endsWith(rule.ends_with.toLowerCase());
  if (rule.contains !== undefined) return text.includes(rule.contains.toLowerCase());
  if (rule.regex !== undefined) return new RegExp(rule.regex, "u").test(text);
  if (rule.or !== undefined) return rule.or.some((each) => matches(each, text));
  return rule.and.every((each) => matches(each, text));
}

async function loadDated() {
  const { updatePrices, waitForUpdate } = await import(unpack(DATED));
  // The hook is given no data, so the list that the package was published with is what comes back.
  updatePrices(() => {});
  return new Map((await waitForUpdate()).map((provider) => [provider.id, provider]));
}

async function loadNewer() {
  return (await import(unpack(NEWER))).MODELS;
}

function unpack({ name, version, entry }) {
  const folder = path.join(work, name.replaceAll("/", "-"));
  const json = execFileSync(
    "npm",
    ["pack", "--json", "--pack-destination", work, `${name}@${version}`],
    {
      stdio: ["ignore", "pipe", "ignore"],
      encoding: "utf8",
    },
  );
  const [packed] = JSON.parse(json);
  execFileSync("mkdir", ["-p", folder]);
  execFileSync("tar", ["xzf", path.join(work, packed.filename), "-C", folder]);
  return pathToFileURL(path.join(folder, "package", entry)).href;
}

function render(rows) {
  const lines = rows.map((each) => {
    const flags = `${each.vision ? "v" : ""}${each.reasoning ? "r" : ""}`;
    const prices = each.prices.map((price) => JSON.stringify(compact(price))).join(", ");
    const head = [each.provider, each.id, each.name, each.context, each.maxOutput, flags];
    return `  [${head.map((part) => JSON.stringify(part)).join(", ")}, [${prices}]],`;
  });
  return `${header()}
import type { PriceRow } from "../price-table.js";

/** Provider, model id, name, context window, largest output, abilities (v sees images, r reasons), prices. */
// prettier-ignore
export const PRICE_ROWS: readonly PriceRow[] = [
${lines.join("\n")}
];
`;
}

/** [from, input, output, cache read, cache write, then the long-context tier and what is priced apart, if there is any]. */
function compact(price) {
  const short = [price.effectiveFrom, price.input, price.output, price.cacheRead, price.cacheWrite];
  const parts = price.parts === undefined ? [] : [price.parts];
  if (price.longContextFrom === null) return [...short, ...parts];
  return [
    ...short,
    price.longContextFrom,
    price.longContextInput,
    price.longContextOutput,
    price.longContextCacheRead,
    price.longContextCacheWrite,
    ...parts,
  ];
}

function header() {
  const lines = [
    `Generated by scripts/prices.mjs; do not edit. Prices in micro-US-dollars per million tokens,`,
    `those of audio by length per hour, those of searches in the web per thousand.`,
    `Sources: ${DATED.name} ${DATED.version} (MIT; dated prices and long-context tiers), compared with`,
    `${NEWER.name} ${NEWER.version} (MIT; limits, abilities, newer models). Alibaba: what OpenRouter asks`,
    `for the same model. Zhipu: yuan prices as converted by the first source.`,
    ...[...notes].map((note) => `Note: ${note}`),
    `Conflicts (first | second source, US dollars per million, input/output). Taken: the second, newer`,
    `one; for zhipu the first; for alibaba and openrouter the dearer. ${conflicts.length} in all:`,
    ...conflicts.map((conflict) => `  ${conflict}`),
  ];
  return lines.map((line) => `// ${line}`.trimEnd()).join("\n");
}

function pair(price) {
  return `${dollars(price.input)}/${dollars(price.output)}`;
}

function dollars(value) {
  return value === null ? "none" : String(value / MICROS);
}

function cleanName(name) {
  return name.replaceAll(/\s+/g, " ").trim().slice(0, MODEL_CHARS_MAX);
}

function argument(name) {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}
