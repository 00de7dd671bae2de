import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  TestProviderKeyRequest,
  TestProviderKeyResponseSchema,
  TestProviderKeysRequest,
  TestProviderKeysResponseSchema,
  TestResultSchema,
} from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { priceAt } from "../catalog/price-table.js";
import type { Actor } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import { Fault } from "../core/fault.js";
import { PAGE_SIZE_MAX } from "../core/page.js";
import type { Model, Provider } from "../core/provider.js";
import type { ProviderKey } from "../core/provider-key.js";
import { Secret } from "../core/secret.js";
import type { AuditLog } from "../keys/audit-log.js";
import { authorize } from "../keys/policy.js";
import type { KeysReader, KeysVault } from "../keys/ports.js";
import { bindingOf } from "../keys/provider-key-rules.js";
import type { ProviderKeys } from "../keys/provider-keys.js";
import type { Providers } from "../keys/providers.js";
import { found } from "../keys/refusals.js";
import type { ProbeEvent, ProbeSubject } from "../upstream/probe.js";
import { inParallel } from "./concurrent.js";
import { probeEventMessage, secretFailureMessage } from "./messages/probe.js";
import { PROVIDER_KEY_FIELDS } from "./messages/provider-keys.js";
import { toPageQuery } from "./page-query.js";

const WIDTH_DEFAULT = 4;
const WIDTH_MAX = 16;

/** What testing connections needs. */
export interface KeyTestDeps {
  readonly providerKeys: Pick<ProviderKeys, "permitted" | "list">;
  readonly providers: Pick<Providers, "get">;
  readonly reader: Pick<KeysReader, "providers" | "models">;
  readonly vault: Pick<KeysVault, "open">;
  readonly auditLog: Pick<AuditLog, "record">;
  readonly clock: Clock;
  /** Ends with a result; ending the iteration early stops the test. */
  readonly probe: (subject: ProbeSubject) => AsyncIterable<ProbeEvent>;
}

/** What is tested, before its secret is opened. */
interface Subject {
  readonly provider: Provider;
  /** Null for a candidate. */
  readonly key: ProviderKey | null;
  readonly openSecret: () => Promise<Secret>;
}

type Step = MessageInitShape<typeof TestProviderKeyResponseSchema>;
type Result = MessageInitShape<typeof TestResultSchema>;

/** Tests a stored or a candidate key, step by step. */
export async function* testKey(
  deps: KeyTestDeps,
  actor: Actor,
  request: TestProviderKeyRequest,
): AsyncGenerator<Step, void, undefined> {
  authorize(actor, "provider_key.test");
  const subject = await subjectOf(deps, actor, request.target);
  yield* steps(deps, actor, subject, request);
}

/** Tests many stored keys, a few at a time. */
export async function* testKeys(
  deps: KeyTestDeps,
  caller: { readonly actor: Actor; readonly signal: AbortSignal },
  request: TestProviderKeysRequest,
): AsyncGenerator<MessageInitShape<typeof TestProviderKeysResponseSchema>, void, undefined> {
  const { actor, signal } = caller;
  authorize(actor, "provider_key.test");
  const keys = await keysOf(deps, actor, request);
  const width = Math.min(
    request.concurrency === 0 ? WIDTH_DEFAULT : request.concurrency,
    WIDTH_MAX,
  );
  let done = 0;
  const results = inParallel(keys, width, async (key) => {
    const subject = await storedSubject(deps, key);
    const how = { skipChat: request.skipChat, model: "" };
    return { key, result: await lastResult(steps(deps, actor, subject, how), signal) };
  });
  for await (const { key, result } of results) {
    done += 1;
    yield { providerKeyId: key.id, name: key.name, result, done, total: keys.length };
  }
}

async function* steps(
  deps: KeyTestDeps,
  actor: Actor,
  subject: Subject,
  how: { readonly model: string; readonly skipChat: boolean },
): AsyncGenerator<Step, void, undefined> {
  const { provider, key } = subject;
  const secret = await secretOrFault(subject);
  if (secret instanceof Fault) {
    yield { event: { case: "result", value: secretFailureMessage(secret.publicMessage) } };
    return;
  }
  const model =
    how.model || cheapestChatModel(await deps.reader.models.all(), provider, deps.clock);
  for await (const event of deps.probe({ provider, secret, model, skipChat: how.skipChat })) {
    if (event.kind === "RESULT") {
      await deps.auditLog.record(actor, "provider_key.test", {
        targetId: key?.id ?? provider.id,
        targetName: key?.name ?? provider.displayName,
        note: event.result.failure ?? (key === null ? "candidate" : ""),
        outcome: event.result.ok ? "OK" : "FAILED",
      });
    }
    yield probeEventMessage(event);
  }
}

async function subjectOf(
  deps: KeyTestDeps,
  actor: Actor,
  target: TestProviderKeyRequest["target"],
): Promise<Subject> {
  if (target.case === "candidate") {
    const provider = await deps.providers.get(actor, target.value.providerId);
    const secret = new Secret(target.value.secret.trim());
    return { provider, key: null, openSecret: () => Promise.resolve(secret) };
  }
  const id = target.value ?? "";
  return storedSubject(deps, await deps.providerKeys.permitted(actor, "provider_key.test", id));
}

async function storedSubject(deps: KeyTestDeps, key: ProviderKey): Promise<Subject> {
  const stored = await deps.reader.providers.get(key.providerId);
  const provider = found(stored, "provider", key.providerId);
  const openSecret = () => deps.vault.open(key.sealed, bindingOf(key, provider));
  return { provider, key, openSecret };
}

/** A secret that cannot be opened is a result of the test, not a failure of the RPC. */
async function secretOrFault(subject: Subject): Promise<Secret | Fault> {
  try {
    return await subject.openSecret();
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown;
    throw thrown;
  }
}

async function keysOf(
  deps: KeyTestDeps,
  actor: Actor,
  request: TestProviderKeysRequest,
): Promise<readonly ProviderKey[]> {
  if (request.ids.length > 0) {
    return Promise.all(
      request.ids.map((id) => deps.providerKeys.permitted(actor, "provider_key.test", id)),
    );
  }
  const list = { pageSize: PAGE_SIZE_MAX, pageToken: "", filter: request.filter, orderBy: "" };
  const query = toPageQuery(list, PROVIDER_KEY_FIELDS, deps.clock.now());
  return (await deps.providerKeys.list(actor, query)).items;
}

/** Leaving the loop stops the test when its caller has gone. */
async function lastResult(events: AsyncIterable<Step>, signal: AbortSignal): Promise<Result> {
  let last: Result = {};
  for await (const { event } of events) {
    if (signal.aborted) break;
    if (event?.case === "result") last = event.value;
  }
  return last;
}

/** The chat model that costs least, or else any; empty where the provider has none. */
function cheapestChatModel(models: readonly Model[], provider: Provider, clock: Clock): string {
  const chats = models.filter(
    (model) => model.providerId === provider.id && model.categories.includes("CHAT"),
  );
  const costOf = (model: Model): number => {
    const price = priceAt(model.prices, clock.now());
    return price === null ? Infinity : price.input + price.output;
  };
  return chats.toSorted((a, b) => costOf(a) - costOf(b))[0]?.modelId ?? "";
}
