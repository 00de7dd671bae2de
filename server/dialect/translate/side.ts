import type { Dialect } from "../../core/provider.js";
import type { StreamForm } from "../codec.js";
import type { Conversation, Tool } from "./conversation.js";
import type { JsonObject } from "./json.js";
import type { Notes } from "./losses.js";
import type { Failure, Reply, StreamStep } from "./reply.js";
import type { SseEvent } from "./sse-events.js";

/** The forms of request between which Latchkey translates. */
export type Form = Exclude<StreamForm, "OTHER">;

/** What serves the call. */
export interface Target {
  /** The model id to send. */
  readonly model: string;
  /** The largest output the model can give, in tokens; null if unknown. */
  readonly maxOutput: number | null;
  /** Short name of the provider, e.g. `openai`, by which its peculiarities are known. */
  readonly providerSlug: string;
  /** The provider understands `stream_options.include_usage`. */
  readonly asksUsage: boolean;
}

/** What is known of a call besides its body. */
export interface CallFacts {
  /** Unique; stands where a dialect wants an id that the provider did not give. */
  readonly id: string;
  /** Seconds since the epoch, for replies that name the time. */
  readonly nowSeconds: number;
  readonly streamed: boolean;
  /** The caller wants usage in its stream. Set from the request. */
  readonly usageAsked: boolean;
  readonly modelAsked: string;
  /** The caller's tools, for dialects whose replies name them otherwise. Set from the request. */
  readonly tools: readonly Tool[];
  /** A Gemini caller wants its stream as one JSON array, not as events. */
  readonly asArray: boolean;
}

/** Turns a provider's events into steps. */
export interface StreamReader {
  push(event: SseEvent): readonly StreamStep[];
  /** The provider's stream is complete: gives what was held back until then, at least `END` if none came. */
  end(): readonly StreamStep[];
}

/** Turns steps into the text of the caller's events. */
export interface StreamWriter {
  push(step: StreamStep): string;
}

/** One form of request and its replies, as a caller's language and as a provider's. */
export interface Side {
  readonly form: Form;
  readonly dialect: Dialect;
  readRequest(body: JsonObject, call: CallFacts, notes: Notes): Conversation;
  writeRequest(conversation: Conversation, target: Target, notes: Notes): JsonObject;
  readReply(body: JsonObject, call: CallFacts): Reply;
  writeReply(reply: Reply, call: CallFacts): JsonObject;
  streamReader(call: CallFacts): StreamReader;
  streamWriter(call: CallFacts): StreamWriter;
  /** The error that an answer or an event holds; undefined if it holds none. */
  readFailure(body: JsonObject, httpStatus: number): Failure | undefined;
}
