import type { StreamEdit } from "../../dialect/codec.js";
import { UsageStripper } from "../../dialect/usage-strip.js";
import { hasVectorLists, VectorEncoder } from "../../dialect/vectors.js";
import type { Expected } from "./expected-reply.js";

/** What changes a reply that goes on as it comes; undefined where nothing does. */
export function editOf(
  { translation, encodesVectors }: Expected,
  events: boolean,
  stripsUsage: boolean,
): StreamEdit | undefined {
  if (translation !== undefined) return translation.stream();
  if (events) return stripsUsage ? new UsageStripper() : undefined;
  return encodesVectors ? new VectorEncoder() : undefined;
}

/** The caller of a whole reply wants in base64 what it has in lists. */
export function hasListsFor({ encodesVectors }: Expected, reply: Buffer): boolean {
  return encodesVectors && hasVectorLists(reply);
}
