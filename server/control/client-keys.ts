import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  ImportClientKeysResponseSchema,
  type ClientKeySchema,
  type ClientKeyService,
  type ImportClientKeysRequest,
} from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import type { Actor } from "../core/audit.js";
import type { ClientKey } from "../core/client-key.js";
import type { Clock } from "../core/clock.js";
import { Secret } from "../core/secret.js";
import type { ByorKeys } from "../keys/byor-keys.js";
import type { ClientKeyImport } from "../keys/client-key-import.js";
import type { ClientKeys, ClientKeyWithSecret } from "../keys/client-keys.js";
import type { NoticeDays } from "../keys/notices.js";
import type { LedgerStore } from "../metering/ports.js";
import { clientKeyStats, type ClientKeyStatsDeps } from "./client-key-stats.js";
import { actorKey } from "./context.js";
import {
  answerOnce,
  createSecretOnce,
  requestKey,
  type IdempotencyStore,
  type RequestKey,
} from "./idempotency.js";
import {
  clientKeyDraftOf,
  CLIENT_KEY_FIELDS,
  clientKeyMessage,
  clientKeyPatchOf,
  importedClientKeyMessage,
  importedTokenOf,
  superClientKeyDraftOf,
} from "./messages/client-keys.js";
import { given, int64, msOf, numberOf, pageTokens, versionOf } from "./messages/values.js";
import type { NameLookup } from "./names.js";
import { toPageQuery } from "./page-query.js";
import type { BudgetBook, ClientKeyFacts } from "./ports.js";

export interface ClientKeysDeps {
  readonly clientKeys: ClientKeys;
  readonly byorKeys: ByorKeys;
  readonly clientKeyImport: ClientKeyImport;
  readonly idempotency: IdempotencyStore;
  readonly names: NameLookup;
  /** Called for each answer. */
  readonly noticeDays: () => NoticeDays;
  readonly clock: Clock;
  readonly facts?: ClientKeyFacts | undefined;
  readonly budgets?: BudgetBook | undefined;
  /** Counts the calls that go with a deleted key. */
  readonly ledger: Pick<LedgerStore, "listCalls">;
  readonly statistics: Pick<ClientKeyStatsDeps, "usage" | "providerKeyReader">;
}

type Service = Partial<ServiceImpl<typeof ClientKeyService>>;

/** What callers present to the proxy. */
export function clientKeysService(deps: ClientKeysDeps): Service {
  return {
    ...creation(deps),
    ...reading(deps),
    ...statistics(deps),
    ...changes(deps),
    ...secrets(deps),
  };
}

function creation(deps: ClientKeysDeps) {
  const { clientKeys } = deps;
  return {
    async createClientKey(request, context) {
      const actor = context.values.get(actorKey);
      const draft = clientKeyDraftOf(request);
      return makeOnce(deps, requestKey(context, request), () => clientKeys.create(actor, draft));
    },
    async createSuperClientKey(request, context) {
      const actor = context.values.get(actorKey);
      const draft = superClientKeyDraftOf(request);
      return makeOnce(deps, requestKey(context, request), () =>
        clientKeys.createSuper(actor, draft),
      );
    },
    async importClientKeys(request, context) {
      const actor = context.values.get(actorKey);
      return answerOnce(
        deps.idempotency,
        requestKey(context, request),
        ImportClientKeysResponseSchema,
        () => importAll(deps.clientKeyImport, actor, request),
      );
    },
  } satisfies Service;
}

async function importAll(
  clientKeyImport: ClientKeyImport,
  actor: Actor,
  request: ImportClientKeysRequest,
) {
  const { ownerId, dryRun } = request;
  const target = { ownerId: given(ownerId), kind: "STANDARD", dryRun } as const;
  const report = await clientKeyImport.importAll(actor, target, request.keys.map(importedTokenOf));
  const created = report.filter((entry) => entry.outcome === "CREATED").length;
  return create(ImportClientKeysResponseSchema, {
    keys: report.map((entry, i) => importedClientKeyMessage(entry, request.keys[i]?.name ?? "")),
    created,
    refused: report.length - created,
  });
}

function reading(deps: ClientKeysDeps) {
  const { clientKeys, clock } = deps;
  const toMessage = messageMaker(deps);
  return {
    async getClientKey({ id }, context) {
      const key = await clientKeys.get(context.values.get(actorKey), id);
      await deps.facts?.fresh();
      return { clientKey: toMessage(key) };
    },
    async listClientKeys(request, context) {
      const query = toPageQuery(request, CLIENT_KEY_FIELDS, clock.now());
      const page = await clientKeys.list(context.values.get(actorKey), query);
      await deps.facts?.fresh();
      return {
        clientKeys: page.items.map(toMessage),
        ...pageTokens(page),
      };
    },
  } satisfies Service;
}

function statistics(deps: ClientKeysDeps): Service {
  const toMessage = messageMaker(deps);
  return {
    async getClientKeyStats(request, context) {
      const { key, ...rest } = await clientKeyStats(
        { ...deps, ...deps.statistics },
        request,
        context,
      );
      return { clientKey: toMessage(key), ...rest };
    },
  };
}

function changes(deps: ClientKeysDeps) {
  const { clientKeys } = deps;
  const toMessage = messageMaker(deps);
  return {
    async updateClientKey(request, context) {
      const key = await clientKeys.update(
        context.values.get(actorKey),
        request.id,
        clientKeyPatchOf(request),
        versionOf(request.expectedVersion),
      );
      return { clientKey: toMessage(key) };
    },
    async enableClientKey({ id }, context) {
      return { clientKey: toMessage(await clientKeys.enable(context.values.get(actorKey), id)) };
    },
    async disableClientKey({ id }, context) {
      return { clientKey: toMessage(await clientKeys.disable(context.values.get(actorKey), id)) };
    },
    async revokeClientKey({ id }, context) {
      const key = await clientKeys.revoke(context.values.get(actorKey), id);
      // There is only one node, so what it refuses, all refuse.
      return { clientKey: toMessage(key), effectiveOnAllNodes: true };
    },
    async deleteClientKey({ id, expectedVersion }, context) {
      const actor = context.values.get(actorKey);
      const calls = await deps.ledger.listCalls(callsOf(id));
      await clientKeys.delete(actor, id, versionOf(expectedVersion));
      return { deletedCalls: int64(calls.total) };
    },
  } satisfies Service;
}

function secrets(deps: ClientKeysDeps) {
  const { clientKeys, byorKeys } = deps;
  const toMessage = messageMaker(deps);
  return {
    async rotateClientKey(request, context) {
      const { id, graceSeconds, expireTime } = request;
      const actor = context.values.get(actorKey);
      const graceMs = numberOf("grace_seconds", graceSeconds * 1000n);
      const expiresAt = expireTime === undefined ? undefined : msOf(expireTime);
      return makeOnce(deps, requestKey(context, request), () =>
        clientKeys.rotate(actor, id, { graceMs, expiresAt }),
      );
    },
    async getByorKey(_request, context) {
      const { clientKey, secret, created } = await byorKeys.get(context.values.get(actorKey));
      return { clientKey: toMessage(clientKey), secret: secret.reveal(), created };
    },
    async refreshByorKey(_request, context) {
      const { clientKey, secret } = await byorKeys.refresh(context.values.get(actorKey));
      return { clientKey: toMessage(clientKey), secret: secret.reveal() };
    },
    async revealClientKey({ id, password }, context) {
      const typed = password === "" ? undefined : new Secret(password);
      const secret = await clientKeys.reveal(context.values.get(actorKey), id, typed);
      return { secret: secret.reveal() };
    },
  } satisfies Service;
}

/** The new key and its secret; a repeat is refused. */
async function makeOnce(
  deps: ClientKeysDeps,
  key: RequestKey,
  make: () => Promise<ClientKeyWithSecret>,
) {
  const { clientKey, secret } = await createSecretOnce(
    deps.idempotency,
    key,
    make,
    (made) => made.clientKey.id,
  );
  return { clientKey: messageMaker(deps)(clientKey), secret: secret.reveal() };
}

function messageMaker(deps: ClientKeysDeps) {
  return (key: ClientKey): MessageInitShape<typeof ClientKeySchema> =>
    clientKeyMessage(key, {
      names: deps.names,
      facts: deps.facts,
      budgets: deps.budgets,
      noticeDays: deps.noticeDays(),
      nowMs: deps.clock.now(),
    });
}

/** A query that counts the calls of a key. */
function callsOf(clientKeyId: string) {
  return {
    conditions: [{ field: "clientKeyId", op: "=", value: clientKeyId }],
    text: "",
    orderBy: "",
    descending: false,
    pageSize: 1,
    pageToken: "",
  } as const;
}
