import type { Lease } from "../../core/lease.js";
import { namesTools } from "../../dialect/translate/disliked-members.js";
import { mayBringThoughts } from "../../dialect/translate/foreign-thoughts.js";
import type { Dislike } from "../../dialect/translate/side.js";
import type { AdmittedCall } from "../admitted-call.js";
import type { AttemptFailure } from "./attempt-failure.js";
import type { CallPlan } from "../route/call-plan.js";
import type { Passage } from "../route/passages.js";
import type { RoundTripOptions } from "./round-trip-options.js";
import {
  dislikeIn,
  isOtherModel,
  mayNotKnow,
  refusesSummaries,
  refusesThoughts,
  refusesUsage,
} from "./ways-of-asking.js";

const NONE: readonly Dislike[] = [];
/** Ways of asking that one key may refuse. */
const OTHERWISE_MAX = 3;

/** In which way one provider key is asked for a call. It changes where the provider does not take an option, or the form. */
export class OtherWays {
  readonly #call: AdmittedCall;
  readonly #lease: Lease;
  /** How often the key was asked in another way. */
  #times = 0;
  /** The provider spoke of the option that asks for usage, and is asked without it. */
  isWithoutUsage = false;
  /** The Responses API does not know what the request is made of, or cannot be told. */
  #isInChat = false;
  /** What the model has shown it does not take. */
  #dislikes = NONE;

  constructor(call: AdmittedCall, lease: Lease) {
    this.#call = call;
    this.#lease = lease;
  }

  /** The passage to the key's target, as far as is known by now in which way it wants to be asked. */
  passageFor(plan: CallPlan): Passage {
    const { context, match } = this.#call;
    const { passages } = context;
    const { endpoint } = match;
    const { target } = this.#lease;
    const { streamed } = plan;
    const passage = this.#isInChat
      ? passages.inForm("CHAT", endpoint, target, streamed)
      : passages.to(endpoint, target, streamed, this.#bends(plan));
    if (passage === undefined) throw new Error("a target was leased that cannot serve the call");
    return passage;
  }

  /** The caller named another model, and has tools that this one does not take everywhere. */
  #bends({ body }: CallPlan): boolean {
    if (!this.#call.context.passages.areToolsWithoutThought(this.#lease.target)) return false;
    return this.#isOther && namesTools(body);
  }

  get #isOther(): boolean {
    return isOtherModel(this.#call.book.modelAsked, this.#lease.target);
  }

  /**
   * Learns from a refusal. Answers what to go on with, asked in the way that is known by now; undefined if the key would not
   * serve the call in any.
   */
  learn(options: RoundTripOptions, failure: AttemptFailure, plan: CallPlan): CallPlan | undefined {
    if (this.#times >= OTHERWISE_MAX) return undefined;
    this.#times++;
    const { passage, usageAsked } = options;
    if (usageAsked && refusesUsage(failure)) {
      this.isWithoutUsage = true;
      return { ...plan, mayAskUsage: false };
    }
    if (refusesSummaries(passage, failure)) {
      this.#call.context.summaryOption.refusedBy(this.#lease.target.provider);
      return plan;
    }
    if (refusesBrought(plan, passage, failure)) return { ...plan, isThoughtless: true };
    if (this.#mayBeSaidInChat(passage, failure, plan)) {
      this.#isInChat = true;
      return plan;
    }
    const learns = this.#learnsDislike(passage, failure) || this.#learnsForm(options, failure);
    return learns ? plan : undefined;
  }

  /** A chat that went to the Responses API for its tools may be said as it is where it cannot be said there. */
  mayBeSaidAsIs({ form }: Passage): boolean {
    const { context, match } = this.#call;
    if (match.endpoint.form !== "CHAT" || form !== "RESPONSES") return false;
    this.#isInChat = context.passages.areToolsWithoutThought(this.#lease.target);
    return this.#isInChat;
  }

  #mayBeSaidInChat(
    passage: Passage,
    failure: AttemptFailure,
    { body, bodyHead }: CallPlan,
  ): boolean {
    if (!this.#call.match.endpoint.translates) return false;
    // What goes on from a response that the provider keeps can be asked there alone.
    if (bodyHead.from !== "") return false;
    return mayNotKnow(passage, this.#lease.target, failure, body);
  }

  /** The model has refused what can be left out, and the request is not known to have done so. */
  #learnsDislike(passage: Passage, failure: AttemptFailure): boolean {
    const dislike = dislikeIn(passage, failure, this.#isOther);
    if (dislike === undefined || this.#dislikes.includes(dislike)) return false;
    const { context, principal } = this.#call;
    context.passages.addDislike(this.#lease.target, dislike, principal);
    this.#dislikes = [...this.#dislikes, dislike];
    return true;
  }

  #learnsForm({ endpoint, passage }: RoundTripOptions, failure: AttemptFailure): boolean {
    const { context, principal: holder } = this.#call;
    const lesson = { asked: passage.form, failure, holder, isOther: this.#isOther };
    return context.passages.learn(endpoint, this.#lease.target, lesson);
  }
}

/** The thoughts in the request cannot be read by the account, or are refused by the provider. */
function refusesBrought(plan: CallPlan, passage: Passage, failure: AttemptFailure): boolean {
  if (plan.isThoughtless || !refusesThoughts(passage, failure)) return false;
  return mayBringThoughts(plan.body, passage.form);
}
