import { isDashScope } from "../../catalog/base-url.js";
import type { Holder } from "../../core/client-key.js";
import { FairMap } from "../../core/fair-map.js";
import type { Dialect, RouteTarget } from "../../core/provider.js";
import { CODECS } from "../../dialect/codecs.js";
import {
  DASHSCOPE_IMAGES_PATH,
  DASHSCOPE_TASK_HEADERS,
  dashscopeImages,
} from "../../dialect/tasks/dashscope-images.js";
import type { DialectCodec, StreamForm } from "../../dialect/codec.js";
import {
  formOf,
  requestPath,
  type Translator,
  translatorFor,
} from "../../dialect/translate/translator.js";
import type { Dislike } from "../../dialect/translate/side.js";
import { Addresses, modelAt } from "./addresses.js";
import type { AttemptFailure } from "../attempt/attempt-failure.js";
import type { Endpoint } from "./endpoints.js";
import type { Match } from "./match.js";

/** How a call of one endpoint goes to a provider: in the caller's own words or translated. */
export interface Passage {
  /** Undefined where the caller's bytes go on as they are. */
  readonly translator: Translator | undefined;
  /** Of the language in which the provider answers. */
  readonly codec: DialectCodec;
  readonly form: StreamForm;
  /** At the provider; `{model}` and `{id}` stand for one segment each. */
  readonly path: string;
  /** Undefined where the caller's own goes on; empty for none. */
  readonly query: string | undefined;
  /** Header lines with what the provider wants to be told besides, each with its CR LF; empty for none. */
  readonly headers: string;
  /** The provider is asked on its OpenAI-compatible side, which wants the key as OpenAI does. */
  readonly compatible: boolean;
}

const IMAGES_PATH = "/v1/images/generations";

/** DashScope makes images as tasks, behind OpenAI's endpoint. */
const IMAGE_TASK: Passage = {
  translator: dashscopeImages,
  codec: CODECS.OPENAI,
  form: "OTHER",
  path: DASHSCOPE_IMAGES_PATH,
  query: "",
  headers: DASHSCOPE_TASK_HEADERS,
  compatible: false,
};

/** What a refusal may teach. */
interface Lesson {
  /** The form in which the call was asked. */
  readonly asked: StreamForm;
  readonly failure: AttemptFailure;
  /** Whose call it was. */
  readonly holder: Holder;
  /** The model is another than the caller named, who cannot know what it refuses. */
  readonly isOther: boolean;
}

/** A passage that was made already. */
interface Known {
  readonly dialect: Dialect;
  readonly form: StreamForm;
  readonly streamed: boolean;
  /** Undefined where there is none. */
  readonly passage: Passage | undefined;
}

/**
 * Models known to be served by OpenAI's Responses API alone, to call tools there alone, or to refuse something. Callers may
 * name any: of more, the user whose calls have found out most is the first to have some forgotten.
 */
const MODELS_MAX = 1_000;

/**
 * Finds the passage to each target, and remembers what providers have shown of themselves: many of the OpenAI dialect do
 * not have the Responses API, and some models have no other, or call tools there alone. Of each dialect many do not count.
 */
export class Passages {
  readonly #known = new Map<Endpoint, Known[]>();
  readonly #withCounts = new Addresses();
  readonly #withoutCounts = new Addresses();
  readonly #withResponses = new Addresses();
  readonly #withoutResponses = new Addresses();
  readonly #responsesOnly = new FairMap<true>(MODELS_MAX);
  readonly #toolsWithoutThought = new FairMap<true>(MODELS_MAX);
  readonly #dislikes = new FairMap<Set<Dislike>>(MODELS_MAX);

  /** Undefined where the target cannot serve the endpoint. `bends`: see `#formAt`. */
  to(
    endpoint: Endpoint,
    target: RouteTarget,
    streamed: boolean,
    bends = false,
  ): Passage | undefined {
    if (endpoint.path === IMAGES_PATH && isDashScope(target.provider.baseUrl)) return IMAGE_TASK;
    const form = endpoint.translates ? this.#formAt(endpoint, target, bends) : endpoint.form;
    return this.inForm(form, endpoint, target, streamed);
  }

  /** As above, in one form whatever is known of the target. */
  inForm(
    form: StreamForm,
    endpoint: Endpoint,
    { provider: { dialect } }: RouteTarget,
    streamed: boolean,
  ): Passage | undefined {
    let ofEndpoint = this.#known.get(endpoint);
    if (ofEndpoint === undefined) this.#known.set(endpoint, (ofEndpoint = []));
    for (const known of ofEndpoint) {
      const isSame = known.dialect === dialect && known.form === form;
      if (isSame && known.streamed === streamed) return known.passage;
    }
    const passage = passageOf(endpoint, dialect, form, streamed);
    ofEndpoint.push({ dialect, form, streamed, passage });
    return passage;
  }

  /**
   * Learns from a refusal that the target wants to be asked in another form than the holder's call was, `asked`; true if it
   * is by now, be it that another call found out first. What is learnt holds until the next start, at the same address.
   */
  learn(
    endpoint: Endpoint,
    target: RouteTarget,
    { asked, failure, holder, isOther }: Lesson,
  ): boolean {
    if (endpoint.counts && saysNoSuchPath(failure)) {
      const { provider } = target;
      if (!this.#withCounts.has(provider)) this.#withoutCounts.add(provider);
      return false;
    }
    if (!endpoint.translates || target.provider.dialect !== "OPENAI") return false;
    if (isResponsesAdvised(endpoint, asked, failure, isOther)) {
      const models = saysResponsesOnly(failure) ? this.#responsesOnly : this.#toolsWithoutThought;
      const isNew = !models.has(modelAt(target));
      models.set(holder, modelAt(target), true);
      // Where the Responses API is not there, the same form is asked without thoughts.
      if (isNew && models === this.#toolsWithoutThought) return true;
    } else if (asked === "RESPONSES" && saysNoSuchPath(failure)) {
      this.#responsesOnly.delete(modelAt(target));
      const { provider } = target;
      if (!this.#withResponses.has(provider)) this.#withoutResponses.add(provider);
    } else return false;
    return this.#formAt(endpoint, target, isOther) !== asked;
  }

  /** The model calls tools in chat completions only where it does not think; in the Responses API it does both. */
  areToolsWithoutThought(target: RouteTarget): boolean {
    const models = this.#toolsWithoutThought;
    return models.size > 0 && models.has(modelAt(target));
  }

  /** A model has refused to a holder's call what others take. */
  addDislike(target: RouteTarget, dislike: Dislike, holder: Holder): void {
    const model = modelAt(target);
    const known = this.#dislikes.get(model);
    if (known !== undefined) known.add(dislike);
    else this.#dislikes.set(holder, model, new Set([dislike]));
  }

  dislikesOf(target: RouteTarget): ReadonlySet<Dislike> | undefined {
    return this.#dislikes.size === 0 ? undefined : this.#dislikes.get(modelAt(target));
  }

  /** The provider has shown that it does not count the tokens of requests. */
  lacksCounts({ provider }: RouteTarget): boolean {
    return this.#withoutCounts.has(provider);
  }

  /** A call was served: what it proves of a provider, no refusal can take back. */
  prove(endpoint: Endpoint, passage: Passage, target: RouteTarget): void {
    if (endpoint.counts) this.#withCounts.add(target.provider);
    else if (passage.form === "RESPONSES") this.#withResponses.add(target.provider);
  }

  /**
   * The form in which a target is asked what the endpoint says. `bends`: a caller's own chat goes elsewhere, too, where its
   * model takes tools only there.
   */
  #formAt(endpoint: Endpoint, target: RouteTarget, bends: boolean): StreamForm {
    const { provider } = target;
    const own = endpoint.dialect === provider.dialect ? endpoint.form : formOf(provider.dialect);
    if (own !== "CHAT" && own !== "RESPONSES") return own;
    // The model's word weighs more: it came from a provider that named the path.
    if (this.#responsesOnly.size > 0 && this.#responsesOnly.has(modelAt(target)))
      return "RESPONSES";
    if (endpoint.form === "CHAT" && !bends) return own;
    if (this.#withoutResponses.has(provider)) return "CHAT";
    return this.areToolsWithoutThought(target) ? "RESPONSES" : own;
  }
}

/** In the provider's own words alone: what a refusal quotes may come from a caller. */
const RESPONSES_ONLY =
  /^(?:HTTP 40[04]|error inside a reply): [^"'`“‘]{0,80}only (?:supported|available) in \/?v1\/responses/i;

/** OpenAI's models since 5.2: tools beside an effort, and for some without one, are refused in chat completions. */
const TOOLS_ELSEWHERE =
  /^(?:HTTP 400|error inside a reply): function tools [^"'`“‘]{0,160}use \/?v1\/responses/i;

/**
 * True where the same key may serve the call in the Responses API. What callers of chat completions ask beside tools is
 * theirs to change, unless they named another model: their own words go on as they are.
 */
export function isResponsesAdvised(
  { form }: Endpoint,
  asked: StreamForm,
  failure: AttemptFailure,
  isOther: boolean,
): boolean {
  if (asked !== "CHAT") return false;
  const mayMove = form !== "CHAT" || isOther;
  return saysResponsesOnly(failure) || (mayMove && TOOLS_ELSEWHERE.test(failure.detail));
}

function saysResponsesOnly({ httpStatus, detail }: AttemptFailure): boolean {
  return (httpStatus === 400 || httpStatus === 404) && RESPONSES_ONLY.test(detail);
}

/** What a request may name by an id, and miss on a path that is there. */
const NAMES_A_THING =
  /\b(?:model|id|item|response|conversation|prompt|file|tool|container|skill|store|connector)\b/i;

/** OpenAI's words, and those of llama.cpp's server. */
const NO_SUCH_PATH = /[Ii]nvalid URL|^HTTP 404: File Not Found$/;

function saysNoSuchPath(failure: AttemptFailure): boolean {
  const { httpStatus, detail } = failure;
  if (httpStatus !== 404 && httpStatus !== 405) return false;
  return NO_SUCH_PATH.test(detail) || !NAMES_A_THING.test(detail);
}

/**
 * True where the provider does not have the API at all: as many without files, where neither a model nor a thing is asked
 * for, or as those that do not count tokens.
 */
export function lacksPath({ endpoint, id }: Match, failure: AttemptFailure): boolean {
  const namesNothing = endpoint.model === "NONE" && id === "";
  return (namesNothing || endpoint.counts) && saysNoSuchPath(failure);
}

function passageOf(
  endpoint: Endpoint,
  dialect: Dialect,
  form: StreamForm,
  streamed: boolean,
): Passage | undefined {
  const { geminiPath } = endpoint;
  if (dialect === endpoint.dialect && form === endpoint.form) {
    return asIs(endpoint, endpoint.path, false);
  }
  if (dialect === "GEMINI" && geminiPath !== undefined) return asIs(endpoint, geminiPath, true);
  if (!endpoint.translates || form === "OTHER" || endpoint.form === "OTHER") return undefined;
  const translator = translatorFor(endpoint.form, form);
  if (translator === undefined) return undefined;
  return {
    translator,
    codec: CODECS[dialect],
    form,
    ...requestPath(form, streamed),
    headers: "",
    compatible: false,
  };
}

function asIs(endpoint: Endpoint, path: string, compatible: boolean): Passage {
  const { dialect, form } = endpoint;
  return {
    translator: undefined,
    codec: CODECS[dialect],
    form,
    path,
    query: undefined,
    headers: "",
    compatible,
  };
}
