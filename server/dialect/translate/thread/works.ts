import { unreachable } from "../../../core/assert.js";
import { owned } from "../../../core/bytes.js";
import type { Fault } from "../../../core/fault.js";
import type { StreamForm } from "../../codec.js";
import { replyEvents } from "../../reply-events.js";
import { withEncodedVectors } from "../../vectors.js";
import { wholeOfEvents } from "../../whole-of-events.js";
import { withoutThoughts } from "../foreign-thoughts.js";
import type { ItemMemory, KeptResponse } from "../kept-response.js";
import { changedRequest, type OwnRequest } from "../own-request.js";
import type { Forms } from "../pair.js";
import { translateReply } from "../reply-translation.js";
import {
  type CallInput,
  translateRequest,
  type TranslatedRequest,
} from "../request-translation.js";
import type { CallFacts, Target } from "../side.js";
import type { GivenNames } from "../tool-names.js";

// What goes between the event loop's thread and the translating one: data, nothing that can be called.

/** What is known of a call; its memory is asked by questions. */
type Told<T extends { readonly memory?: ItemMemory | undefined }> = Omit<T, "memory"> & {
  readonly remembers: boolean;
};

/**
 * What has another shape than it should: a whole reply where a stream was asked for, or the other way round; vectors in
 * lists where base64 was asked for; a request with thoughts that its provider refuses.
 */
export interface Reshaping {
  readonly to: "EVENTS" | "WHOLE" | "VECTORS" | "THOUGHTLESS";
  readonly form: StreamForm;
  readonly body: Buffer;
}

/** What it should have been; undefined for what says no such thing. */
export function reshaped({ to, form, body }: Reshaping): Buffer | undefined {
  switch (to) {
    case "EVENTS":
      return replyEvents(body, form);
    case "WHOLE":
      return wholeOfEvents(body, form);
    case "VECTORS":
      return withEncodedVectors(body);
    case "THOUGHTLESS":
      return withoutThoughts(body, form);
    default:
      return unreachable(to);
  }
}

/** `body`: given away. */
export type Work =
  | {
      readonly kind: "REQUEST";
      readonly forms: Forms;
      readonly body: Uint8Array;
      readonly target: Target;
      readonly call: Told<CallInput>;
    }
  | {
      readonly kind: "REPLY";
      readonly forms: Forms;
      readonly body: Uint8Array;
      readonly call: Told<CallFacts>;
      readonly names: GivenNames;
    }
  | {
      readonly kind: "OWN";
      readonly body: Uint8Array;
      readonly request: Told<Omit<OwnRequest, "body">>;
    }
  | {
      readonly kind: "RESHAPING";
      readonly body: Uint8Array;
      readonly asked: Omit<Reshaping, "body">;
    };

/** What is to be kept of a response; what it was asked for with is known where that is kept. */
export type KeptReply = Pick<KeptResponse, "id" | "output">;

export type Done =
  | { readonly kind: "OWN"; readonly body: Buffer }
  | { readonly kind: "RESHAPING"; readonly body: Buffer | undefined }
  | { readonly kind: "REQUEST"; readonly made: TranslatedRequest }
  | {
      readonly kind: "REPLY";
      readonly body: Buffer;
      /** Undefined for nothing. */
      readonly kept: KeptReply | undefined;
    };

/** What the thread asks of the memory while it works, and waits for. */
export interface Question {
  readonly kind: "ITEM" | "CONVERSATION";
  readonly id: string;
}

/** JSON texts; undefined for what is not known. */
export type Answer = readonly Buffer[] | undefined;

/** What the thread says. */
export type Said =
  | Question
  | { readonly kind: "DONE"; readonly done: Done }
  | ({ readonly kind: "REFUSED" } & Pick<Fault, "code" | "publicMessage" | "violations">)
  | { readonly kind: "BUG"; readonly error: unknown };

/** What came from another thread, which knows no Buffers. */
export function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** Of a work that is done, all that is handed over and not copied. */
export function texts(done: Done): ArrayBuffer[] {
  if (done.kind !== "REQUEST") {
    return done.body === undefined ? [] : [done.body.buffer as ArrayBuffer];
  }
  const { body, learnt } = done.made;
  const { asked } = learnt.facts;
  const all = asked === undefined ? [body] : [body, asked.input];
  return all.map(({ buffer }) => buffer as ArrayBuffer);
}

/** Does a work. Throws as what it does. */
export function doWork(work: Work, ask: (question: Question) => Answer): Done {
  const given = asBuffer(work.body);
  if (work.kind === "REQUEST") {
    const { forms, target, call } = work;
    const memory = call.remembers ? memoryThat(ask) : undefined;
    const { body, learnt } = translateRequest(forms, given, target, { ...call, memory });
    return { kind: "REQUEST", made: { body: owned(body), learnt } };
  }
  if (work.kind === "OWN") {
    const { request } = work;
    const memory = request.remembers ? memoryThat(ask) : undefined;
    return { kind: "OWN", body: owned(changedRequest({ ...request, body: given, memory })) };
  }
  if (work.kind === "RESHAPING") {
    const made = reshaped({ ...work.asked, body: given });
    return { kind: "RESHAPING", body: made && owned(made) };
  }
  const { forms, call, names } = work;
  let kept: KeptReply | undefined;
  const keep = ({ id, output }: KeptResponse): void => {
    kept = { id, output };
  };
  const memory = call.remembers ? { ...memoryThat(ask), keep } : undefined;
  return {
    kind: "REPLY",
    body: owned(translateReply(forms, given, { ...call, memory }, names)),
    kept,
  };
}

/** A memory elsewhere. Requests keep nothing. */
function memoryThat(ask: (question: Question) => Answer): ItemMemory {
  return {
    item: (id) => ask({ kind: "ITEM", id })?.[0],
    conversation: (id) => ask({ kind: "CONVERSATION", id }),
    keep: () => undefined,
  };
}

/** A done work as it is on this side. */
export function received(done: Done): Done {
  switch (done.kind) {
    case "REQUEST":
      return { kind: "REQUEST", made: receivedRequest(done.made) };
    case "REPLY":
      return { ...done, body: asBuffer(done.body), kept: done.kept && receivedReply(done.kept) };
    case "OWN":
      return { kind: "OWN", body: asBuffer(done.body) };
    case "RESHAPING":
      return { kind: "RESHAPING", body: done.body && asBuffer(done.body) };
    default:
      return unreachable(done);
  }
}

function receivedReply({ id, output }: KeptReply): KeptReply {
  return { id, output: output.map((item) => ({ id: item.id, text: asBuffer(item.text) })) };
}

function receivedRequest({ body, learnt }: TranslatedRequest): TranslatedRequest {
  const { facts } = learnt;
  const asked = facts.asked && { ...facts.asked, input: asBuffer(facts.asked.input) };
  return { body: asBuffer(body), learnt: { ...learnt, facts: { ...facts, asked } } };
}

/** The answer to a question of the thread. */
export function answerFrom(memory: ItemMemory | undefined, { kind, id }: Question): Answer {
  if (kind === "CONVERSATION") return memory?.conversation(id);
  const item = memory?.item(id);
  return item === undefined ? undefined : [item];
}
