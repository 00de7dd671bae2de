import { utf8 } from "../../core/bytes.js";
import { drawsOn } from "../../core/client-key.js";
import type { Lease } from "../../core/lease.js";
import { readBatch } from "../../dialect/batch-use.js";
import { parseRecord } from "../../dialect/json-record.js";
import type { Flight } from "../../upstream/flight.js";
import type { AdmittedCall } from "../admitted-call.js";
import type { Match } from "../route/match.js";

/** A reply about a batch that is larger holds its results, so the batch has ended. */
const ABOUT_BYTES_MAX = 64 * 1024;

type OnBug = (thrown: unknown) => void;

/** A look at a batch, or its removal, was answered. */
export function batchTold(call: AdmittedCall, lease: Lease, body: Buffer): void {
  if (call.match.endpoint.ofBatch === "LOOK" && saysEnded(call.match, body))
    batchShown(call, lease);
}

/** Whether a provider was asked for a batch: it may make one whoever waits for it, and only its reply tells which. */
export function makesBatch({ match }: AdmittedCall, flight: Flight | undefined): boolean {
  const { phase } = flight ?? {};
  return match.endpoint.batch !== undefined && (phase === "HEAD" || phase === "BODY");
}

/** Goes on when it is known what the batch has used that the call removes with its results. */
export function whenRemovable(call: AdmittedCall, goOn: () => void, onBug: OnBug): void {
  const { context, match, principal } = call;
  const id = match.endpoint.idPrefix + match.id;
  after(context.batches.beforeRemoval(drawsOn(principal), id), goOn, onBug);
}

/** Goes on whatever comes of what it waits for. */
export function after(wait: Promise<void>, goOn: () => void, onBug: OnBug): void {
  wait.then(goOn, goOn).catch(onBug);
}

function saysEnded({ endpoint }: Match, body: Buffer): boolean {
  if (body.length > ABOUT_BYTES_MAX) return true;
  const told = parseRecord(utf8(body));
  return told !== undefined && readBatch(endpoint.dialect, told, "").isEnded;
}

/** Tells that a call got the results of a batch, or so much about it that they must be in it. */
export function batchShown({ context, match, principal }: AdmittedCall, lease: Lease): void {
  const { endpoint, id } = match;
  if (endpoint.ofBatch !== "LOOK") return;
  context.batches.ended(drawsOn(principal), endpoint.idPrefix + id, lease.providerKey);
}
