import { bounded } from "../core/bytes.js";
import type { Estimate } from "../core/call.js";
import type { Principal } from "../core/client-key.js";
import { type Fault, toFault } from "../core/fault.js";
import type { LongScan } from "../dialect/long-scan.js";
import { callerOf } from "./admit.js";
import { bodyOfDeployment } from "./route/azure-scheme.js";
import { BodyReader, tooLarge } from "./request/body.js";
import type { MemberSpans } from "./request/body-head.js";
import type { BatchReading } from "./route/batch-reading.js";
import type { CallBook } from "./call-book.js";
import {
  batchReadingOf,
  type CallPlan,
  longScanOf,
  planCall,
  readAsked,
} from "./route/call-plan.js";
import { worstCase } from "./batch/batch-estimate.js";
import { estimateOfFile, fileToRead } from "./batch/batch-file.js";
import type { ExchangeOptions } from "./exchange-options.js";
import { refuseOutOfScope } from "./route/scopes.js";

const NO_BYTES = Buffer.alloc(0);
/** What a longer body says is read in steps of so many bytes, between which others have their turn. */
const STEP_BYTES = 256 * 1024;

/** What was read of a long body in steps. */
interface ReadBefore {
  readonly spans?: MemberSpans;
  readonly batch?: BatchReading | undefined;
}

const NOTHING_READ: ReadBefore = {};

/** Hears what comes of taking a call in: one of both, once, unless the call has ended before. */
export interface IntakeListener {
  /** The call is on record as begun, and what it may use is set aside for it. */
  onAdmitted(plan: CallPlan, principal: Principal): void;
  onRefused(fault: Fault): void;
}

/**
 * The way of a call into this server, step by step: who calls, the body, its turn among the calls under way, what it
 * asks for and what may serve that, what is set aside for it, and the record that it has begun. What it learns is in
 * the call's book.
 */
export class Intake {
  readonly #options: ExchangeOptions;
  readonly #book: CallBook;
  readonly #listener: IntakeListener;
  #reader: BodyReader | undefined;
  /** Gives up its place among the calls that wait for their turn; undefined when it has none. */
  #leaveQueue: (() => void) | undefined;
  /** Whose place it has among the calls under way. */
  #admitted: Principal | undefined;
  /** Of the client keys, when the caller was last looked at. */
  #revision = 0;

  constructor(options: ExchangeOptions, book: CallBook, listener: IntakeListener) {
    this.#options = options;
    this.#book = book;
    this.#listener = listener;
  }

  /** Bytes of the body that have been read. */
  get bytesRead(): number {
    return this.#reader?.bytes ?? 0;
  }

  begin(): void {
    const { context, turn, connection, match } = this.#options;
    const { limits, bodyRoom } = context;
    let principal: Principal;
    try {
      principal = callerOf(context, this.#options);
      this.#revision = context.authenticator.revision;
      this.#book.principal = principal;
      connection.holder = principal;
      refuseOutOfScope(principal, match.endpoint.scope);
      if (turn.contentLength > limits.bodyBytesMax) throw tooLarge(limits.bodyBytesMax);
    } catch (thrown) {
      this.#refuse(thrown);
      return;
    }
    if (turn.contentLength < 0 && !turn.chunked) {
      this.#takeTurn(principal, NO_BYTES);
      return;
    }
    const { contentLength } = turn;
    const { bodyBytesMax: bytesMax } = limits;
    this.#reader = new BodyReader(
      { room: bodyRoom, holder: principal, bytesMax, contentLength },
      (fault, body) => {
        if (fault === undefined) this.#takeTurn(principal, body);
        else this.#refuse(fault);
      },
    );
    turn.readBody(this.#reader);
  }

  /** Waits, if need be, until one more call may be under way. */
  #takeTurn(principal: Principal, body: Buffer): void {
    if (this.#book.closed) return;
    this.#book.requestBytes = body.length;
    try {
      this.#leaveQueue = this.#options.context.admission.enter(principal, (fault) => {
        this.#leaveQueue = undefined;
        if (fault === undefined) this.#admit(principal, body);
        else this.#refuse(fault);
      });
    } catch (thrown) {
      this.#refuse(thrown);
      return;
    }
    if (this.#leaveQueue === undefined) this.#admit(principal, body);
  }

  #admit(principal: Principal, sent: Buffer): void {
    this.#admitted = principal;
    const { match, head } = this.#options;
    const { deployment } = match;
    if (deployment === "") {
      this.#read(principal, sent);
      return;
    }
    const named = (spans?: MemberSpans): void => {
      this.#read(principal, bodyOfDeployment(sent, head.contentType, deployment, spans));
    };
    const scan = sent.length > STEP_BYTES ? longScanOf(match, head, sent) : undefined;
    if (scan !== undefined) this.#readInSteps(principal, scan, named);
    else this.#orRefuse(named);
  }

  #read(principal: Principal, body: Buffer): void {
    if (body.length <= STEP_BYTES) {
      this.#planWith(principal, body, NOTHING_READ);
      return;
    }
    const batch = batchReadingOf(this.#options.match, body, principal, STEP_BYTES);
    if (batch === undefined) {
      this.#readMembers(principal, body, batch);
      return;
    }
    this.#inSteps(principal, () => {
      const isRead = batch.read();
      if (isRead) this.#readMembers(principal, body, batch);
      return isRead;
    });
  }

  #readMembers(principal: Principal, body: Buffer, batch: BatchReading | undefined): void {
    const { match, head } = this.#options;
    const scan = longScanOf(match, head, body);
    if (scan === undefined) {
      this.#planWith(principal, body, { batch });
      return;
    }
    this.#readInSteps(principal, scan, (spans) => {
      this.#planWith(principal, body, { spans, batch });
    });
  }

  #readInSteps(principal: Principal, scan: LongScan, goOn: (spans: MemberSpans) => void): void {
    this.#inSteps(principal, () => {
      const isRead = scan.read(STEP_BYTES);
      if (isRead) goOn(scan.found);
      return isRead;
    });
  }

  /** Does a long work, step by step, until one is the last. */
  #inSteps(principal: Principal, step: () => boolean): void {
    this.#options.context.longWorks.add(principal, () => {
      let isOver = true;
      if (!this.#book.closed) {
        this.#orRefuse(() => {
          isOver = step();
        });
      }
      return isOver;
    });
  }

  #orRefuse(step: () => void): void {
    try {
      step();
    } catch (thrown) {
      this.#refuse(thrown);
    }
  }

  #planWith(caller: Principal, body: Buffer, read: ReadBefore): void {
    const { context, match, head } = this.#options;
    try {
      const principal = this.#current(caller);
      const plan = this.#plan(principal, body, read);
      const parts = { context, plan, match, head, principal };
      const file = fileToRead(parts);
      if (file === "") {
        this.#reserve(plan, principal, worstCase(parts));
        return;
      }
      estimateOfFile(parts, file)
        .then((estimate) => {
          if (this.#book.closed) return;
          const reader = this.#current(principal);
          // What the key allows may be less by now.
          const still = reader === principal ? plan : this.#plan(reader, body, read);
          this.#reserve(still, reader, estimate);
        })
        .catch((thrown: unknown) => {
          this.#refuse(thrown);
        });
    } catch (thrown) {
      this.#refuse(thrown);
    }
  }

  #reserve(plan: CallPlan, principal: Principal, estimate: Estimate): void {
    const { context, match } = this.#options;
    const book = this.#book;
    try {
      book.ticket = context.limiter.admit(principal, estimate, match.endpoint.dialect);
      book.reserved = estimate;
      context.records.begin(book.begun(principal), (fault) => {
        if (book.closed) return;
        if (fault === undefined) this.#listener.onAdmitted(plan, principal);
        else this.#refuse(fault);
      });
    } catch (thrown) {
      this.#refuse(thrown);
    }
  }

  /**
   * The caller with its key as it is now. A body takes its time, and so does a turn: a key that may do less by then, or has
   * expired, gets no call served, and a call that was admitted by limits that hold no more would be booked in budgets that
   * are closed. Throws what the authenticator does, and Fault `scope_not_allowed`.
   */
  #current(caller: Principal): Principal {
    const { context, ip, match } = this.#options;
    const { authenticator } = context;
    if (authenticator.revision === this.#revision && !this.#hasExpired(caller)) return caller;
    this.#revision = authenticator.revision;
    const principal = authenticator.current(caller, ip);
    this.#book.principal = principal;
    refuseOutOfScope(principal, match.endpoint.scope);
    return principal;
  }

  #hasExpired({ clientKey }: Principal): boolean {
    return clientKey.expiresAt !== null && clientKey.expiresAt <= this.#options.context.clock.now();
  }

  #plan(principal: Principal, body: Buffer, { spans, batch }: ReadBefore): CallPlan {
    const { context, match, head, query } = this.#options;
    const asked = readAsked(match, head, body, spans);
    // Before the route is looked for, so that a refused call is on record with what it asked for.
    this.#book.modelAsked = bounded(asked.model, context.limits.modelIdCharsMax);
    this.#book.streamed = asked.streamed;
    return planCall({ asked, match, head, query, body, principal, context, batch });
  }

  #refuse(thrown: unknown): void {
    this.#listener.onRefused(toFault(thrown));
  }

  /** The body is not needed any more. */
  releaseBody(): void {
    this.#reader?.release();
  }

  /** The call has ended: gives back what it takes of others' room. Called once. */
  leave(): void {
    this.#leaveQueue?.();
    if (this.#admitted !== undefined) this.#options.context.admission.leave(this.#admitted);
    this.releaseBody();
  }
}
