import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  ImportProviderKeysResponseSchema,
  ProviderKey_Visibility,
  type ProviderKeySchema,
  type ProviderKeyService,
} from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import type { Clock } from "../core/clock.js";
import { Secret } from "../core/secret.js";
import type { ProviderKey } from "../core/provider-key.js";
import type { NoticeDays } from "../keys/notices.js";
import type { HealthCheck, KeysReader } from "../keys/ports.js";
import type { ProviderKeyImport } from "../keys/provider-key-import.js";
import type { ProviderKeys } from "../keys/provider-keys.js";
import { actorKey } from "./context.js";
import { answerOnce, createOnce, requestKey, type IdempotencyStore } from "./idempotency.js";
import type { KeyUsage } from "./key-usage.js";
import { diagnosisItemMessage, keyErrorMessage } from "./messages/diagnosis.js";
import { importReportMessage, importRequestOf } from "./messages/provider-key-import.js";
import {
  healthCheckMessage,
  providerKeyDraftOf,
  PROVIDER_KEY_FIELDS,
  providerKeyMessage,
  providerKeyPatchOf,
  TIER_MESSAGES,
  VISIBILITY_WORDS,
} from "./messages/provider-keys.js";
import { pageTokens, versionOf, wordOf } from "./messages/values.js";
import type { NameLookup } from "./names.js";
import { toPageQuery } from "./page-query.js";
import type { ProviderKeyFacts } from "./ports.js";
import { diagnoseKey, type DiagnosisDeps } from "./provider-key-diagnosis.js";
import { testKey, testKeys, type KeyTestDeps } from "./provider-key-tests.js";
import { providerKeyUsage } from "./provider-key-usage.js";

export interface ProviderKeysDeps {
  readonly providerKeys: ProviderKeys;
  readonly healthChecks: KeysReader["healthChecks"];
  readonly idempotency: IdempotencyStore;
  readonly names: NameLookup;
  /** Called for each answer. */
  readonly noticeDays: () => NoticeDays;
  readonly clock: Clock;
  readonly facts: ProviderKeyFacts;
  readonly providerKeyImport: ProviderKeyImport;
  readonly testing: Omit<KeyTestDeps, "providerKeys" | "clock">;
  readonly diagnosis: Omit<DiagnosisDeps, "providerKeys" | "clock">;
  readonly usage: KeyUsage;
  /** Checks a key as the health loop does, and stores the outcome. */
  readonly checkHealth: (key: ProviderKey) => Promise<HealthCheck>;
}

type Service = Partial<ServiceImpl<typeof ProviderKeyService>>;
type ToMessage = (key: ProviderKey) => MessageInitShape<typeof ProviderKeySchema>;

/** The secrets of providers. */
export function providerKeysService(deps: ProviderKeysDeps): Service {
  const toMessage = messageMaker(deps);
  return {
    ...lifeCycle(deps, toMessage),
    ...stateAndSecret(deps, toMessage),
    ...importing(deps),
    ...testing(deps),
    ...inspection(deps, toMessage),
  };
}

function lifeCycle(deps: ProviderKeysDeps, toMessage: ToMessage) {
  const { providerKeys, clock } = deps;
  return {
    async createProviderKey(request, context) {
      const actor = context.values.get(actorKey);
      const draft = providerKeyDraftOf(request);
      const key = await createOnce(deps.idempotency, requestKey(context, request), {
        create: () => providerKeys.create(actor, draft),
        read: (id) => providerKeys.get(actor, id),
      });
      return { providerKey: toMessage(key) };
    },
    async getProviderKey({ id }, context) {
      return { providerKey: toMessage(await providerKeys.get(context.values.get(actorKey), id)) };
    },
    async listProviderKeys(request, context) {
      const query = toPageQuery(request, PROVIDER_KEY_FIELDS, clock.now());
      const page = await providerKeys.list(context.values.get(actorKey), query);
      return {
        providerKeys: page.items.map(toMessage),
        ...pageTokens(page),
      };
    },
    async updateProviderKey(request, context) {
      const key = await providerKeys.update(
        context.values.get(actorKey),
        request.id,
        providerKeyPatchOf(request),
        versionOf(request.expectedVersion),
      );
      return { providerKey: toMessage(key) };
    },
    async deleteProviderKey({ id, expectedVersion }, context) {
      const actor = context.values.get(actorKey);
      await providerKeys.delete(actor, id, versionOf(expectedVersion));
      return {};
    },
  } satisfies Service;
}

function stateAndSecret(deps: ProviderKeysDeps, toMessage: ToMessage) {
  const { providerKeys } = deps;
  return {
    async rotateProviderKey({ id, secret, expectedVersion }, context) {
      const key = await providerKeys.rotate(
        context.values.get(actorKey),
        id,
        new Secret(secret),
        versionOf(expectedVersion),
      );
      return { providerKey: toMessage(key) };
    },
    async enableProviderKey({ id }, context) {
      const key = await providerKeys.enable(context.values.get(actorKey), id);
      return { providerKey: toMessage(key) };
    },
    async disableProviderKey({ id }, context) {
      const key = await providerKeys.disable(context.values.get(actorKey), id);
      return { providerKey: toMessage(key) };
    },
    async setProviderKeyVisibility({ id, visibility, anonymous }, context) {
      const key = await providerKeys.setVisibility(
        context.values.get(actorKey),
        id,
        wordOf("visibility", ProviderKey_Visibility, VISIBILITY_WORDS, visibility) ?? "PRIVATE",
        anonymous,
      );
      return { providerKey: toMessage(key) };
    },
    async getProviderKeyHealth({ id }, context) {
      const actor = context.values.get(actorKey);
      const key = await providerKeys.permitted(actor, "provider_key.get_health", id);
      const checks = await deps.healthChecks.ofKey(id);
      return { providerKey: toMessage(key), checks: checks.map(healthCheckMessage) };
    },
    async revealProviderKey({ id, password }, context) {
      const typed = password === "" ? undefined : new Secret(password);
      const secret = await providerKeys.reveal(context.values.get(actorKey), id, typed);
      return { secret: secret.reveal() };
    },
  } satisfies Service;
}

function importing({ providerKeyImport, idempotency }: ProviderKeysDeps): Service {
  return {
    async importProviderKeys(request, context) {
      const actor = context.values.get(actorKey);
      return answerOnce(
        idempotency,
        requestKey(context, request),
        ImportProviderKeysResponseSchema,
        async () =>
          importReportMessage(await providerKeyImport.importAll(actor, importRequestOf(request))),
      );
    },
  };
}

function testing(deps: ProviderKeysDeps): Service {
  const tests: KeyTestDeps = {
    ...deps.testing,
    providerKeys: deps.providerKeys,
    clock: deps.clock,
  };
  return {
    testProviderKey: (request, { values }) => testKey(tests, values.get(actorKey), request),
    testProviderKeys: (request, { values, signal }) =>
      testKeys(tests, { actor: values.get(actorKey), signal }, request),
  };
}

function inspection(deps: ProviderKeysDeps, toMessage: ToMessage): Service {
  const { providerKeys, clock } = deps;
  return {
    ...diagnosing({ ...deps.diagnosis, providerKeys, clock }, toMessage),
    async checkProviderKeyHealth({ id }, context) {
      const actor = context.values.get(actorKey);
      const key = await providerKeys.permitted(actor, "provider_key.check_health", id);
      const check = healthCheckMessage(await deps.checkHealth(key));
      return { providerKey: toMessage(await providerKeys.get(actor, id)), check };
    },
    async getProviderKeyUsage(request, context) {
      return providerKeyUsage(deps, context.values.get(actorKey), request);
    },
  };
}

function diagnosing(deps: DiagnosisDeps, toMessage: ToMessage): Service {
  return {
    async diagnoseProviderKey(request, context) {
      const found = await diagnoseKey(deps, context.values.get(actorKey), request);
      return {
        providerKey: toMessage(found.key),
        items: found.items.map(diagnosisItemMessage),
        ...(found.tierReached && { tierReached: TIER_MESSAGES[found.tierReached] }),
        recentErrors: found.recentErrors.map(keyErrorMessage),
        verdict: found.verdict,
      };
    },
  };
}

function messageMaker(deps: ProviderKeysDeps): ToMessage {
  return (key) =>
    providerKeyMessage(key, {
      names: deps.names,
      facts: deps.facts,
      noticeDays: deps.noticeDays(),
      nowMs: deps.clock.now(),
    });
}
