import { batchPrice } from "../../core/batch.js";
import { type Estimate, NO_TOKENS, NOTHING_RESERVED, TOKENS_MAX } from "../../core/call.js";
import type { Principal } from "../../core/client-key.js";
import type { Dialect, RouteTarget } from "../../core/provider.js";
import { Fault, toFault } from "../../core/fault.js";
import { type AskedOfModel, BatchReading } from "../route/batch-reading.js";
import type { CallPlan } from "../route/call-plan.js";
import type { GatewayContext } from "../context.js";
import {
  BYTES_PER_TOKEN,
  estimateOf,
  INPUT_TOKENS_MAX,
  OUTPUT_TOKENS_DEFAULT,
} from "../estimate/estimate.js";
import type { Match } from "../route/match.js";
import type { BatchForm } from "../route/named-models.js";
import type { RequestHead } from "../request/request-head.js";

/** Different models that one batch may ask for. */
const MODELS_MAX = 64;
/** Requests that one batch may hold, as at Anthropic. */
const REQUESTS_MAX = 100_000;

/** The worst case of a call, to be reserved before it is made; of one that makes a batch, that of the batch. */
export function worstCase({
  context,
  plan,
  match,
  head,
  principal,
}: {
  readonly context: Pick<GatewayContext, "sink" | "router" | "limiter">;
  readonly plan: CallPlan;
  readonly match: Match;
  readonly head: RequestHead;
  readonly principal: Principal;
}): Estimate {
  const form = match.endpoint.batch;
  if (form === undefined) {
    const { body, bodyHead } = plan;
    const targets = servedOf(plan.route.targets, context, principal);
    return estimateOf(context.sink, { body, bodyHead, targets }, { match, head });
  }
  if (form.list === undefined) return NOTHING_RESERVED;
  try {
    return estimateOfBatch({ ...context, principal, plan, form, dialect: match.endpoint.dialect });
  } catch (thrown) {
    // What cannot be read here may be read there, so where a budget holds it does not go on.
    const isInFile = toFault(thrown).code === "model_not_allowed";
    if (!isInFile && context.limiter.hasBudget(principal)) throw thrown;
    return NOTHING_RESERVED;
  }
}

/** Where a budget holds, nothing is set aside for a fallback, or another provider, that the caller has no key of. */
function servedOf(
  targets: readonly RouteTarget[],
  { router, limiter }: Pick<GatewayContext, "router" | "limiter">,
  principal: Principal,
): readonly RouteTarget[] {
  if (targets.length === 1 || !limiter.hasBudget(principal)) return targets;
  const served = targets.filter((target) => router.isServed(target, principal));
  return served.length === 0 ? targets : served;
}

interface Parts extends Pick<GatewayContext, "sink" | "router"> {
  readonly principal: Principal;
  readonly plan: CallPlan;
  readonly form: BatchForm;
  readonly dialect: Dialect;
}

/** What a batch may use at most whose requests stand in its body, each at the price of its model's dearest target. */
function estimateOfBatch(parts: Parts): Estimate {
  let inputTokens = 0;
  let maxOutputTokens = 0;
  let costMicros = 0;
  for (const [name, { requests, bytes, bound, open }] of byModel(parts)) {
    const input = Math.min(Math.ceil(bytes / BYTES_PER_TOKEN), requests * INPUT_TOKENS_MAX);
    let outputMax = 0;
    let costMax = 0;
    for (const { price, maxOutput } of targetsOf(parts, name)) {
      const each = maxOutput ?? OUTPUT_TOKENS_DEFAULT;
      const output = parts.form.makesText ? Math.min(bound + open * each, TOKENS_MAX) : 0;
      // Prices of long inputs are those of single requests.
      const perRequest = price === null ? null : { ...batchPrice(price), longContextFrom: null };
      const cost = parts.sink.cost({ price: perRequest }, { ...NO_TOKENS, input, output });
      outputMax = Math.max(outputMax, output);
      costMax = Math.max(costMax, cost ?? 0);
    }
    inputTokens += input;
    maxOutputTokens += outputMax;
    costMicros += costMax;
  }
  return { inputTokens, maxOutputTokens, costMicros, isLater: true };
}

/** As `BatchReading.ofModels`; a long body was read before. */
function byModel({ plan, form, dialect }: Parts): ReadonlyMap<string, AskedOfModel> {
  const reading = plan.batch ?? new BatchReading(plan.body, { batch: form, dialect }, false);
  while (!reading.read());
  const all = reading.ofModels();
  if ((reading.requests ?? 0) > REQUESTS_MAX) throw tooMany(REQUESTS_MAX, "requests");
  if (all.size > MODELS_MAX) throw tooMany(MODELS_MAX, "different models");
  return all;
}

function tooMany(max: number, what: string): Fault {
  const message = `Where a budget holds, a batch can have ${String(max)} ${what} at most; make several.`;
  return new Fault("invalid_argument", message);
}

const UNKNOWN = [{ price: null, maxOutput: null }] as const;

function targetsOf(
  { plan, form, router, principal }: Parts,
  name: string,
): readonly Pick<RouteTarget, "price" | "maxOutput">[] {
  if (form.model !== undefined) return plan.route.targets;
  try {
    return router.resolve(name, principal).targets;
  } catch (thrown) {
    // It is the provider's to say what it does not serve.
    if (toFault(thrown).code === "model_not_found") return UNKNOWN;
    throw thrown;
  }
}
