import type { Batch } from "../core/batch.js";
import { utf8 } from "../core/bytes.js";
import { drawsOn, type Principal } from "../core/client-key.js";
import { madeBatch, readBatch } from "../dialect/batch-use.js";
import { parseRecord } from "../dialect/json-record.js";
import type { Attempt } from "./attempt.js";
import type { CallBook } from "./call-book.js";
import type { GatewayContext } from "./context.js";
import type { Match } from "./match.js";
import type { TrialsListener } from "./trials-listener.js";
import type { Lease } from "../core/lease.js";

/** A reply about a batch that is larger holds its results, so the batch has ended. */
const ABOUT_BYTES_MAX = 64 * 1024;

interface Call {
  readonly context: Pick<GatewayContext, "batches" | "clock" | "logger">;
  readonly id: string;
  readonly match: Match;
  readonly principal: Principal;
  readonly book: Pick<CallBook, "reserved">;
  readonly listener: Pick<TrialsListener, "onBug">;
}

/** Goes on at once; with a reply that a batch was made, when that will not be forgotten any more. */
export function whenKept(
  call: Call,
  { lease, body }: { readonly lease: Lease; readonly body: Buffer },
  goOn: () => void,
): void {
  const { batch, ofBatch } = call.match.endpoint;
  const made = batch === undefined ? undefined : madeBy(call, lease, body);
  if (made !== undefined) {
    after(call, call.context.batches.made(made), goOn);
    return;
  }
  if (ofBatch === "LOOK" && saysEnded(call.match, body)) batchShown(call, lease);
  goOn();
}

/** Whether a provider was asked for a batch: it may make one whoever waits for it, and only its reply tells which. */
export function makesBatch({ match }: Call, attempt: Attempt | undefined): boolean {
  const { phase } = attempt?.flight ?? {};
  return match.endpoint.batch !== undefined && (phase === "HEAD" || phase === "BODY");
}

/** Goes on at once; with a call that removes a batch and its results, when what that used is known. */
export function whenRemovable(call: Call, goOn: () => void): void {
  const { context, match, principal } = call;
  const { ofBatch, idPrefix } = match.endpoint;
  if (ofBatch !== "REMOVAL") {
    goOn();
    return;
  }
  after(call, context.batches.beforeRemoval(drawsOn(principal), idPrefix + match.id), goOn);
}

function after({ listener }: Call, wait: Promise<void>, goOn: () => void): void {
  wait.then(goOn, goOn).catch((thrown: unknown) => {
    listener.onBug(thrown);
  });
}

function saysEnded({ endpoint }: Match, body: Buffer): boolean {
  if (body.length > ABOUT_BYTES_MAX) return true;
  const told = parseRecord(utf8(body));
  return told !== undefined && readBatch(endpoint.dialect, told, "").isEnded;
}

/** Tells that a call got the results of a batch, or so much about it that they must be in it. */
export function batchShown({ context, match, principal }: Call, lease: Lease): void {
  const { endpoint, id } = match;
  if (endpoint.ofBatch !== "LOOK") return;
  context.batches.ended(drawsOn(principal), endpoint.idPrefix + id, lease.providerKey);
}

function madeBy(call: Call, lease: Lease, body: Buffer): Batch | undefined {
  const { context, match, principal, book } = call;
  const { dialect, model } = match.endpoint;
  const reply = parseRecord(utf8(body));
  const named = reply === undefined ? undefined : madeBatch(dialect, reply);
  if (named === undefined) {
    const providerKeyId = lease.providerKey.id;
    context.logger.warn(
      { call: call.id, providerKeyId },
      "a batch was made that cannot be counted",
    );
    return undefined;
  }
  const { clientKey, ownerId } = principal;
  return {
    ...named,
    scope: drawsOn(principal),
    providerId: lease.target.provider.id,
    providerKeyId: lease.providerKey.id,
    ownerId,
    clientKeyId: clientKey.id,
    clientKeyKind: clientKey.kind,
    dialect,
    model: model === "PATH" ? lease.target.upstreamModel : "",
    reserved: book.reserved,
    madeAt: context.clock.now(),
  };
}
