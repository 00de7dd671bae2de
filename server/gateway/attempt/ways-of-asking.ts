import type { Provider, RouteTarget } from "../../core/provider.js";
import type { StreamForm } from "../../dialect/codec.js";
import { isOpenai } from "../../dialect/translate/models.js";
import type { Dislike } from "../../dialect/translate/side.js";
import { Addresses } from "../route/addresses.js";
import type { AttemptFailure } from "./attempt-failure.js";
import { isResponsesAdvised, type Passage } from "../route/passages.js";
import type { RoundTripOptions } from "./round-trip-options.js";

/** An option that is added to requests here, and the providers that were found not to take it. */
export class AddedOption {
  readonly #needed: (provider: Provider) => boolean;
  readonly #refused = new Addresses();

  /** @param needed false for providers that do the same unasked. */
  constructor(needed: (provider: Provider) => boolean = () => true) {
    this.#needed = needed;
  }

  asks(provider: Provider): boolean {
    return !this.#refused.has(provider) && this.#needed(provider);
  }

  /** The provider has shown that it does not take the option. Until the next start it is not asked again at its address. */
  refusedBy(provider: Provider): void {
    this.#refused.add(provider);
  }
}

/**
 * OpenRouter tells the usage of every stream, whatever is asked: its callers build on that, so nothing is taken out of
 * its streams as having come only because it was asked for here.
 */
export function needsToBeAskedForUsage({ baseUrl }: Pick<Provider, "baseUrl">): boolean {
  return !baseUrl.startsWith("https://openrouter.ai/");
}

/** The provider may not know the option that asks for a stream's usage; what it quotes may be a caller's. */
export function refusesUsage(failure: AttemptFailure): boolean {
  return says(failure, /stream_options|include_usage/);
}

/** In OpenAI's own words alone: what a refusal quotes may come from a caller. */
const UNVERIFIED =
  /^(?:HTTP 400|error inside a reply): [^"'`“‘]{0,80}verified to generate reasoning summar/i;

/** Who is not verified with OpenAI gets no summaries of thoughts, nor any reply if they are asked for. */
export function refusesSummaries(
  { translator, form }: { readonly translator: Passage["translator"]; readonly form: StreamForm },
  failure: AttemptFailure,
): boolean {
  return translator !== undefined && form === "RESPONSES" && UNVERIFIED.test(failure.detail);
}

const SAID = "^(?:HTTP 400|error inside a reply): ";

/** In which words providers say it: their own, for what a refusal quotes may come from a caller. */
const DISLIKES: readonly (readonly [Dislike, RegExp])[] = [
  // OpenAI's reasoning models under any name, Moonshot's, and Claude where others speak for it.
  [
    "SAMPLING",
    new RegExp(
      `${SAID}(?:unsupported (?:value|parameter): '(?:temperature|top_p|presence_penalty|frequency_penalty)'|invalid temperature: only |[^"'“‘]{0,40}\`(?:temperature|top_p)\` is deprecated )`,
      "i",
    ),
  ],
  ["STOP", new RegExp(`${SAID}unsupported parameter: 'stop'`, "i")],
  ["OLDER_LIMIT", new RegExp(`${SAID}unsupported parameter: 'max_tokens'`, "i")],
  // DeepSeek's models and Moonshot's.
  [
    "MESSAGE_WITHOUT_THOUGHT",
    new RegExp(
      `${SAID}[^"'“‘]{0,80}(?:missing \`?reasoning_content|reasoning_content\`? (?:is missing|in the thinking mode must be passed back))`,
      "i",
    ),
  ],
];

/** So say the templates of Qwen's models, of which some servers quote a whole piece before. */
const LATER_SYSTEM_MESSAGE = /system message must be at the beginning/i;

/** What can be left out of a caller's own words where the model is another than the one that the caller named. */
const LEFT_OUT: ReadonlySet<Dislike> = new Set(["SAMPLING", "STOP"]);

/**
 * What the model refused of a request that need not be said, or can be said otherwise; undefined where it is something
 * else. Of their own words callers are told, unless they did not choose the model or nothing is lost by other ones.
 */
export function dislikeIn(
  { translator, form }: { readonly translator: Passage["translator"]; readonly form: StreamForm },
  { detail, httpStatus, reply }: AttemptFailure,
  isOther: boolean,
): Dislike | undefined {
  if (form !== "CHAT") return undefined;
  const isTranslated = translator !== undefined;
  const mayQuote = httpStatus === 400 || httpStatus === 500;
  if (isTranslated && mayQuote && LATER_SYSTEM_MESSAGE.test(reply?.body ?? detail))
    return "LATER_SYSTEM_MESSAGE";
  const dislike = DISLIKES.find(([, words]) => words.test(detail))?.[0];
  if (isTranslated || dislike === undefined || dislike === "OLDER_LIMIT") return dislike;
  return isOther && LEFT_OUT.has(dislike) ? dislike : undefined;
}

/** A target serves another model than its caller named, as an alias or a fallback does. */
export function isOtherModel(
  asked: string,
  { upstreamModel, provider }: Pick<RouteTarget, "upstreamModel" | "provider">,
): boolean {
  if (asked === upstreamModel) return false;
  const [named, model] = [asked.toLowerCase(), upstreamModel.toLowerCase()];
  return named !== model && named !== `${provider.slug}/${model}`;
}

/** Kinds of items and tools that OpenAI made for agents, and others with a Responses API may not know. */
const OF_AGENTS = [
  '"agent_message"',
  '"additional_tools"',
  '"namespace"',
  '"custom"',
  '"tool_search"',
].map((kind) => Buffer.from(kind));

/**
 * True where a provider may have refused a request only for what its Responses API does not know, which chat completions
 * can say. That is found out anew with each call: what one caller sends says nothing of how others are to be served.
 */
export function mayNotKnow(
  { translator, form }: { readonly translator: Passage["translator"]; readonly form: StreamForm },
  { provider }: RouteTarget,
  { httpStatus }: AttemptFailure,
  body: Buffer,
): boolean {
  if (translator !== undefined || form !== "RESPONSES" || isOpenai(provider.slug)) return false;
  return (
    (httpStatus === 400 || httpStatus === 422) && OF_AGENTS.some((kind) => body.includes(kind))
  );
}

/**
 * OpenAI reads the thoughts of its own account's models alone: an earlier call may have gone to a key of another. Many
 * who speak chat completions refuse any: callers bring back what another provider, or a translation, told them.
 */
export function refusesThoughts(
  { translator, form }: { readonly translator: Passage["translator"]; readonly form: StreamForm },
  failure: AttemptFailure,
): boolean {
  if (form === "RESPONSES") {
    return says(
      failure,
      /invalid_encrypted_content|encrypted content .{0,400}could not be verified/i,
    );
  }
  if (translator !== undefined || form !== "CHAT") return false;
  const { httpStatus, reply, detail } = failure;
  if (httpStatus !== 400 && httpStatus !== 422) return false;
  const said = reply?.body ?? detail;
  return NAMES_THOUGHTS.test(said) && !WANTS_THOUGHTS.test(said);
}

const NAMES_THOUGHTS = /reasoning_content|reasoning_details|extra_content/;
/** So say those whose models go on only where each message says what it thought. */
const WANTS_THOUGHTS = /missing|passed back/;

function says({ httpStatus, reply, detail }: AttemptFailure, words: RegExp): boolean {
  return httpStatus === 400 && words.test(reply?.body ?? detail);
}

/** The same key may serve the call where it is asked in another way than the one that was refused. */
export function mayAskOtherwise(options: RoundTripOptions, failure: AttemptFailure): boolean {
  const { passage, endpoint, usageAsked, call, lease } = options;
  const isOther = isOtherModel(call.book.modelAsked, lease.target);
  if (isResponsesAdvised(endpoint, passage.form, failure, isOther)) return true;
  if (refusesSummaries(passage, failure) || refusesThoughts(passage, failure)) return true;
  if (dislikeIn(passage, failure, isOther) !== undefined) return true;
  return usageAsked && refusesUsage(failure);
}
