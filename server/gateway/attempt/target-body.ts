import { hash } from "node:crypto";
import type { RouteTarget } from "../../core/provider.js";
import type { StreamForm } from "../../dialect/codec.js";
import { NAMED } from "../../dialect/kept-ids.js";
import type { ItemMemory } from "../../dialect/translate/kept-response.js";
import {
  changedRequest,
  mayHaveToChange,
  type OwnRequest,
} from "../../dialect/translate/own-request.js";
import type { CallInput, TranslatedRequest } from "../../dialect/translate/request-translation.js";
import type { Target } from "../../dialect/translate/side.js";
import {
  LONG_BYTES_MIN,
  type LongRequest,
  type TranslationListener,
} from "../../dialect/translate/thread/long-translations.js";
import { reshaped, type Reshaping } from "../../dialect/translate/thread/works.js";
import { type WayBack, wayBack } from "../../dialect/translate/translator.js";
import type { AdmittedCall } from "../admitted-call.js";
import type { CallPlan } from "../route/call-plan.js";
import { renameInside, replaceModel, withUsageAsked } from "../request/edit-body.js";
import type { Endpoint } from "../route/endpoints.js";
import { NamedMemory, NamedRoom, NamesMuch } from "../request/named-room.js";
import type { Passage } from "../route/passages.js";
import { isOtherModel } from "./ways-of-asking.js";

/** The body for one target: the caller's own bytes, but for what must differ, or their translation. */
export interface TargetBody {
  readonly bytes: Buffer;
  /** The stream's usage was asked for by us, so the caller must not see it. */
  readonly usageAsked: boolean;
  /** The way back; undefined where nothing is translated. */
  readonly translation: WayBack | undefined;
}

/** A body that is made elsewhere, because to make it at once would hold others up. */
export interface LaterBody {
  /** Answers how to give it up; the listener then hears nothing. */
  begin(listener: BodyListener): () => void;
}

/** Hears of a body that is made elsewhere: one of both, in a later turn of the event loop. */
export interface BodyListener {
  onBody(body: TargetBody): void;
  /** As `bodyFor` throws it. */
  onNone(thrown: unknown): void;
}

/** Makes the body for a target. Throws Fault `untranslatable` with the name of what cannot be said there. */
export function bodyFor(
  call: AdmittedCall,
  plan: CallPlan,
  target: RouteTarget,
  passage: Passage,
): TargetBody | LaterBody {
  const made = bodyInWords(call, plan, target, passage);
  if (!plan.isThoughtless) return made;
  const { form } = passage;
  return "begin" in made ? thoughtlessLater(call, made, form) : thoughtless(call, made, form);
}

/** A body whose thoughts are left out: at once of a short one. */
function thoughtless(
  call: AdmittedCall,
  made: TargetBody,
  form: StreamForm,
): TargetBody | LaterBody {
  const asked: Reshaping = { to: "THOUGHTLESS", form, body: made.bytes };
  const without = (bytes = made.bytes): TargetBody => ({ ...made, bytes });
  if (made.bytes.length < LONG_BYTES_MIN) return without(reshaped(asked));
  const { context, principal } = call;
  return madeLater((told) => context.longTranslations.reshape(principal, asked, told), without);
}

/** The same of one that is made elsewhere. */
function thoughtlessLater(call: AdmittedCall, made: LaterBody, form: StreamForm): LaterBody {
  return {
    begin: (listener) => {
      let leave = made.begin({
        onBody: (body) => {
          const next = thoughtless(call, body, form);
          if ("begin" in next) leave = next.begin(listener);
          else listener.onBody(next);
        },
        onNone: (thrown) => {
          listener.onNone(thrown);
        },
      });
      return () => {
        leave();
      };
    },
  };
}

/** In the words of the provider. */
function bodyInWords(
  call: AdmittedCall,
  plan: CallPlan,
  target: RouteTarget,
  passage: Passage,
): TargetBody | LaterBody {
  const { translator } = passage;
  if (translator === undefined) return ownBody(call, plan, target);
  const asked = askedOf(call, plan, target);
  const usageAsked = asked.asksUsage && plan.streamed && passage.form === "CHAT";
  const { forms } = translator;
  const atOnce = (bytesAtOnce: number): TargetBody => {
    const input = inputOf(call, plan, bytesAtOnce);
    const { body: bytes, ...translation } = translator.request(plan.body, asked, input);
    return { bytes, usageAsked, translation };
  };
  // What has none names nothing that is kept.
  if (forms === undefined) return atOnce(Infinity);
  const made = unlessLong(plan.body, atOnce);
  if (made !== undefined) return made;
  const request = { forms, body: plan.body, target: asked, call: inputOf(call, plan, Infinity) };
  return translatedLater(call, request, usageAsked);
}

/** What is made at once; undefined where that would hold others up, for the request is long or what it names. */
function unlessLong<T>(body: Buffer, make: (bytesAtOnce: number) => T): T | undefined {
  if (body.length >= LONG_BYTES_MIN) return undefined;
  try {
    return make(LONG_BYTES_MIN);
  } catch (thrown) {
    if (thrown instanceof NamesMuch) return undefined;
    throw thrown;
  }
}

function translatedLater(
  { context, principal }: AdmittedCall,
  request: LongRequest,
  usageAsked: boolean,
): LaterBody {
  const { forms, call } = request;
  return madeLater<TranslatedRequest>(
    (told) => context.longTranslations.request(principal, request, told),
    ({ body: bytes, learnt }) => ({ bytes, usageAsked, translation: wayBack(forms, call, learnt) }),
  );
}

function ownLater(
  { context, principal }: AdmittedCall,
  request: OwnRequest,
  usageAsked: boolean,
): LaterBody {
  return madeLater<Buffer>(
    (told) => context.longTranslations.own(principal, request, told),
    (bytes) => ({ bytes, usageAsked, translation: undefined }),
  );
}

/** A body that is put together of what a thread makes; `begin` has that made and answers how to give it up. */
function madeLater<T>(
  begin: (told: TranslationListener<T>) => () => void,
  bodyOf: (made: T) => TargetBody,
): LaterBody {
  return {
    begin: (listener) =>
      begin({
        onTranslated: (made) => {
          listener.onBody(bodyOf(made));
        },
        onFailed: (thrown) => {
          listener.onNone(thrown);
        },
      }),
  };
}

/** What a translator wants to know of the target. */
function askedOf({ context }: AdmittedCall, plan: CallPlan, target: RouteTarget): Target {
  const { usageOption, summaryOption, passages } = context;
  return {
    model: target.upstreamModel,
    maxOutput: target.maxOutput,
    providerSlug: target.provider.slug,
    asksUsage: plan.mayAskUsage && usageOption.asks(target.provider),
    session: sessionOf(plan),
    hidesThoughts: !summaryOption.asks(target.provider),
    toolsWithoutThought: passages.areToolsWithoutThought(target),
    dislikes: passages.dislikesOf(target),
  };
}

/** For providers, who learn nothing of callers by it. The id of the response before is another with each turn. */
function sessionOf({ affinity, bodyHead }: CallPlan): string | undefined {
  const { from } = bodyHead;
  if (affinity === "" || (from !== "" && affinity.endsWith(from))) return undefined;
  return hash("sha256", affinity, "base64url");
}

/** The caller's own bytes, edited where they have to be. */
function ownBody(call: AdmittedCall, plan: CallPlan, target: RouteTarget): TargetBody | LaterBody {
  const { endpoint } = call.match;
  const { usageOption, passages } = call.context;
  const asksUsage = plan.mayAskUsage && usageOption.asks(target.provider);
  const { bodyHead } = plan;
  let bytes = plan.body;
  if (target.upstreamModel !== plan.modelAsked) {
    if (bodyHead.modelSpan !== undefined) {
      bytes = replaceModel(bytes, bodyHead, target.upstreamModel);
    } else if (endpoint.model === "PATH" && endpoint.form === "OTHER") {
      bytes = renameInside(bytes, plan.modelAsked, target.upstreamModel);
    }
  }
  const usageAsked = asksUsage && endpoint.asksUsage && plan.streamed && !bodyHead.usageWanted;
  if (usageAsked) bytes = withUsageAsked(bytes, bodyHead, plan.body.length);
  const asIs = {
    body: bytes,
    form: requestForm(endpoint),
    dislikes: passages.dislikesOf(target),
    isOther: isOtherModel(plan.modelAsked, target),
    toolsWithoutThought: passages.areToolsWithoutThought(target),
  };
  if (!mayHaveToChange(asIs)) return { bytes, usageAsked, translation: undefined };
  const changed = unlessLong(bytes, (bytesAtOnce) =>
    changedRequest({ ...asIs, memory: memoryOf(call, bytesAtOnce) }),
  );
  if (changed !== undefined) return { bytes: changed, usageAsked, translation: undefined };
  return ownLater(call, { ...asIs, memory: memoryOf(call, Infinity) }, usageAsked);
}

/** What only counts tokens, or compacts, is asked as what would be made of them. */
function requestForm({ names, form }: Endpoint): StreamForm {
  if (names === NAMED.responses) return "RESPONSES";
  return names === NAMED.messages ? "MESSAGES" : form;
}

/** What a translator wants to know of a call besides its body. */
function inputOf(
  call: AdmittedCall,
  { streamed, modelAsked }: CallPlan,
  bytesAtOnce: number,
): CallInput {
  const { context, id, match, query } = call;
  const nowSeconds = Math.floor(context.clock.now() / 1000);
  return {
    id,
    nowSeconds,
    streamed,
    modelAsked,
    asArray: asArray(match.endpoint, query),
    memory: memoryOf(call, bytesAtOnce),
  };
}

function memoryOf(call: AdmittedCall, bytesAtOnce: number): ItemMemory | undefined {
  const { context, match, principal, book } = call;
  if (match.endpoint.names !== NAMED.responses) return undefined;
  const { bodyRoom, limits, responses } = context;
  book.named ??= new NamedRoom(bodyRoom, principal, limits.bodyBytesMax);
  return new NamedMemory(responses.of(principal), book.named, bytesAtOnce);
}

/** Gemini's callers get a stream as one JSON array unless they ask for events. */
export function asArray(endpoint: Endpoint, query: string): boolean {
  if (endpoint.form !== "GENERATE" || endpoint.streams !== "ALWAYS") return false;
  return new URLSearchParams(query).get("alt") !== "sse";
}
