import { assert } from "../../core/assert.js";
import { batchPrice } from "../../core/batch.js";
import { type Estimate, NOTHING_RESERVED } from "../../core/call.js";
import { Fault, toFault } from "../../core/fault.js";
import type { Principal } from "../../core/client-key.js";
import type { Route } from "../../core/provider.js";
import { scanObject } from "../../dialect/json-scan.js";
import { readString } from "../../dialect/json-span.js";
import { soughtBy } from "../../dialect/batch-list.js";
import { WantedMembers } from "../../dialect/wanted-members.js";
import { headOfJson } from "../request/body-head.js";
import type { CallPlan } from "../route/call-plan.js";
import type { GatewayContext } from "../context.js";
import { estimateOf } from "../estimate/estimate.js";
import { matchEndpoint, type Match } from "../route/match.js";

/** Models of one file whose routes are looked up once; of others each time. */
const ROUTES_MAX = 64;
const LINE = new WantedMembers(["url", "body"]);
const AS_JSON = { contentType: "application/json" };

interface Parts {
  readonly context: Pick<GatewayContext, "sink" | "router" | "batches" | "homes" | "limiter">;
  readonly plan: CallPlan;
  readonly match: Match;
  readonly principal: Principal;
}

/** The uploaded file that says what a batch may use, where a budget has to know; empty where none does. */
export function fileToRead({ context, plan, match, principal }: Parts): string {
  const { batch, dialect } = match.endpoint;
  if (batch === undefined || batch.list !== undefined) return "";
  return context.limiter.hasBudget(principal) ? soughtBy(dialect, plan.body).inputFile : "";
}

/**
 * What a batch may use at most that works off an uploaded file: all that its lines ask for, each as if it were a call, at
 * the price of batches. Nothing where the file does not come. Throws Fault `invalid_argument` for a line that cannot be
 * read here, for it may be read there.
 */
export async function estimateOfFile(parts: Parts, fileId: string): Promise<Estimate> {
  const { context, plan, principal } = parts;
  let inputTokens = 0;
  let maxOutputTokens = 0;
  let costMicros = 0;
  let lines = 0;
  let refusal: Fault | undefined;
  const routes = new Map<string, Route["targets"]>();
  const home = context.homes.of(principal, fileId);
  const isWhole = await context.batches.readFile(
    { fileId, home, principal, providerIds: plan.route.targets.map(({ provider }) => provider.id) },
    (line) => {
      lines++;
      if (refusal !== undefined) return;
      try {
        const one = estimateOfLine(parts, routes, line);
        inputTokens += one.inputTokens;
        maxOutputTokens += one.maxOutputTokens;
        costMicros += one.costMicros;
      } catch (thrown) {
        refusal = unreadable(lines, toFault(thrown).publicMessage);
      }
    },
  );
  if (refusal !== undefined) throw refusal;
  if (!isWhole) return NOTHING_RESERVED;
  const remedy = "ask for less in the file, with a bound for the output of each line";
  return { inputTokens, maxOutputTokens, costMicros, remedy, isLater: true };
}

function estimateOfLine(
  parts: Parts,
  routes: Map<string, Route["targets"]>,
  line: Buffer,
): Estimate {
  const [url, span] = scanObject(line, LINE);
  // It is the provider's to say what it does not take.
  if (span === undefined) return NOTHING_RESERVED;
  const match = matchOf(readString(line, url) ?? "");
  const body = line.subarray(span.start, span.end);
  const bodyHead = headOfJson(body, "OPENAI");
  const model = bodyHead.model ?? match.endpoint.modelDefault ?? "";
  const targets = routes.get(model) ?? targetsOf(parts, model);
  if (routes.size < ROUTES_MAX) routes.set(model, targets);
  return estimateOf(parts.context.sink, { body, bodyHead, targets }, { match, head: AS_JSON });
}

const CHAT_PATH = "/v1/chat/completions";

/** What is unknown here, or costs nothing, may be known there: each line then counts as a chat completion. */
function matchOf(url: string): Match {
  const given = endpointAt(url);
  const isPaid = given !== undefined && given.endpoint.tokens !== "NONE";
  const match = isPaid || given?.endpoint.makes !== undefined ? given : endpointAt(CHAT_PATH);
  assert(match !== undefined, "chat completions are an endpoint");
  return match;
}

function endpointAt(url: string): Match | undefined {
  try {
    const match = matchEndpoint("POST", url, "OPENAI");
    return "endpoint" in match ? match : undefined;
  } catch {
    return undefined;
  }
}

function unreadable(line: number, why: string): Fault {
  return new Fault(
    "invalid_argument",
    `Where a budget holds, all lines of a batch's file have to be read, and line ${String(line)} cannot be: ${why}`,
  );
}

/**
 * At the price of batches. Of a model that nobody is known to serve it is the provider's to say whether it does, and what
 * is not known of it is nowhere.
 */
function targetsOf({ context, plan, principal }: Parts, model: string): Route["targets"] {
  try {
    const { targets } = context.router.resolve(model, principal);
    return targets.map((target) => ({
      ...target,
      price: target.price === null ? null : batchPrice(target.price),
    }));
  } catch (thrown) {
    if (toFault(thrown).code !== "model_not_found") throw thrown;
    return plan.route.targets.map((target) => ({ ...target, price: null, maxOutput: null }));
  }
}
