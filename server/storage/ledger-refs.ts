import type { CallRecord } from "../core/call.js";
import type { CallRefs } from "./call-rows.js";
import type { Db } from "./db.js";
import { SQLITE } from "./sql-dialect.js";

/** Entries that each cache holds; beyond it starts afresh. A hundred bytes each. */
const CACHE_MAX = 100_000;

/** The names that a call is counted under, and what decides whether its model is one. */
export type CountedNames = Pick<
  CallRecord,
  "clientKeyId" | "ownerId" | "providerKeyId" | "providerId" | "modelServed" | "status"
>;

/** Names that calls are counted under together, in numbers. */
export interface Combination {
  readonly refs: CallRefs;
  /** The number of the combination itself. */
  readonly keyId: number;
}

/** A combination as calls name it; owner and provider nearly always follow from the rest. */
interface Named {
  readonly ownerId: string;
  readonly providerId: string | null;
  readonly combination: Combination;
}

/**
 * Numbers for the names and combinations that calls are counted under. What the database has said is kept
 * in memory, but only once the transaction that asked has been committed: after a roll-back a number may
 * come to stand for something else.
 */
export class LedgerRefs {
  #names = new Map<string, number>();
  #keys = new Map<string, number>();
  /** By client key, provider key and model: three look-ups in place of a text made of five numbers. */
  readonly #combinations = new Map<string, Map<string | null, Map<string | null, Named>>>();
  #combinationCount = 0;

  /** Numbers for one transaction. */
  stage(db: Db): StagedRefs {
    return new StagedRefs(db, this.#names, this.#keys);
  }

  /**
   * A call's numbers, without asking the database; undefined unless all are known. Names are never deleted,
   * and combinations only with their client key, so the numbers stay true for every call that is still taken.
   */
  known(call: CountedNames): Combination | undefined {
    const { clientKeyId, providerKeyId, modelServed } = call;
    const named = this.#combinations.get(clientKeyId)?.get(providerKeyId)?.get(modelServed);
    if (named?.ownerId === call.ownerId && named.providerId === call.providerId) {
      return named.combination;
    }
    return this.#remembered(call);
  }

  #remembered(call: CountedNames): Combination | undefined {
    const refs = {
      clientKey: this.#known(call.clientKeyId),
      owner: this.#known(call.ownerId),
      providerKey: this.#known(call.providerKeyId),
      provider: this.#known(call.providerId),
      model: this.#known(call.modelServed),
    };
    // A name that is not known makes a combination that is not known either.
    const keyId = this.#keys.get(combination(refs));
    if (keyId === undefined) return undefined;
    const known = { refs, keyId };
    this.#remember(call, known);
    return known;
  }

  #remember(call: CountedNames, known: Combination): void {
    if (this.#combinationCount >= CACHE_MAX) this.#forgetCombinations();
    const { clientKeyId, ownerId, providerKeyId, providerId, modelServed } = call;
    const ofClientKey = getOrMake(this.#combinations, clientKeyId);
    const ofProviderKey = getOrMake(ofClientKey, providerKeyId);
    if (!ofProviderKey.has(modelServed)) this.#combinationCount += 1;
    ofProviderKey.set(modelServed, { ownerId, providerId, combination: known });
  }

  #known(name: string | null): number {
    return name === null ? 0 : (this.#names.get(name) ?? -1);
  }

  /** Keeps what a committed transaction has learnt. */
  keep(staged: StagedRefs): void {
    this.#names = merged(this.#names, staged.newNames);
    this.#keys = merged(this.#keys, staged.newKeys);
  }

  /** Forgets everything. To be called after combinations have been deleted. */
  clear(): void {
    this.#names = new Map();
    this.#keys = new Map();
    this.#forgetCombinations();
  }

  #forgetCombinations(): void {
    this.#combinations.clear();
    this.#combinationCount = 0;
  }
}

/** Numbers as one transaction sees them. */
export class StagedRefs {
  readonly newNames = new Map<string, number>();
  readonly newKeys = new Map<string, number>();
  readonly #db: Db;
  readonly #names: ReadonlyMap<string, number>;
  readonly #keys: ReadonlyMap<string, number>;

  constructor(db: Db, names: ReadonlyMap<string, number>, keys: ReadonlyMap<string, number>) {
    this.#db = db;
    this.#names = names;
    this.#keys = keys;
  }

  /** The numbers of each, in the order given. */
  async of(all: readonly CountedNames[]): Promise<readonly Combination[]> {
    const refs = await this.#ofNames(all);
    const keyIds = await this.#ofCombinations(refs);
    return all.map((_, index) => ({ refs: found(refs[index]), keyId: found(keyIds[index]) }));
  }

  async #ofNames(calls: readonly CountedNames[]): Promise<readonly CallRefs[]> {
    const missing = new Set<string>();
    const asked = new Set<string>();
    const refs = calls.map((call) => this.#refsOf(call, missing, asked));
    if (missing.size === 0 && asked.size === 0) return refs;
    if (missing.size > 0) await this.#learnNames([...missing]);
    if (asked.size > 0) await this.#lookUpNames([...asked]);
    return calls.map((call) => this.#refsOf(call, new Set(), new Set()));
  }

  async #ofCombinations(all: readonly CallRefs[]): Promise<readonly number[]> {
    const missing = new Map<string, CallRefs>();
    for (const refs of all) {
      const key = combination(refs);
      if (!this.#keys.has(key)) missing.set(key, refs);
    }
    if (missing.size > 0) await this.#learnKeys([...missing.values()]);
    return all.map((refs) => {
      const key = combination(refs);
      return found(this.newKeys.get(key) ?? this.#keys.get(key));
    });
  }

  /** The numbers of one call; what is not known goes to `missing`, what need not be known to `asked`. */
  #refsOf(call: CountedNames, missing: Set<string>, asked: Set<string>): CallRefs {
    return {
      clientKey: this.#name(call.clientKeyId, missing),
      owner: this.#name(call.ownerId, missing),
      providerKey: this.#name(call.providerKeyId, missing),
      provider: this.#name(call.providerId, missing),
      // A model that has never answered counts as unknown: its name may be anything that a caller
      // thought of. All other names are ids of records of our own, so their number is bounded.
      model: this.#name(call.modelServed, call.status === "SUCCESS" ? missing : asked),
    };
  }

  #name(name: string | null, unknown: Set<string>): number {
    if (name === null) return 0;
    const ref = this.#names.get(name) ?? this.newNames.get(name);
    if (ref === undefined) unknown.add(name);
    return ref ?? 0;
  }

  async #lookUpNames(names: readonly string[]): Promise<void> {
    const rows = await this.#db.rows<{ id: number; name: string }>(
      `SELECT id, name FROM ledger_names WHERE name IN (${SQLITE.eachText})`,
      [JSON.stringify(names)],
    );
    for (const row of rows) this.newNames.set(row.name, row.id);
  }

  async #learnNames(names: readonly string[]): Promise<void> {
    // The update changes nothing; it makes RETURNING answer for names that are there already.
    const rows = await this.#db.rows<{ id: number; name: string }>(
      `${SQLITE.insertJson("ledger_names", ["name"])}
       ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id, name`,
      [JSON.stringify(names.map((name) => [name]))],
    );
    for (const row of rows) this.newNames.set(row.name, row.id);
  }

  async #learnKeys(all: readonly CallRefs[]): Promise<void> {
    const rows = await this.#db.rows<{ id: number } & Record<(typeof KEY_COLUMNS)[number], number>>(
      `${SQLITE.insertJson("usage_keys", KEY_COLUMNS)}
       ON CONFLICT (${KEY_COLUMNS.join(", ")}) DO UPDATE SET model_ref = excluded.model_ref
       RETURNING id, ${KEY_COLUMNS.join(", ")}`,
      [
        JSON.stringify(
          all.map((refs) => [
            refs.clientKey,
            refs.owner,
            refs.provider,
            refs.providerKey,
            refs.model,
          ]),
        ),
      ],
    );
    for (const row of rows) {
      const refs = {
        clientKey: row.client_key_ref,
        owner: row.owner_ref,
        provider: row.provider_ref,
        providerKey: row.provider_key_ref,
        model: row.model_ref,
      };
      this.newKeys.set(combination(refs), row.id);
    }
  }
}

const KEY_COLUMNS = [
  "client_key_ref",
  "owner_ref",
  "provider_ref",
  "provider_key_ref",
  "model_ref",
] as const;

function combination(refs: CallRefs): string {
  return `${refs.clientKey},${refs.owner},${refs.provider},${refs.providerKey},${refs.model}`;
}

function found<T>(ref: T | undefined): T {
  if (ref === undefined) throw new Error("the database did not number a name");
  return ref;
}

function getOrMake<K, T extends Map<unknown, unknown>>(maps: Map<K, T>, key: K): T {
  let map = maps.get(key);
  if (map === undefined) maps.set(key, (map = new Map() as T));
  return map;
}

function merged(
  known: Map<string, number>,
  learnt: ReadonlyMap<string, number>,
): Map<string, number> {
  const all = known.size + learnt.size > CACHE_MAX ? new Map<string, number>() : known;
  for (const [name, ref] of learnt) all.set(name, ref);
  return all;
}
