import type { Dialect } from "../../core/provider.js";
import type { Problem, StreamForm } from "../codec.js";
import type { Conversation, Tool } from "./conversation.js";
import type { JsonObject } from "./json.js";
import type { ItemMemory, KeptResponse } from "./kept-response.js";
import type { Notes } from "./notes.js";
import type { Failure, Reply, SaidStep, StreamStep } from "./reply.js";
import type { SseEvent } from "./sse-events.js";

/** The forms of request between which Latchkey translates. */
export type Form = Exclude<StreamForm, "OTHER">;

/**
 * What some models of OpenAI's dialect refuse in chat completions, which their names do not always tell: sampling
 * parameters, stop sequences, the older name of the limit of the output, a system message that is not the first, and
 * messages of their own that do not say what they thought.
 */
export type Dislike =
  "SAMPLING" | "STOP" | "OLDER_LIMIT" | "LATER_SYSTEM_MESSAGE" | "MESSAGE_WITHOUT_THOUGHT";

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
  /**
   * Stands for the caller's session, in no words of its own: what is said next in it comes to the same provider key.
   * Undefined where the caller names none.
   */
  readonly session?: string | undefined;
  /** Summaries of thoughts must not be asked for. */
  readonly hidesThoughts?: boolean | undefined;
  /** In chat completions the model calls tools only if it is told not to think. */
  readonly toolsWithoutThought?: boolean | undefined;
  /** What the model does not take in chat completions, as its refusals have shown. */
  readonly dislikes?: ReadonlySet<Dislike> | undefined;
}

/** What is known of a call in addition to its body. */
export interface CallFacts {
  /** A unique id, used where a dialect wants one that the provider did not give. */
  readonly id: string;
  /** Seconds since the epoch, for replies that name the time. */
  readonly nowSeconds: number;
  readonly streamed: boolean;
  /** The caller wants usage in its stream. Set from the request. */
  readonly usageAsked: boolean;
  readonly modelAsked: string;
  /** The caller's tools, for dialects whose replies name them otherwise. Set from the request. */
  readonly tools: readonly NamedTool[];
  /** For callers of the Responses API. */
  readonly memory?: ItemMemory | undefined;
  /** What the caller wants kept of its own part; undefined for nothing. Set from the request. */
  readonly asked?: Asked | undefined;
  /** What a response says again of its request, as JSON text. Set from the request. */
  readonly settings?: string | undefined;
  /** False where the caller does not want to read what the model thinks. Set from the request. */
  readonly thoughtsShown?: boolean | undefined;
  /** A Gemini caller wants its stream as one JSON array, not as events. */
  readonly asArray: boolean;
}

export type Asked = Pick<KeptResponse, "previousId" | "input">;

/** A tool of which there is no more than what its caller's replies have to name. */
export type NamedTool = Pick<Tool, "name" | "asDeclared">;

/** Turns a provider's events into steps. */
export interface StreamReader {
  /** Bytes that it holds, as `keptBytesOf` counts them. */
  readonly keptBytes: number;
  push(event: SseEvent): readonly StreamStep[];
  /** The provider's stream is complete: gives what was held back until then, at least `END` if none came. */
  end(): readonly StreamStep[];
}

/** Turns steps into the text of the caller's events. */
export interface StreamWriter {
  /** As a reader's. */
  readonly keptBytes: number;
  push(step: SaidStep): string;
  /** The last events of a stream that fails, whether its provider says so or not. */
  fail(problem: Problem): string;
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
