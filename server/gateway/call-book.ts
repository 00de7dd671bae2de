import type { Batch } from "../core/batch.js";
import { detached } from "../core/bytes.js";
import {
  type Attempt as AttemptRecord,
  type AttemptOutcome,
  type BegunCall,
  type CallRecord,
  type Estimate,
  NO_TOKENS,
  NOTHING_RESERVED,
  type TokenUsage,
  type UsageSource,
} from "../core/call.js";
import { drawsOn, type Principal } from "../core/client-key.js";
import type { Fault } from "../core/fault.js";
import type { BatchNews, FinishedCall } from "../core/finished-call.js";
import type { LaterUsage } from "../core/later-usage.js";
import type { Lease } from "../core/lease.js";
import type { Price } from "../core/provider.js";
import { responseId } from "../dialect/kept-ids.js";
import { isUnfinished } from "../dialect/response-status.js";
import type { AttemptFailure } from "./attempt/attempt-failure.js";
import type { GatewayContext } from "./context.js";
import { type Endpoint, showsResponse } from "./route/endpoints.js";
import { reaches } from "./estimate/estimate.js";
import type { ExchangeOptions } from "./exchange-options.js";
import {
  type Counted,
  type CountedCall,
  countPart,
  countReply,
  countReserved,
  isNothing,
  NOT_COUNTED,
  type ReplyPart,
} from "./estimate/counted.js";
import { HTTP_STATUS } from "./answer/fault-status.js";
import type { NamedRoom } from "./request/named-room.js";
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

export type BookOptions = Pick<ExchangeOptions, "context" | "id" | "match" | "path" | "ip">;

/**
 * The books of one call: what is lent and reserved for it, its attempts, and its one record. Whatever way
 * the call ends, `close` gives everything back and makes the record, once.
 */
export class CallBook implements CountedCall {
  readonly #context: GatewayContext;
  readonly endpoint: Endpoint;
  readonly #call: { id: string; path: string; ip: string };
  readonly #startedAt: number;
  readonly #startedMs: number;
  #attempts: AttemptRecord[] = [];
  #lease: Lease | undefined;
  /** Leases of keys that failed this call in ways for which the call itself may be to blame. */
  #doubtful = NO_LEASES;
  /** The response of an earlier call whose usage this call was told. */
  #later: LaterUsage | undefined;
  /** What its record makes known of a batch or a response. */
  #news: BatchNews | undefined;
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
  /** Of a request that may name earlier responses. */
  named: NamedRoom | undefined;
  firstByteMs: number | null = null;

  constructor({ context, id, match, path, ip }: BookOptions) {
    const { endpoint } = match;
    this.#context = context;
    this.endpoint = endpoint;
    // The path is a piece of the head's text, which the record would keep in memory.
    this.#call = {
      id,
      path: path === endpoint.path ? endpoint.path : detached(path),
      ip,
    };
    this.#startedAt = context.clock.now();
    this.#startedMs = context.clock.monotonic();
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Of the key that was lent last; null where none was, or its model has no price. */
  get price(): Price | null {
    return this.#lastLease?.target.price ?? null;
  }

  /** Of the provider that was asked last. */
  get askedTier(): string | undefined {
    const tier = this.reserved.parts?.serviceTier;
    if (tier === undefined || this.#lastLease === undefined) return undefined;
    return reaches(this.endpoint, this.#lastLease.target) ? tier : undefined;
  }

  get later(): LaterUsage | undefined {
    return this.#later;
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
    const { endpoint } = this;
    const { id, path, ip } = this.#call;
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
  }

  /** The attempt on the lent key is over; harmless if none is lent. */
  closeLease(
    result: Pick<AttemptFailure, "outcome" | "httpStatus" | "retryAfterMs" | "unsent" | "detail">,
    endedMs = this.#context.clock.monotonic(),
  ): void {
    const lease = this.#lease;
    if (lease === undefined) return;
    this.#lease = undefined;
    const attempt: AttemptRecord = {
      providerKeyId: lease.providerKey.id,
      providerId: lease.target.provider.id,
      startedMs: lease.begunMs - this.#startedMs,
      durationMs: endedMs - lease.begunMs,
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
      endedMs,
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
    if (this.endpoint.form === "RESPONSES") {
      if (thing === "" && told === undefined && isUnfinished(reply)) {
        this.#awaitUsage(responseId(reply), { counted: NO_TOKENS, reserved: this.reserved });
        return NOT_COUNTED;
      }
      if (this.#awaitsUsage(thing) && !isUnfinished(reply)) this.takeLaterUsage(thing);
    }
    return countReply(this, reply, told);
  }

  #awaitsUsage(id: string): boolean {
    return this.principal !== undefined && this.#context.laterUsages.has(this.principal, id);
  }

  /** Tokens of a call that did not come to its end. `part` is undefined when no byte of a reply has gone to the caller. */
  countedBroken(fault: Fault, part: ReplyPart | undefined): Counted {
    if (HTTP_STATUS[fault.code] === HTTP_STATUS.caller_aborted) return this.#countedAborted(part);
    return part === undefined ? NOT_COUNTED : countPart(this, part);
  }

  /**
   * Tokens of a call that its caller broke off: by the installation's policy what went by, what was reserved,
   * or nothing.
   */
  #countedAborted(part: ReplyPart | undefined): Counted {
    const policy = this.#context.abortedCalls();
    if (policy === "OBSERVED" && part !== undefined) return countPart(this, part);
    const isAsked = part !== undefined || this.#lease !== undefined;
    return policy === "RESERVED" && isAsked ? countReserved(this) : NOT_COUNTED;
  }

  /** The call has ended in the midst of a stream, for this reason, and counts so much. */
  streamLeft(id: string, fault: Fault, counted: TokenUsage): void {
    const isFree = this.#isFree(HTTP_STATUS[fault.code]);
    this.#awaitUsage(id, { counted, reserved: NOTHING_RESERVED }, isFree);
  }

  /** By the installation's policy a call costs nothing that its caller broke off. */
  #isFree(httpStatus: number): boolean {
    return httpStatus === HTTP_STATUS.caller_aborted && this.#context.abortedCalls() === "NOTHING";
  }

  /**
   * A response goes on after its call has ended: the rest of what it uses, at most what is reserved, will be told later.
   * Where the call is free, only to a caller who asks for it.
   */
  #awaitUsage(
    id: string,
    { counted, reserved }: { readonly counted: TokenUsage; readonly reserved: Estimate },
    isFree = false,
  ): void {
    const { principal } = this;
    const { form, model } = this.endpoint;
    const lease = this.#lastLease;
    const isCreated = form === "RESPONSES" && model !== "NONE";
    if (!isCreated || id === "" || principal === undefined || lease === undefined) return;
    const { laterUsages, batches, clock } = this.#context;
    const { upstreamModel, price, provider } = lease.target;
    const { clientKey, ownerId } = principal;
    const response: Batch = {
      scope: drawsOn(principal),
      batchId: id,
      path: `${this.endpoint.path}/${encodeURIComponent(id)}`,
      providerId: provider.id,
      providerKeyId: lease.providerKey.id,
      ownerId,
      clientKeyId: clientKey.id,
      clientKeyKind: clientKey.kind,
      dialect: this.endpoint.dialect,
      model: upstreamModel,
      reserved,
      madeAt: clock.now(),
      later: { target: { upstreamModel, price }, counted },
    };
    laterUsages.note(response);
    if (isFree) return;
    this.#news = { kind: "GOES_ON", batch: response, lookAt: batches.goesOn(response) };
  }

  /** The call has made a batch, which is due as soon as the database knows it from nobody else. */
  batchMade(batch: Batch): void {
    this.#news = { kind: "GOES_ON", batch, lookAt: batch.madeAt };
  }

  /** The call was told what a response used in all, which another call may have made. */
  takeLaterUsage(id: string): void {
    if (!showsResponse(this.endpoint) || this.principal === undefined) return;
    this.#later = this.#context.laterUsages.take(this.principal, id);
    if (this.#later === undefined) return;
    this.#news = { kind: "TOLD", scope: drawsOn(this.principal), batchId: id };
  }

  /** Gives back and settles everything; answers the record that is to be written. Undefined for a call without a client key, and the second time. */
  close(given: Ending, upstreamStatus: number | null): FinishedCall | undefined {
    if (this.#closed) return undefined;
    this.#closed = true;
    const endedMs = this.#context.clock.monotonic();
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
      const httpStatus = upstreamStatus;
      this.closeLease({ outcome: "OK", httpStatus, retryAfterMs: null, detail: "" }, endedMs);
      this.#lastLease?.settle(used);
    } catch (thrown) {
      this.#logBug(thrown);
    }
    const record = this.#record(ending, principal, { costMicros, endedMs });
    try {
      this.ticket?.settle(used, record);
    } catch (thrown) {
      this.#logBug(thrown);
    }
    return this.#news === undefined ? record : { ...record, news: this.#news };
  }

  /** What a provider has begun and not told the end of costs what was set aside for it. */
  #withBegun(ending: Ending): Ending {
    if (this.#isFree(ending.httpStatus) || !isNothing(ending.tokens)) return ending;
    return { ...ending, ...countReserved(this) };
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
      return made && this.endpoint.billsUntold ? null : 0;
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
    const isAsked = this.endpoint.model !== "NONE";
    const target = isAsked ? this.#lastLease?.target : this.#later?.target;
    return target?.upstreamModel ?? null;
  }

  #record(
    ending: Ending,
    principal: Principal,
    { costMicros, endedMs }: { costMicros: number | null; endedMs: number },
  ): CallRecord {
    const last = this.#attempts[this.#attempts.length - 1];
    const { fault } = ending;
    const { endpoint } = this;
    const { id, path, ip } = this.#call;
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
      latencyMs: endedMs - this.#startedMs,
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

function messageOf(fault: Fault, last: AttemptRecord | undefined): string {
  const detail = last?.detail ?? "";
  const text =
    detail === "" || fault.publicMessage.includes(detail)
      ? fault.publicMessage
      : `${fault.publicMessage} (${detail})`;
  return text.slice(0, ERROR_MESSAGE_CHARS_MAX);
}
