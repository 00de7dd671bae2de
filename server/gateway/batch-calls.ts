import { utf8 } from "../core/bytes.js";
import { drawsOn, type Principal } from "../core/client-key.js";
import { madeBatch, readBatch } from "../dialect/batch-use.js";
import { parseRecord } from "../dialect/json-record.js";
import type { CallBook } from "./call-book.js";
import type { GatewayContext } from "./context.js";
import type { Match } from "./match.js";
import type { Lease } from "../core/lease.js";

/** A reply about a batch that is larger holds its results, so the batch has ended. */
const ABOUT_BYTES_MAX = 64 * 1024;

interface Call {
  readonly context: Pick<GatewayContext, "batches" | "clock" | "logger">;
  readonly id: string;
  readonly match: Match;
  readonly principal: Principal;
  readonly book: Pick<CallBook, "reserved">;
}

/** Tells of the batch that a call was told of in a whole reply. What comes back is to be waited for before the answer. */
export function batchReplied(call: Call, lease: Lease, body: Buffer): Promise<void> | undefined {
  const { batch, ofBatch, dialect } = call.match.endpoint;
  if (batch !== undefined) return batchMade(call, lease, body);
  if (ofBatch !== "LOOK") return undefined;
  const isLarge = body.length > ABOUT_BYTES_MAX;
  const told = isLarge ? undefined : parseRecord(utf8(body));
  if (isLarge || (told !== undefined && readBatch(dialect, told, "").isEnded)) {
    batchShown(call, lease);
  }
  return undefined;
}

/** Tells that a call got the results of a batch, or so much about it that they must be in it. */
export function batchShown({ context, match, principal }: Call, lease: Lease): void {
  const { endpoint, id } = match;
  if (endpoint.ofBatch !== "LOOK") return;
  context.batches.ended(drawsOn(principal), endpoint.idPrefix + id, lease.providerKey.id);
}

/** What a call that removes a batch has to wait for; undefined for any other. */
export function beforeRemoval({ context, match, principal }: Call): Promise<void> | undefined {
  const { endpoint, id } = match;
  if (endpoint.ofBatch !== "REMOVAL") return undefined;
  return context.batches.beforeRemoval(drawsOn(principal), endpoint.idPrefix + id);
}

function batchMade(call: Call, lease: Lease, body: Buffer): Promise<void> | undefined {
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
  return context.batches.made({
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
  });
}
