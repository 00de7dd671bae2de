import { batchPrice } from "../core/batch.js";
import { latin1 } from "../core/bytes.js";
import { type Estimate, NO_TOKENS, NOTHING_RESERVED } from "../core/call.js";
import type { Principal } from "../core/client-key.js";
import type { RouteTarget } from "../core/provider.js";
import { toFault } from "../core/fault.js";
import type { CallPlan } from "./call-plan.js";
import {
  BYTES_PER_TOKEN,
  estimateOf,
  INPUT_TOKENS_MAX,
  OUTPUT_TOKENS_DEFAULT,
} from "./estimate.js";
import type { Match } from "./match.js";
import type { BatchForm } from "./named-models.js";
import type { CallSink, Router } from "./ports.js";
import type { RequestHead } from "./request-head.js";

const BACKSLASH = 0x5c;
/** Models of one batch whose prices are looked at. */
const MODELS_MAX = 16;
const VALUE_CHARS = 160;
const NUMBER = /^\s*:\s*(\d{1,9})\s*[,}]/;
const NAME = /^\s*:\s*"([^"\\]{1,128})"/;
const OBJECT = /^\s*:\s*\{/;

/** The worst case of a call, to be reserved before it is made; of one that makes a batch, that of the batch. */
export function worstCase({
  context: { sink, router },
  plan,
  match,
  head,
  principal,
}: {
  readonly context: { readonly sink: CallSink; readonly router: Router };
  readonly plan: CallPlan;
  readonly match: Match;
  readonly head: RequestHead;
  readonly principal: Principal;
}): Estimate {
  const form = match.endpoint.batch;
  if (form === undefined) {
    const { body, bodyHead, route } = plan;
    return estimateOf(sink, { body, bodyHead, targets: route.targets }, { match, head });
  }
  return estimateOfBatch({ sink, router, principal, plan, form });
}

interface Parts {
  readonly sink: CallSink;
  readonly router: Router;
  readonly principal: Principal;
  readonly plan: CallPlan;
  readonly form: BatchForm;
}

/**
 * What a batch may use at most whose requests stand in its body, at the price of the dearest model in it; nothing of one
 * that works off a file, of which `batch-file` knows more. It looks for members by their names alone, since a batch may hold a hundred thousand requests:
 * inside of texts such names have their quotes escaped.
 */
function estimateOfBatch(parts: Parts): Estimate {
  const { plan, form } = parts;
  const { body } = plan;
  const { request, bounds } = form.estimated;
  let requests = 0;
  eachMember(body, request, (rest) => {
    if (OBJECT.test(rest)) requests++;
  });
  if (form.list === undefined || requests === 0) return NOTHING_RESERVED;
  let bounded = 0;
  let bound = 0;
  for (const name of bounds) {
    eachMember(body, name, (rest) => {
      const found = NUMBER.exec(rest)?.[1];
      if (found === undefined) return;
      bounded++;
      bound += Number(found);
    });
  }
  const input = Math.min(Math.ceil(body.length / BYTES_PER_TOKEN), requests * INPUT_TOKENS_MAX);
  const open = form.makesText ? Math.max(0, requests - bounded) : 0;
  const made = form.makesText ? bound : 0;
  let maxOutputTokens = 0;
  let costMicros = 0;
  for (const { price, maxOutput } of targetsOf(parts)) {
    const output = made + open * (maxOutput ?? OUTPUT_TOKENS_DEFAULT);
    // Prices of long inputs are those of single requests.
    const perRequest = price === null ? null : { ...batchPrice(price), longContextFrom: null };
    const cost = parts.sink.cost({ price: perRequest }, { ...NO_TOKENS, input, output });
    maxOutputTokens = Math.max(maxOutputTokens, output);
    costMicros = Math.max(costMicros, cost ?? 0);
  }
  return { inputTokens: input, maxOutputTokens, costMicros, isLater: true };
}

const UNKNOWN = [{ price: null, maxOutput: null }] as const;

/** The model of the path, or else those that the requests name. */
function targetsOf({
  plan,
  form,
  router,
  principal,
}: Parts): readonly Pick<RouteTarget, "price" | "maxOutput">[] {
  if (form.model !== undefined) return plan.route.targets;
  const names = new Set<string>();
  eachMember(plan.body, "model", (rest) => {
    const name = NAME.exec(rest)?.[1];
    if (name !== undefined && names.size < MODELS_MAX) names.add(name);
  });
  const targets = [...names].flatMap((name) => {
    try {
      return router.resolve(name, principal).targets;
    } catch (thrown) {
      // It is the provider's to say what it does not serve.
      if (toFault(thrown).code === "model_not_found") return [];
      throw thrown;
    }
  });
  return targets.length === 0 ? UNKNOWN : targets;
}

/** Tells what follows each member of a name, wherever it is. */
function eachMember(body: Buffer, name: string, take: (rest: string) => void): void {
  const key = Buffer.from(`"${name}"`);
  let at = body.indexOf(key);
  while (at >= 0) {
    const from = at + key.length;
    if (body[at - 1] !== BACKSLASH) take(latin1(body, from, from + VALUE_CHARS));
    at = body.indexOf(key, from);
  }
}
