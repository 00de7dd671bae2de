import { detached } from "../core/bytes.js";
import {
  type Attempt as AttemptRecord,
  type AttemptOutcome,
  type BegunCall,
  type CallRecord,
  NO_TOKENS,
  NOTHING_RESERVED,
  type TokenUsage,
  type UsageSource,
} from "../core/call.js";
import type { Principal } from "../core/client-key.js";
import type { Fault } from "../core/fault.js";
import type { LaterUsage } from "../core/later-usage.js";
import type { Lease } from "../core/lease.js";
import type { StreamWatch } from "../dialect/codec.js";
import { responseId } from "../dialect/kept-ids.js";
import { textBytes } from "../dialect/text-share.js";
import type { AttemptFailure } from "./attempt-failure.js";
import type { GatewayContext } from "./context.js";
import type { Endpoint } from "./endpoints.js";
import { estimateTokens } from "./estimate.js";
import { HTTP_STATUS } from "./fault-status.js";
import { isUnfinished, restOf } from "./later-usage.js";
import { pricedMedia, type Shown, shownBy, usedMedia, withUntold } from "./media-used.js";
import type { Ticket } from "./ports.js";

const ERROR_MESSAGE_CHARS_MAX = 500;
const NO_LEASES: readonly Lease[] = [];
/** Failures of a key that what was asked of it may have caused. */
const DOUBTFUL: ReadonlySet<AttemptOutcome> = new Set([
  "RIGHT_REFUSED",
  "PROVIDER_ERROR",
  "UNREACHABLE",
  "TIMEOUT",
  "CUT",
]);

/** How a call ended. */
export interface Ending {
  readonly httpStatus: number;
  /** Undefined when it succeeded. */
  readonly fault: Fault | undefined;
  readonly tokens: TokenUsage;
  readonly usageSource: UsageSource;
  readonly responseBytes: number;
}

/** Tokens of a call and where their number comes from. */
export type Counted = Pick<Ending, "tokens" | "usageSource">;

/**
 * The part of a reply that has gone to the caller: tokens as the provider gave them by then, and bytes of text that may
 * not be among them.
 */
export interface ReplyPart {
  readonly given: TokenUsage | undefined;
  readonly textBytes: number;
}

/** A stream as its relay knows it. */
export interface CountedStream {
  readonly watch: StreamWatch;
  textBytes(): number;
}

export const NOT_COUNTED: Counted = { tokens: NO_TOKENS, usageSource: "NONE" };

/**
 * The books of one call: what is lent and reserved for it, its attempts, and its one record. Whatever way
 * the call ends, `close` gives everything back and makes the record, once.
 */
export class CallBook {
  readonly #context: GatewayContext;
  readonly #call: { id: string; endpoint: Endpoint; path: string; ip: string };
  readonly #startedAt: number;
  readonly #startedMs: number;
  #attempts: AttemptRecord[] = [];
  #lease: Lease | undefined;
  #leasedMs = 0;
  /** Leases of keys that failed this call in ways for which the call itself may be to blame. */
  #doubtful = NO_LEASES;
  /** The response of an earlier call whose usage this call was told. */
  #later: LaterUsage | undefined;
  /** Of the last attempt: what the call used counts against the quota of that key. */
  #lastLease: Lease | undefined;
  #closed = false;
  principal: Principal | undefined;
  ticket: Ticket | undefined;
  reserved = NOTHING_RESERVED;
  modelAsked = "";
  streamed = false;
  /** A provider has begun something that it may bill, and has not said that it came to nothing. */
  mayBeBilled = false;
  requestBytes = 0;
  firstByteMs: number | null = null;

  constructor(
    context: GatewayContext,
    call: { id: string; endpoint: Endpoint; path: string; ip: string },
  ) {
    this.#context = context;
    const { id, endpoint, path, ip } = call;
    // The path is a piece of the head's text, which the record would keep in memory.
    this.#call = {
      id,
      endpoint,
      path: path === endpoint.path ? endpoint.path : detached(path),
      ip,
    };
    this.#startedAt = context.clock.now();
    this.#startedMs = context.clock.monotonic();
  }

  get closed(): boolean {
    return this.#closed;
  }

  get attempts(): readonly AttemptRecord[] {
    return this.#attempts;
  }

  /** Milliseconds since the call began. */
  elapsedMs(): number {
    return this.#context.clock.monotonic() - this.#startedMs;
  }

  /** The first byte of the reply is on its way. */
  markFirstByte(): void {
    this.firstByteMs ??= this.elapsedMs();
  }

  /** A good reply has begun: whatever comes of the rest, its key works. */
  proveKey(): void {
    this.#lease?.proven();
  }

  /** What is known at admission. */
  begun(principal: Principal): BegunCall {
    const { id, endpoint, path, ip } = this.#call;
    return {
      id,
      startedAt: this.#startedAt,
      clientKeyId: principal.clientKey.id,
      clientKeyKind: principal.clientKey.kind,
      ownerId: principal.ownerId,
      modelAsked: this.modelAsked,
      endpoint: path,
      dialect: endpoint.dialect,
      streamed: this.streamed,
      ip,
      // A batch counts what was set aside for it itself, whatever becomes of the call that asks for it.
      reserved: endpoint.batch === undefined ? this.reserved : NOTHING_RESERVED,
    };
  }

  /** A provider key is lent to this call. */
  openLease(lease: Lease): void {
    this.#lastLease?.settle(null);
    this.#lease = lease;
    this.#lastLease = lease;
    this.#leasedMs = this.#context.clock.monotonic();
  }

  /** The attempt on the lent key is over; harmless if none is lent. */
  closeLease(
    result: Pick<AttemptFailure, "outcome" | "httpStatus" | "retryAfterMs" | "unsent" | "detail">,
  ): void {
    const lease = this.#lease;
    if (lease === undefined) return;
    this.#lease = undefined;
    const durationMs = this.#context.clock.monotonic() - this.#leasedMs;
    const attempt: AttemptRecord = {
      providerKeyId: lease.providerKey.id,
      providerId: lease.target.provider.id,
      startedMs: this.#leasedMs - this.#startedMs,
      durationMs,
      httpStatus: result.httpStatus,
      outcome: result.outcome,
      detail: result.detail,
    };
    // It is mostly the only one. A list that grows takes room for many, and records are kept for a while.
    if (this.#attempts.length === 0) this.#attempts = [attempt];
    else this.#attempts.push(attempt);
    lease.release({
      outcome: result.outcome,
      httpStatus: result.httpStatus,
      latencyMs: durationMs,
      retryAfterMs: result.retryAfterMs,
      unsent: result.unsent === true,
      detail: result.detail,
    });
    if (DOUBTFUL.has(result.outcome) && result.unsent !== true)
      this.#doubtful = [...this.#doubtful, lease];
    // Now that one key has served the call, the others of the same target are to blame for their failures.
    if (result.outcome !== "OK") return;
    for (const each of this.#doubtful) if (each.target === lease.target) each.outdone();
  }

  /** Tokens of a whole reply. `thing` is the id that was asked for; empty if none was. */
  countedReply(reply: Buffer, told: TokenUsage | undefined, thing: string): Counted {
    if (this.#call.endpoint.form === "RESPONSES") {
      if (thing === "" && told === undefined && isUnfinished(reply)) {
        this.awaitUsage(responseId(reply), NO_TOKENS);
        return NOT_COUNTED;
      }
      if (this.#awaitsUsage(thing) && !isUnfinished(reply)) this.takeLaterUsage(thing);
    }
    const saidBytes = told === undefined ? textBytes(reply) : 0;
    const { makes } = this.#call.endpoint;
    if (makes === undefined) return this.#counted(told, saidBytes);
    return this.#countedMedia(told, saidBytes, () => shownBy(makes, reply));
  }

  #awaitsUsage(id: string): boolean {
    return this.principal !== undefined && this.#context.laterUsages.has(this.principal, id);
  }

  /** Tokens of a stream that came to its end. */
  countedStream(stream: CountedStream): Counted {
    const { watch } = stream;
    const told = watch.usage();
    const saidBytes = told === undefined ? stream.textBytes() : 0;
    if (this.#call.endpoint.makes === undefined) return this.#counted(told, saidBytes);
    return this.#countedMedia(told, saidBytes, () => ({ lastsAtLeast: watch.spokenUntil?.() }));
  }

  /**
   * Tokens of a complete reply: the provider's own, or ours where it gives none, from the bytes that the model said.
   */
  #counted(told: TokenUsage | undefined, textBytes: number): Counted {
    const given = this.#ofThisCall(told);
    if (given !== undefined) return { tokens: given, usageSource: "PROVIDER" };
    const { endpoint } = this.#call;
    if (endpoint.tokens === "NONE") return NOT_COUNTED;
    const tokens = estimateTokens(endpoint, this.requestBytes, textBytes);
    return { tokens, usageSource: "ESTIMATED" };
  }

  /** As `#counted`, of what is made of something else than tokens, and of which the reply shows something. */
  #countedMedia(told: TokenUsage | undefined, textBytes: number, shown: () => Shown): Counted {
    const tokens = this.#media(told, () => {
      const { makes } = this.#call.endpoint;
      const reserved = this.#reservedTokens();
      return makes === undefined ? reserved : usedMedia(makes, reserved, shown(), textBytes);
    });
    if (told !== undefined) return { tokens, usageSource: "PROVIDER" };
    return isNothing(tokens) ? NOT_COUNTED : { tokens, usageSource: "ESTIMATED" };
  }

  /** What was told, or else what was used, as the model is priced. */
  #media(given: TokenUsage | undefined, used: () => TokenUsage): TokenUsage {
    const price = this.#lastLease?.target.price ?? null;
    return given === undefined ? pricedMedia(price, used()) : withUntold(given, price, used);
  }

  /** What was set aside, as what is used. */
  #reservedTokens(): TokenUsage {
    const { inputTokens: input, maxOutputTokens: output, parts } = this.reserved;
    return { ...NO_TOKENS, input, output, ...(parts === undefined ? {} : { parts }) };
  }

  /** Tokens of a reply of which a part has gone to the caller. */
  countedInPart(part: ReplyPart): Counted {
    const given = this.#ofThisCall(part.given);
    // What a part of a file or an image costs nobody says; mostly all of it has been made.
    if (this.#call.endpoint.makes !== undefined) {
      const tokens = this.#media(given, () => this.#reservedTokens());
      return { tokens, usageSource: "PARTIAL" };
    }
    const guess = estimateTokens(this.#call.endpoint, this.requestBytes, part.textBytes);
    // Providers tell the output tokens last. Before that, the estimate of what went by is the better number.
    const output = Math.max(given?.output ?? 0, guess.output);
    return { tokens: { ...(given ?? guess), output }, usageSource: "PARTIAL" };
  }

  /** Tokens of a call that did not come to its end. `part` is undefined when no byte of a reply has gone to the caller. */
  countedBroken(fault: Fault, part: ReplyPart | undefined): Counted {
    if (HTTP_STATUS[fault.code] === HTTP_STATUS.caller_aborted) return this.#countedAborted(part);
    return part === undefined ? NOT_COUNTED : this.countedInPart(part);
  }

  /**
   * Tokens of a call that its caller broke off: by the installation's policy what went by, what was reserved,
   * or nothing.
   */
  #countedAborted(part: ReplyPart | undefined): Counted {
    const policy = this.#context.abortedCalls();
    if (policy === "OBSERVED" && part !== undefined) {
      return this.countedInPart(part);
    }
    const isAsked = part !== undefined || this.#lease !== undefined;
    if (policy !== "RESERVED" || !isAsked) return NOT_COUNTED;
    const tokens = this.#media(undefined, () => this.#reservedTokens());
    return { tokens, usageSource: "ESTIMATED" };
  }

  /**
   * What of the usage in a reply is this call's. Where no model is asked, a reply may tell what an earlier call used,
   * and tells it again each time its response or batch is looked at. What was not counted yet counts once.
   */
  #ofThisCall(told: TokenUsage | undefined): TokenUsage | undefined {
    if (told === undefined || this.#call.endpoint.model !== "NONE") return told;
    return this.#later === undefined ? undefined : restOf(told, this.#later.counted);
  }

  /** A response goes on after its call has ended: the rest of what it uses will be told later. */
  awaitUsage(id: string, counted: TokenUsage): void {
    const { principal } = this;
    const { form, keeps, model } = this.#call.endpoint;
    const target = this.#lastLease?.target;
    const isCreated = form === "RESPONSES" && keeps !== "NOTHING" && model !== "NONE";
    if (!isCreated || principal === undefined || target === undefined) return;
    const { upstreamModel, price } = target;
    this.#context.laterUsages.note({
      ownerId: principal.ownerId,
      clientKeyId: principal.clientKey.id,
      responseId: id,
      target: { upstreamModel, price },
      counted,
    });
  }

  /** The call was told what a response used in all, which another call may have made. */
  takeLaterUsage(id: string): void {
    const { form, model } = this.#call.endpoint;
    if (form !== "RESPONSES" || model !== "NONE" || this.principal === undefined) return;
    this.#later = this.#context.laterUsages.take(this.principal, id);
  }

  /** Gives back and settles everything; answers the record that is to be written. Undefined for a call without a client key, and the second time. */
  close(given: Ending, upstreamStatus: number | null): CallRecord | undefined {
    if (this.#closed) return undefined;
    this.#closed = true;
    const { principal } = this;
    if (principal === undefined) {
      this.#context.sink.refused(given.fault?.code ?? "internal");
      return undefined;
    }
    const ending = this.mayBeBilled ? this.#withBegun(given) : given;
    const costMicros = this.#costOf(ending);
    const used = {
      tokens: ending.tokens.input + ending.tokens.output,
      costMicros: costMicros ?? 0,
    };
    try {
      this.closeLease({
        outcome: "OK",
        httpStatus: upstreamStatus,
        retryAfterMs: null,
        detail: "",
      });
      this.#lastLease?.settle(used);
    } catch (thrown) {
      this.#logBug(thrown);
    }
    const record = this.#record(ending, principal, costMicros);
    try {
      this.ticket?.settle(used, record);
    } catch (thrown) {
      this.#logBug(thrown);
    }
    return record;
  }

  /** What a provider has begun and not told the end of costs what was set aside for it. */
  #withBegun(ending: Ending): Ending {
    const isAborted = ending.httpStatus === HTTP_STATUS.caller_aborted;
    const isFree = isAborted && this.#context.abortedCalls() === "NOTHING";
    if (isFree || !isNothing(ending.tokens)) return ending;
    const tokens = this.#media(undefined, () => this.#reservedTokens());
    return { ...ending, tokens, usageSource: "ESTIMATED" };
  }

  /** What goes wrong with one part of a call's end must not keep the others from theirs: a limit would stay reserved. */
  #logBug(thrown: unknown): void {
    this.#context.logger.error({ call: this.#call.id, err: thrown }, "call not settled");
  }

  /** Null when it is not known, which is not the same as free. */
  #costOf({ fault, usageSource, tokens }: Ending): number | null {
    if (isNothing(tokens)) {
      const made = fault === undefined || usageSource === "PARTIAL";
      // Something was made, and the provider did not say how much.
      return made && this.#call.endpoint.billsUntold ? null : 0;
    }
    const target = this.#later?.target ?? this.#lastLease?.target;
    if (target === undefined) return null;
    try {
      return this.#context.sink.cost(target, tokens);
    } catch (thrown) {
      this.#logBug(thrown);
      return null;
    }
  }

  #modelServed(): string | null {
    const isAsked = this.#call.endpoint.model !== "NONE";
    const target = isAsked ? this.#lastLease?.target : this.#later?.target;
    return target?.upstreamModel ?? null;
  }

  #record(ending: Ending, principal: Principal, costMicros: number | null): CallRecord {
    const last = this.#attempts[this.#attempts.length - 1];
    const { fault } = ending;
    const { id, endpoint, path, ip } = this.#call;
    // Written out: spreading an object costs several microseconds here.
    return {
      id,
      startedAt: this.#startedAt,
      clientKeyId: principal.clientKey.id,
      clientKeyKind: principal.clientKey.kind,
      ownerId: principal.ownerId,
      modelAsked: this.modelAsked,
      endpoint: path,
      dialect: endpoint.dialect,
      streamed: this.streamed,
      ip,
      providerKeyId: last?.providerKeyId ?? null,
      providerId: last?.providerId ?? null,
      modelServed: this.#modelServed(),
      status: fault === undefined ? "SUCCESS" : "ERROR",
      httpStatus: ending.httpStatus,
      errorCode: fault?.code ?? null,
      errorMessage: fault === undefined ? null : messageOf(fault, last),
      latencyMs: this.elapsedMs(),
      ttfbMs: this.firstByteMs,
      requestBytes: this.requestBytes,
      responseBytes: ending.responseBytes,
      tokens: ending.tokens,
      costMicros,
      usageSource: ending.usageSource,
      attempts: this.#attempts,
    };
  }
}

function isNothing({ input, output, parts }: TokenUsage): boolean {
  return input + output === 0 && parts === undefined;
}

function messageOf(fault: Fault, last: AttemptRecord | undefined): string {
  const detail = last?.detail ?? "";
  const text =
    detail === "" || fault.publicMessage.includes(detail)
      ? fault.publicMessage
      : `${fault.publicMessage} (${detail})`;
  return text.slice(0, ERROR_MESSAGE_CHARS_MAX);
}
