import type { TokenUsage } from "../../core/call.js";
import type {
  RefusalPart,
  Signature,
  TextPart,
  ThinkingPart,
  ToolCallPart,
} from "./conversation.js";

/** Why a model stopped. `FILTER`: the provider would not have it said. `REFUSED`: the model would not, and said so. */
export type StopKind =
  | "END"
  | "LENGTH"
  | "TOOL_CALLS"
  | "STOP_SEQUENCE"
  | "FILTER"
  | "REFUSED"
  | "PAUSE"
  | "CONTEXT_FULL";

export interface Stop {
  readonly kind: StopKind;
  /** The sequence that stopped it, where the provider says so. */
  readonly sequence: string | undefined;
}

export type ReplyPart = TextPart | ThinkingPart | ToolCallPart | RefusalPart;

/** A whole reply, in no dialect. */
export interface Reply {
  readonly id: string;
  readonly model: string;
  readonly parts: readonly ReplyPart[];
  readonly stop: Stop;
  readonly usage: TokenUsage | undefined;
}

/** What a piece of a streamed reply is, as far as that is known when it begins. */
export type Block =
  | { readonly kind: "TEXT" }
  | { readonly kind: "REFUSAL" }
  | { readonly kind: "THINKING" }
  | { readonly kind: "REDACTED"; readonly data: string; readonly origin: Signature["origin"] }
  | {
      readonly kind: "TOOL_CALL";
      readonly id: string;
      readonly name: string;
      readonly signature: Signature | undefined;
    };

/**
 * One step of a streamed reply, in no dialect. At most one block is open at a time; `DELTA` and `SIGN`
 * belong to it. `END` comes only when the provider said that the reply is complete.
 */
export type StreamStep =
  | {
      readonly kind: "START";
      readonly id: string;
      readonly model: string;
      readonly usage: TokenUsage | undefined;
    }
  | { readonly kind: "OPEN"; readonly block: Block }
  | { readonly kind: "DELTA"; readonly text: string }
  | { readonly kind: "SIGN"; readonly signature: Signature }
  | { readonly kind: "CLOSE" }
  | { readonly kind: "END"; readonly stop: Stop; readonly usage: TokenUsage | undefined }
  | { readonly kind: "FAIL"; readonly failure: Failure };

/** What a reply consists of. */
export type SaidStep = Exclude<StreamStep, { readonly kind: "FAIL" }>;

/** An error as a provider said it. */
export interface Failure {
  readonly httpStatus: number;
  /** The provider's own name for it; empty if it gave none. */
  readonly code: string;
  readonly message: string;
}

export function stopped(kind: StopKind, sequence?: string): Stop {
  return { kind, sequence };
}

/** A model that calls tools has stopped for them, whatever its provider says; some say only that it stopped. */
export function stopWithTools(stop: Stop, callsTools: boolean): Stop {
  const plain = stop.kind === "END" || stop.kind === "STOP_SEQUENCE";
  return plain && callsTools ? stopped("TOOL_CALLS") : stop;
}
