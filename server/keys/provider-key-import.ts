import { originOf } from "../catalog/base-url.js";
import { findPreset } from "../catalog/presets.js";
import type { Actor, AuditDraft } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import { Fault, invalidField } from "../core/fault.js";
import type { Tier, Visibility } from "../core/provider-key.js";
import type { Provider } from "../core/provider.js";
import { Slices } from "../core/slices.js";
import type { ImportEntry, ImportFormat } from "./import-entry.js";
import { detectFormat, parseImport } from "./import-parse.js";
import type { Operations } from "./operations.js";
import { ownerIdOf, requireOwner } from "./owners.js";
import type { KeysReader, KeysStore } from "./ports.js";
import type { ProviderKeyDraft } from "./provider-key-draft.js";
import type { ProviderKeyBatch } from "./provider-key-batch.js";
import type { ProviderKeys } from "./provider-keys.js";
import { cleanLine, cleanTier, NAME_CHARS_MAX } from "./validate.js";

export const IMPORT_BYTES_MAX = 1 << 20;
export const IMPORT_ENTRIES_MAX = 10_000;
/** Keys stored in one transaction, so that other writers get their turn. */
const ENTRIES_PER_WRITE = 200;

const ACTION = "provider_key.import";

/** A file of provider secrets and how to take it. */
export interface ImportRequest {
  readonly content: string;
  /** Found out from the content if left out. */
  readonly format?: ImportFormat | undefined;
  /** Id of the provider of entries that name none. */
  readonly providerId?: string | undefined;
  readonly ownerId?: string | undefined;
  readonly tier?: Tier | undefined;
  readonly visibility?: Visibility | undefined;
  readonly namePrefix?: string | undefined;
  /** Reports what would happen and stores nothing. */
  readonly dryRun?: boolean | undefined;
}

/** What became of one entry. */
export interface ImportedProviderKey {
  readonly position: number;
  readonly outcome: "CREATED" | "DUPLICATE" | "UNKNOWN_PROVIDER" | "INVALID";
  readonly name: string;
  /** Empty when unknown. */
  readonly providerSlug: string;
  /** Empty unless created. */
  readonly providerKeyId: string;
  /** What is wrong and what to do, without the secret; empty when created. */
  readonly message: string;
}

export interface ImportReport {
  readonly format: ImportFormat;
  readonly keys: readonly ImportedProviderKey[];
  readonly created: number;
  readonly refused: number;
}

interface Run {
  readonly actor: Actor;
  readonly request: ImportRequest;
  readonly ownerId: string;
  readonly providers: readonly Provider[];
  /** Secrets that came earlier in the same content. */
  readonly seen: Set<string>;
  /** Names given in this run. */
  readonly given: Set<string>;
  /** The last number that made a name free, by the name; so that the next search does not begin at 2. */
  readonly numbers: Map<string, number>;
  readonly slices: Slices;
}

/** Imports secrets from files of other tools. A bad entry does not stop the others, and each is reported. */
export class ProviderKeyImport {
  readonly #operations: Operations;
  readonly #store: KeysStore;
  readonly #providerKeys: ProviderKeys;
  readonly #clock: Clock;

  constructor(options: {
    operations: Operations;
    store: KeysStore;
    providerKeys: ProviderKeys;
    clock: Clock;
  }) {
    this.#operations = options.operations;
    this.#clock = options.clock;
    this.#store = options.store;
    this.#providerKeys = options.providerKeys;
  }

  /** Throws `invalid_argument` when the content as a whole cannot be read or is too much. */
  async importAll(actor: Actor, request: ImportRequest): Promise<ImportReport> {
    return this.#operations.run(actor, ACTION, async () => {
      if (Buffer.byteLength(request.content) > IMPORT_BYTES_MAX) {
        throw invalidField("content", "must have at most 1 MiB");
      }
      const format = request.format ?? detectFormat(request.content);
      const entries = parseImport(request.content, format);
      if (entries.length > IMPORT_ENTRIES_MAX) {
        throw invalidField("content", `must hold at most ${String(IMPORT_ENTRIES_MAX)} keys`);
      }
      if (request.tier !== undefined) cleanTier("tier", request.tier);
      const ownerId = ownerIdOf(actor, request.ownerId);
      await requireOwner(this.#store.read, actor, ACTION, ownerId);
      const providers = await usableProviders(this.#store.read, ownerId);
      const run: Run = {
        actor,
        request,
        ownerId,
        providers,
        seen: new Set(),
        given: new Set(),
        numbers: new Map(),
        slices: new Slices(this.#clock),
      };
      const keys: ImportedProviderKey[] = [];
      for (let from = 0; from < entries.length; from += ENTRIES_PER_WRITE) {
        keys.push(...(await this.#importPart(run, entries.slice(from, from + ENTRIES_PER_WRITE))));
      }
      const created = keys.filter((key) => key.outcome === "CREATED").length;
      return { format, keys, created, refused: keys.length - created };
    });
  }

  async #importPart(
    run: Run,
    entries: readonly ImportEntry[],
  ): Promise<readonly ImportedProviderKey[]> {
    const { actor, ownerId, request, given } = run;
    return this.#store.write(async (tx) => {
      const batch = await this.#providerKeys.batch(tx, {
        actor,
        action: ACTION,
        ownerId,
        secrets: entries.map(({ secret }) => secret),
        // In a dry run nothing was stored, so the names of earlier parts are known only here.
        taken: request.dryRun === true ? given : [],
      });
      const report: ImportedProviderKey[] = [];
      for (const entry of entries) {
        report.push(await importOne(run, batch, entry));
        await run.slices.step();
      }
      if (request.dryRun !== true) {
        await batch.store();
        await tx.audit.appendAll(report.flatMap((done) => auditOf(actor, done)));
      }
      return report;
    });
  }
}

async function importOne(
  run: Run,
  batch: ProviderKeyBatch,
  entry: ImportEntry,
): Promise<ImportedProviderKey> {
  const { position } = entry;
  const provider = providerOf(run, entry);
  const name = freeName(run, batch.taken, nameOf(run, entry, provider));
  const base = { position, name, providerSlug: provider?.slug ?? "", providerKeyId: "" };
  if (entry.problem !== undefined) {
    return { ...base, outcome: "INVALID", message: `This entry ${entry.problem}.` };
  }
  if (provider === undefined) {
    return { ...base, outcome: "UNKNOWN_PROVIDER", message: unknownProviderMessage(entry) };
  }
  const secret = entry.secret.reveal().trim();
  if (run.seen.has(secret)) {
    const message = "The same secret came earlier in this content.";
    return { ...base, outcome: "DUPLICATE", message };
  }
  try {
    const made = await batch.make(draftOf(run, entry, provider, name));
    run.seen.add(secret);
    run.given.add(name);
    const providerKeyId = run.request.dryRun === true ? "" : made.id;
    return { ...base, outcome: "CREATED", providerKeyId, message: "" };
  } catch (thrown) {
    return { ...base, ...refusalOf(thrown) };
  }
}

/** Each key that came in has an audit event of its own. */
function auditOf(actor: Actor, done: ImportedProviderKey): readonly AuditDraft[] {
  if (done.outcome !== "CREATED") return [];
  return [
    {
      actor,
      action: ACTION,
      targetId: done.providerKeyId,
      targetName: done.name,
      changedFields: [],
      outcome: "OK",
      note: "",
    },
  ];
}

async function usableProviders(reader: KeysReader, ownerId: string): Promise<readonly Provider[]> {
  const all = await reader.providers.all();
  return all.filter(({ createdBy }) => createdBy === null || createdBy === ownerId);
}

/** The provider that an entry names, or that is at its address, or else the one of the request. */
function providerOf(run: Run, entry: ImportEntry): Provider | undefined {
  const { providers, request } = run;
  if (entry.baseUrl !== "") {
    // An address says where the secret belongs; sending it anywhere else would give it away.
    const origin = URL.canParse(entry.baseUrl) ? originOf(entry.baseUrl) : "";
    return providers.find((provider) => originOf(provider.baseUrl) === origin);
  }
  if (entry.provider === "") return providers.find(({ id }) => id === request.providerId);
  const wanted = entry.provider.toLowerCase();
  const slug = findPreset(wanted)?.slug ?? wanted;
  return (
    providers.find((provider) => provider.id === entry.provider || provider.slug === slug) ??
    providers.find((provider) => provider.displayName.toLowerCase() === wanted)
  );
}

function unknownProviderMessage(entry: ImportEntry): string {
  if (entry.baseUrl !== "") {
    return "No provider has this entry's base URL: create a custom provider with it first.";
  }
  return entry.provider === ""
    ? "This entry names no provider: choose one for the whole import."
    : "No provider has this name: create a custom provider, or correct the name.";
}

function nameOf(run: Run, entry: ImportEntry, provider: Provider | undefined): string {
  const own = entry.name === "" ? (provider?.slug ?? "key") : entry.name;
  return `${run.request.namePrefix ?? ""}${own}`;
}

/** The name, or the name with the first number that makes it free. */
function freeName(run: Run, taken: ReadonlySet<string>, name: string): string {
  const wanted = name.normalize("NFC").trim();
  if (!taken.has(wanted)) return wanted;
  let number = run.numbers.get(wanted) ?? 2;
  while (taken.has(`${wanted} ${String(number)}`)) number++;
  run.numbers.set(wanted, number);
  return `${wanted} ${String(number)}`;
}

function draftOf(run: Run, entry: ImportEntry, provider: Provider, name: string): ProviderKeyDraft {
  return {
    providerId: provider.id,
    secret: entry.secret,
    name: cleanLine("name", name, NAME_CHARS_MAX),
    ownerId: run.ownerId,
    description: entry.description,
    service: entry.service,
    modelAllowlist: entry.modelAllowlist,
    tier: entry.tier === undefined ? run.request.tier : cleanTier("tier", entry.tier),
    weight: entry.weight,
    quotaGroup: entry.quotaGroup,
    visibility: run.request.visibility,
    enabled: entry.enabled,
  };
}

function refusalOf(thrown: unknown): Pick<ImportedProviderKey, "outcome" | "message"> {
  if (thrown instanceof Fault) {
    const { code, publicMessage: message } = thrown;
    if (code === "already_exists") return { outcome: "DUPLICATE", message };
    if (code === "invalid_argument") return { outcome: "INVALID", message };
  }
  throw thrown;
}
