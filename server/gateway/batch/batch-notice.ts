import type { Batch, Sought } from "../../core/batch.js";
import { utf8 } from "../../core/bytes.js";
import { drawsOn } from "../../core/client-key.js";
import type { Lease } from "../../core/lease.js";
import { soughtBy } from "../../dialect/batch-list.js";
import { madeBatch } from "../../dialect/batch-use.js";
import { parseRecord } from "../../dialect/json-record.js";
import type { AdmittedCall } from "../admitted-call.js";
import type { AttemptFailure } from "../attempt/attempt-failure.js";
import { after } from "./batch-calls.js";

/**
 * That a provider is asked to make a batch. It may make one whose reply never comes, because this process was killed or
 * the connection broke: so it is noted before the request goes out, and what became of it when that is known.
 */
export class BatchNotice {
  readonly #call: AdmittedCall;
  readonly #asked: Batch;
  #isOver = false;

  /** `requests`: how many stand in the body, if they were counted. */
  constructor(call: AdmittedCall, lease: Lease, body: Buffer, requests: number | undefined) {
    this.#call = call;
    const { dialect } = call.match.endpoint;
    this.#asked = askedFor(call, lease, soughtBy(dialect, body, requests));
  }

  /** Goes on when the request may go out. */
  begin(goOn: () => void, onBug: (thrown: unknown) => void): void {
    after(this.#call.context.batches.asked(this.#asked), goOn, onBug);
  }

  /** The reply has come: goes on when the batch that it names will not be forgotten any more. */
  made(reply: Buffer, goOn: () => void, onBug: (thrown: unknown) => void): void {
    const { context, match, book, id } = this.#call;
    const told = parseRecord(utf8(reply));
    const named = told === undefined ? undefined : madeBatch(match.endpoint.dialect, told);
    if (named === undefined) {
      const { providerKeyId } = this.#asked;
      context.logger.warn({ call: id, providerKeyId }, "a batch was made whose name is not known");
      this.unmade(false);
      goOn();
      return;
    }
    this.#isOver = true;
    const madeAt = context.clock.now();
    const batch = { ...this.#asked, ...named, madeAt, sought: undefined };
    book.batchMade(batch);
    after(context.batches.made(batch, this.#asked), goOn, onBug);
  }

  /** The provider failed. Only what says that the request is refused says that no batch was made. */
  failed({ httpStatus, unsent }: AttemptFailure): void {
    this.unmade(unsent === true || (httpStatus !== null && httpStatus >= 400 && httpStatus < 500));
  }

  /** No reply names a batch: there surely is none, or there may be one. */
  unmade(isSure: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#call.context.batches.unmade(this.#asked, isSure);
  }
}

function askedFor(
  { context, match, principal, book, id }: AdmittedCall,
  lease: Lease,
  sought: Sought,
): Batch {
  const { dialect, model, path } = match.endpoint;
  const { clientKey, ownerId } = principal;
  return {
    scope: drawsOn(principal),
    // No provider's id begins so.
    batchId: `?${id}.${String(book.attempts.length)}`,
    path,
    providerId: lease.target.provider.id,
    providerKeyId: lease.providerKey.id,
    ownerId,
    clientKeyId: clientKey.id,
    clientKeyKind: clientKey.kind,
    dialect,
    model: model === "PATH" ? lease.target.upstreamModel : "",
    reserved: book.reserved,
    madeAt: context.clock.now(),
    sought,
  };
}
