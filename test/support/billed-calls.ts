import fc from "fast-check";
import type { Dialect } from "../../server/core/provider.js";
import {
  type Bill,
  type BilledForm,
  type BillWay,
  streamPieces,
  wholeReply,
} from "./provider-bill.js";
import { replyEvents, replyJson, type Script } from "./upstream-stub.js";

const GENERATE = "/v1beta/models/{model}:generateContent";
const PATHS = ["/v1/chat/completions", "/v1/responses", "/v1/messages", GENERATE] as const;

const some = fc.oneof(fc.constant(0), fc.nat(3000));
const bills: fc.Arbitrary<Bill> = fc.record({
  fresh: fc.integer({ min: 1, max: 5000 }),
  read: some,
  written: some,
  writtenLong: some,
  said: fc.integer({ min: 1, max: 2000 }),
  thought: some,
  audioIn: some,
  audioRead: some,
  audioOut: some,
  imageIn: some,
  imageOut: some,
  tier: fc.constantFrom("ORDINARY", "FLEX", "PRIORITY", "FAST"),
  searches: fc.oneof(fc.constant(0), fc.nat(5)),
  compactedIn: some,
  compactedOut: some,
});
const ways: fc.Arbitrary<BillWay> = fc.record({
  tierAt: fc.constantFrom("NOWHERE", "FIRST", "BEFORE", "BEHIND"),
  decoy: fc.constantFrom("default", "flex", "priority", "scale"),
  end: fc.constantFrom("OUTPUT", "ALL", "NULLS"),
  tellsBefore: fc.boolean(),
  hidesThoughts: fc.boolean(),
  pieces: fc.integer({ min: 1, max: 12 }),
});
/** Calls in all dialects of a provider in any, and what the provider bills for them. */
export const billedCalls = fc.record({
  dialect: fc.constantFrom<Dialect>("OPENAI", "ANTHROPIC", "GEMINI"),
  path: fc.constantFrom(...PATHS),
  streamed: fc.boolean(),
  asked: fc.boolean(),
  bill: bills,
  way: ways,
});

export type BilledCall = typeof billedCalls extends fc.Arbitrary<infer T> ? T : never;

/** A tier that is not told has nothing to be found in; one before all else is looked for only where it was asked for. */
export function told({ dialect, path, streamed, asked, bill, way }: BilledCall): Bill {
  const isChat = dialect === "OPENAI" && path !== "/v1/responses";
  if (!isChat || way.tierAt === "BEFORE" || way.tierAt === "BEHIND") return bill;
  const isFound = way.tierAt === "FIRST" && (streamed || (asked && path.endsWith("completions")));
  return isFound ? bill : { ...bill, tier: "ORDINARY" };
}

/** How a request asks for a tier. */
const ASKING = {
  "/v1/chat/completions": { service_tier: "priority" },
  "/v1/responses": { service_tier: "flex" },
  "/v1/messages": { speed: "fast" },
  "/v1beta/models/{model}:generateContent": { serviceTier: "priority" },
};

/** Where a call goes that asks for a model. */
export function pathOf({ path, streamed }: BilledCall, model: string): string {
  const whole = path.replace("{model}", model);
  return streamed ? whole.replace(":generateContent", ":streamGenerateContent?alt=sse") : whole;
}

export function requestOf({ path, streamed: stream, asked }: BilledCall, model: string): object {
  const messages = [{ role: "user", content: "hi" }];
  const tier = asked ? ASKING[path] : {};
  switch (path) {
    case "/v1/responses":
      return { model, input: "hi", store: false, stream, ...tier };
    case "/v1/messages":
      return { model, messages, max_tokens: 9, stream, ...tier };
    case GENERATE:
      return { contents: [{ role: "user", parts: [{ text: "hi" }] }], ...tier };
    default:
      return { model, messages, stream, ...tier };
  }
}

/** A provider's answer to a call. */
export function replyTo({ streamed, way }: BilledCall, form: BilledForm, bill: Bill): Script {
  return streamed
    ? replyEvents(streamPieces(form, bill, way))
    : replyJson(200, wholeReply(form, bill, way));
}
