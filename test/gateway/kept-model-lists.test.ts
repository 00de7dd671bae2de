import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { Catalog } from "../../server/catalog/catalog.js";
import { ALIASES_SETTING } from "../../server/catalog/rewrites.js";
import type { Change } from "../../server/core/change.js";
import { drawsOn, type Principal } from "../../server/core/client-key.js";
import type { Model, Provider, ToldModel } from "../../server/core/provider.js";
import type { ProviderKey } from "../../server/core/provider-key.js";
import type { User } from "../../server/core/user.js";
import { ENDPOINTS } from "../../server/gateway/route/endpoints.js";
import { ModelAnswers } from "../../server/gateway/answer/models.js";
import { Pool } from "../../server/pool/pool.js";
import { FakeClock } from "../support/fake-clock.js";
import {
  aClientKey,
  aProvider,
  aProviderKey,
  seededRandom,
  silentLogger,
} from "../support/records.js";

// Lists of models are kept for the next caller. Whatever changes in between, each reads what is true now: as of a
// server that has just started and never made a list before.

type Told = ReadonlyMap<string, readonly ToldModel[]>;

/** All that a list of models depends on. */
interface Content {
  readonly providers: Map<string, Provider>;
  readonly models: Map<string, Model>;
  readonly users: Map<string, User>;
  readonly keys: Map<string, ProviderKey>;
  readonly settings: Map<string, string>;
  /** What providers tell of their models, by whose keys they are asked with and provider. */
  told: Told;
}

/** What answers requests for lists. */
class World {
  readonly #catalog: Catalog;
  readonly #pool: Pool;
  readonly #answers: ModelAnswers;

  constructor(content: Content) {
    const clock = new FakeClock();
    const catalog: Catalog = new Catalog({
      clock,
      logger: silentLogger,
      hasKeys: (...asked) => this.#pool.hasKeys(...asked),
      lists: {
        of: ({ id }, principal) => content.told.get(`${drawsOn(principal)} ${id}`) ?? NONE,
        refresh: () => undefined,
      },
    });
    this.#catalog = catalog;
    this.#pool = new Pool({
      clock,
      random: seededRandom(1),
      logger: silentLogger,
      inService: (...asked) => catalog.inService(...asked),
      onHealthChange: () => undefined,
    });
    this.#answers = new ModelAnswers(catalog);
    const [providers, models, users, keys] = [
      [...content.providers.values()],
      [...content.models.values()],
      [...content.users.values()],
      [...content.keys.values()],
    ] as const;
    catalog.load({ providers, models, users, settings: content.settings });
    this.#pool.load({ keys, users, providers }, content.settings);
  }

  change(change: Change): void {
    this.#catalog.applyChange(change);
    this.#pool.applyChange(change);
  }

  ask({ principal, endpoint, model, query }: Question): string {
    try {
      return this.#answers.answer({ endpoint, model }, query, principal).toString();
    } catch (thrown) {
      return String(thrown);
    }
  }
}

const NONE: readonly ToldModel[] = [];

interface Question {
  readonly principal: Principal;
  readonly endpoint: (typeof LISTS)[number];
  readonly model: string;
  readonly query: string;
}

const LISTS = ENDPOINTS.filter(({ kind }) => kind === "LOCAL");
function aModel(over: Pick<Model, "providerId" | "modelId"> & Partial<Model>): Model {
  return {
    id: `mod_${over.providerId}_${over.modelId}`,
    displayName: over.modelId.toUpperCase(),
    categories: ["CHAT"],
    services: [],
    contextWindow: null,
    maxOutput: null,
    isDefault: false,
    aliases: [],
    fallbacks: [],
    prices: [],
    updatedAt: 0,
    ...over,
  };
}

function byId<V extends { readonly id: string }>(...all: readonly V[]): Map<string, V> {
  return new Map(all.map((each) => [each.id, each]));
}

/** Something for everybody: a provider for all, of which each account is told something else, and one of a user alone. */
function content(): Content {
  const [shared, own] = ["prv_a", "prv_b"] as const;
  const images = ["IMAGE" as const];
  const tells = (modelId: string): readonly ToldModel[] => [
    { modelId, displayName: modelId, createdAt: null, contextWindow: null, maxOutput: null },
  ];
  return {
    providers: byId(
      aProvider(shared),
      aProvider(own, { createdBy: "usr_0", dialect: "ANTHROPIC", modelPatterns: [] }),
    ),
    models: byId(
      aModel({ providerId: shared, modelId: "gpt-1" }),
      aModel({ providerId: shared, modelId: "dall-e", categories: images }),
      aModel({ providerId: own, modelId: "gpt-2" }),
    ),
    users: new Map(),
    keys: byId(
      aProviderKey("pk_1", { ownerId: "usr_0", providerId: shared }),
      aProviderKey("pk_2", { ownerId: "usr_1", providerId: shared, visibility: "PRIVATE" }),
      aProviderKey("pk_3", { ownerId: "usr_0", providerId: own }),
    ),
    settings: new Map(),
    told: new Map([
      ["usr_0 prv_a", tells("own/gpt-1")],
      ["* prv_a", tells("gpt-3")],
    ]),
  };
}

const USERS = ["usr_0", "usr_1"];
const PROVIDERS = ["prv_a", "prv_b"];
const MODELS = ["gpt-1", "gpt-2", "dall-e", "own/gpt-1"];

const user = fc.constantFrom(...USERS);
const providerId = fc.constantFrom(...PROVIDERS);
const modelId = fc.constantFrom(...MODELS);
const patterns = fc.constantFrom([], ["*"], ["gpt-*"], ["b/gpt-1", "fast"]);
const dialect = fc.constantFrom("OPENAI" as const, "ANTHROPIC" as const, "GEMINI" as const);
const updatedAt = fc.integer({ min: 0, max: 3 }).map((day) => day * 86_400_000);

const provider = fc
  .record({
    id: providerId,
    dialect,
    modelPatterns: patterns,
    enabled: fc.constantFrom(true, true, true, false),
    createdBy: fc.option(user),
    updatedAt,
  })
  .map((over) => aProvider(over.id, { ...over, createdAt: 0, custom: true }));

const model = fc
  .record({
    providerId,
    modelId,
    categories: fc.constantFrom(["CHAT" as const], ["IMAGE" as const]),
    services: fc.constantFrom([], ["dalle"]),
    contextWindow: fc.option(fc.nat(9)),
    updatedAt,
  })
  .map(aModel);

const key = fc
  .record({
    id: fc.constantFrom("pk_1", "pk_2", "pk_3"),
    ownerId: user,
    providerId,
    visibility: fc.constantFrom("PUBLIC" as const, "PRIVATE" as const),
    enabled: fc.boolean(),
    modelAllowlist: patterns,
    service: fc.constantFrom(null, null, "dalle"),
  })
  .map((over) => aProviderKey(over.id, over));

const aliases = fc.constantFrom(
  "{}",
  '{"fast": "gpt-1"}',
  '{"fast": "b/gpt-2", "gpt-1": "dall-e"}',
);

const told = fc.array(
  fc.record({
    modelId,
    displayName: modelId,
    createdAt: fc.constantFrom(null, 1_000),
    contextWindow: fc.constant(null),
    maxOutput: fc.option(fc.nat(9)),
  }),
  { maxLength: 3 },
);

type Step = (now: Content) => Omit<Change, "seq"> | undefined;

/** A record is there as it is now, or not any more. */
function put<K extends "provider" | "model" | "provider_key", V extends { readonly id: string }>(
  kind: K,
  value: fc.Arbitrary<V>,
  of: (now: Content) => Map<string, V>,
): fc.Arbitrary<Step> {
  return fc.tuple(value, fc.nat(3)).map(([each, at]): Step => (now) => {
    const isDeleted = at === 0;
    if (isDeleted) of(now).delete(each.id);
    else of(now).set(each.id, each);
    return { kind, id: each.id, value: isDeleted ? null : each } as unknown as Omit<Change, "seq">;
  });
}

const tells = fc
  .tuple(fc.constantFrom("*", ...USERS), providerId, told)
  .map(([who, id, list]): Step => (now) => {
    now.told = new Map([...now.told, [`${who} ${id}`, list]]);
    return undefined;
  });

const step: fc.Arbitrary<Step> = fc.oneof(
  put("provider", provider, ({ providers }) => providers),
  put("model", model, ({ models }) => models),
  put("provider_key", key, ({ keys }) => keys),
  fc.tuple(user, fc.boolean()).map(([id, isAdmin]): Step => ({ users }) => {
    const value = { id, role: isAdmin ? "ADMIN" : "USER", state: "ACTIVE" } as User;
    users.set(id, value);
    return { kind: "user", id, value };
  }),
  aliases.map((value): Step => ({ settings }) => {
    settings.set(ALIASES_SETTING, value);
    return { kind: "setting", id: ALIASES_SETTING, value: { id: ALIASES_SETTING, value } };
  }),
  tells,
  tells,
);

const question: fc.Arbitrary<Question> = fc
  .record({
    ownerId: user,
    kind: fc.constantFrom("STANDARD" as const, "SUPER" as const),
    modelAllowlist: patterns,
    endpoint: fc.constantFrom(...LISTS),
    model: fc.constantFrom("", "", "", "gpt-1", "fast", "a/gpt-1"),
    query: fc.constantFrom(
      "",
      "",
      "",
      "limit=1",
      "limit=2&after_id=gpt-1",
      "before_id=gpt-2",
      "pageSize=1",
      "pageToken=1",
    ),
  })
  .map(({ ownerId, kind, modelAllowlist, ...asked }) => {
    const clientKey = aClientKey(`ck_${ownerId}`, { ownerId, kind, modelAllowlist });
    return { ...asked, principal: { ownerId, clientKey } };
  });

test("whatever changed since a list was made, callers read the one that is true now", () => {
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 1, maxLength: 12, size: "max" }),
      fc.array(question, { minLength: 4, maxLength: 10, size: "max" }),
      (steps, questions) => {
        const now = content();
        const world = new World(now);
        const check = (): void => {
          for (const each of questions) assert.equal(world.ask(each), new World(now).ask(each));
        };
        check();
        for (const [seq, happens] of steps.entries()) {
          const change = happens(now);
          if (change !== undefined) world.change({ ...change, seq } as Change);
          check();
        }
      },
    ),
    { numRuns: 100 },
  );
});
