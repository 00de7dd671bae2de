import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type {
  ProviderKeySchema,
  ProviderKeyService,
} from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { ProviderKey_Visibility } from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import type { Clock } from "../core/clock.js";
import { Secret } from "../core/secret.js";
import type { ProviderKey } from "../core/provider-key.js";
import type { NoticeDays } from "../keys/notices.js";
import type { KeysReader } from "../keys/ports.js";
import type { ProviderKeys } from "../keys/provider-keys.js";
import { actorKey } from "./context.js";
import { createOnce, type IdempotencyStore } from "./idempotency.js";
import {
  healthCheckMessage,
  providerKeyDraftOf,
  PROVIDER_KEY_FIELDS,
  providerKeyMessage,
  providerKeyPatchOf,
  VISIBILITY_WORDS,
} from "./messages/provider-keys.js";
import { pageTokens, versionOf, wordOf } from "./messages/values.js";
import type { NameLookup } from "./names.js";
import { toPageQuery } from "./page-query.js";
import type { ProviderKeyFacts } from "./ports.js";

export interface ProviderKeysDeps {
  readonly providerKeys: ProviderKeys;
  readonly healthChecks: KeysReader["healthChecks"];
  readonly idempotency: IdempotencyStore;
  readonly names: NameLookup;
  /** Read anew for each answer. */
  readonly noticeDays: () => NoticeDays;
  readonly clock: Clock;
  readonly facts?: ProviderKeyFacts | undefined;
}

type Service = Partial<ServiceImpl<typeof ProviderKeyService>>;

/** The secrets of providers. */
export function providerKeysService(deps: ProviderKeysDeps): Service {
  return { ...lifeCycle(deps), ...stateAndSecret(deps) };
}

function lifeCycle(deps: ProviderKeysDeps) {
  const { providerKeys, clock } = deps;
  const toMessage = messageMaker(deps);
  return {
    async createProviderKey(request, context) {
      const actor = context.values.get(actorKey);
      const draft = providerKeyDraftOf(request);
      const key = await createOnce(
        deps.idempotency,
        { actor, rpc: context.method.name, requestId: request.requestId },
        {
          create: () => providerKeys.create(actor, draft),
          read: (id) => providerKeys.get(actor, id),
        },
      );
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

function stateAndSecret(deps: ProviderKeysDeps) {
  const { providerKeys } = deps;
  const toMessage = messageMaker(deps);
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

function messageMaker(deps: ProviderKeysDeps) {
  return (key: ProviderKey): MessageInitShape<typeof ProviderKeySchema> =>
    providerKeyMessage(key, {
      names: deps.names,
      facts: deps.facts,
      noticeDays: deps.noticeDays(),
      nowMs: deps.clock.now(),
    });
}
