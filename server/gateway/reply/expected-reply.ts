import { hasVectorLists } from "../../dialect/vectors.js";
import type { StreamForm } from "../../dialect/codec.js";
import { formOf, type WayBack } from "../../dialect/translate/translator.js";
import type { Endpoint } from "../route/endpoints.js";
import { isEvents, type ReplyHead, translatedHead } from "./reply-head.js";
import { isMarkup, looksLikeJson, looksLikeScalar } from "./reply-look.js";

/** What reply a call is to bring. */
export interface Expected {
  readonly endpoint: Endpoint;
  /** Turns what the provider answers into the caller's language; undefined where it goes on as it is. */
  readonly translation: WayBack | undefined;
  /** The caller asked for a stream. */
  readonly streamed: boolean;
  /** The caller wants vectors in base64, which not every provider gives. */
  readonly encodesVectors: boolean;
  /** The provider was asked for server-sent events, as opposed to a whole reply or a stream in JSON. */
  readonly asksEvents: boolean;
}

/** What a head announces that cannot be the reply, in words; undefined if it may be. */
export function unfit(head: ReplyHead, expected: Expected): string | undefined {
  return isMarkup(head) && !expected.endpoint.download
    ? "a web page instead of a reply"
    : undefined;
}

/** Where one reply was asked for, a stream has to become that. A response that is fetched may be asked for either way. */
function isUnasked(head: ReplyHead, { endpoint, translation, streamed }: Expected): boolean {
  if (streamed || !isEvents(head)) return false;
  const isMade = endpoint.form !== "OTHER" && endpoint.method === "POST";
  return isMade || translation !== undefined;
}

/** Events and media are passed on as they come; a JSON answer is looked at first. */
export function isReadWhole(head: ReplyHead, expected: Expected, bytesMax: number): boolean {
  const { streamed, asksEvents, translation, endpoint } = expected;
  const isUnfit = isUnasked(head, expected);
  if (endpoint.download || !(isUnfit || isJson(head, expected))) return false;
  if (translation !== undefined || isUnfit) return true;
  // In answer to who wants events it is no stream; of others it may be any.
  if (streamed && !(asksEvents && head.contentType === "application/json")) return false;
  return head.contentLength === undefined || head.contentLength <= bytesMax;
}

/** A reply that is read whole only to be looked at: its caller is as well served with it as it comes. */
export function isPassable(head: ReplyHead, { translation, streamed }: Expected): boolean {
  return translation === undefined && !streamed && !isEvents(head);
}

function isJson(head: ReplyHead, { translation, endpoint }: Expected): boolean {
  if (isEvents(head)) return false;
  if (translation !== undefined) return true;
  return endpoint.form !== "OTHER" || head.contentType === "application/json";
}

/** A whole body that should be JSON and is none. */
export function isGarbage(head: ReplyHead, body: Buffer, expected: Expected): boolean {
  return isJson(head, expected) && !isReply(body, expected);
}

/** Chats and their like are objects. Other replies may be any value, or nothing where no model was asked. */
function isReply(body: Buffer, { translation, endpoint }: Expected): boolean {
  if (looksLikeJson(body)) return true;
  if (endpoint.form !== "OTHER" || translation !== undefined) return false;
  return body.length === 0 ? endpoint.model === "NONE" : looksLikeScalar(body);
}

/** A provider's head as the caller of the call `id` gets it. */
export function headForCaller(head: ReplyHead, expected: Expected, id: string): ReplyHead {
  const { translation, endpoint } = expected;
  if (translation === undefined) return head;
  const { contentType } = translation;
  return translatedHead(head, { contentType, dialect: endpoint.dialect, id });
}

/** The form in which a whole reply would tell an error. What is only looked at may have failed long ago. */
export function failingAs({ endpoint }: Expected, form: StreamForm): StreamForm {
  if (endpoint.model === "NONE") return "OTHER";
  return endpoint.counts ? formOf(endpoint.dialect) : form;
}

/** The caller of a whole reply wants in base64 what it has in lists. */
export function hasListsFor({ encodesVectors }: Expected, reply: Buffer): boolean {
  return encodesVectors && hasVectorLists(reply);
}
