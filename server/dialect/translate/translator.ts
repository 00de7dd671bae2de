import { Fault } from "../../core/fault.js";
import type { Dialect } from "../../core/provider.js";
import type { Problem, StreamEdit, StreamFailure } from "../codec.js";
import { CODECS } from "../codecs.js";
import { nestsTooDeep } from "../json-depth.js";
import { callersFailure } from "./failures.js";
import { list, object, parseJson } from "./json.js";
import { type Forms, type Pair, pairOf } from "./pair.js";
import { problemOfFailure } from "./problems.js";
import type { Failure, StreamStep } from "./reply.js";
import { replyTooDeep, translateReply } from "./reply-translation.js";
import { type CallInput, type Learnt, translateRequest } from "./request-translation.js";
import type { CallFacts, Form, StreamReader, StreamWriter, Target } from "./side.js";
import { type SseEvent, SseEvents } from "./sse-events.js";
import { type GivenNames, stepAsGiven } from "./tool-names.js";

/** What there is to know for a reply's translation. */
export interface ReplyFacts {
  readonly forms: Forms;
  readonly call: CallFacts;
  readonly names: GivenNames;
}

/** A request in the provider's language, and the way back for whatever the provider answers. */
export interface Translation {
  readonly body: Buffer;
  /** Of what the caller gets. */
  readonly contentType: string;
  /** With this, a long reply can be translated elsewhere; undefined where there is none. */
  readonly inData?: ReplyFacts;
  /** What the provider's language cannot say, in words, for the log. */
  readonly dropped: readonly string[];
  /** What a good reply means where it need not be the last; undefined where it always is. */
  readonly followUp?: (body: Buffer) => FollowUp;
  /**
   * A whole reply in the caller's language. `files`: what was fetched where the follow-up says so. Throws Fault
   * `upstream_error` for what is no reply.
   */
  reply(body: Buffer, files?: readonly Buffer[]): Buffer;
  /** Translates one stream of events, however its bytes were cut. The caller's last event comes only after the provider's. */
  stream(): StreamEdit;
  /** The body of an error answer in the caller's language. */
  error(httpStatus: number, body: string): string;
}

/** What is still needed of a translation when its request is on its way. */
export type WayBack = Omit<Translation, "body">;

/** What comes after a reply of a provider that works in tasks: another question, files, the answer, or nothing good. */
export type FollowUp =
  | { readonly kind: "ASK"; readonly path: string }
  /** The answer holds what lies at these addresses. */
  | { readonly kind: "FETCH"; readonly urls: readonly string[] }
  | { readonly kind: "DONE" }
  | { readonly kind: "FAILED"; readonly httpStatus: number; readonly message: string };

/** Translates between one form of request and another. */
export interface Translator {
  /** Throws Fault `malformed_request`, and `untranslatable` with the name of what cannot be said. */
  request(body: Buffer, target: Target, call: CallInput): Translation;
  /** With these, a long request can be translated elsewhere; undefined where there are none. */
  readonly forms?: Forms;
}

/** The form in which a provider of a dialect is asked for what callers ask in another. */
export function formOf(dialect: Dialect): Form {
  return FORMS[dialect];
}

const FORMS: Readonly<Record<Dialect, Form>> = {
  OPENAI: "CHAT",
  ANTHROPIC: "MESSAGES",
  GEMINI: "GENERATE",
};

/** Where a provider of a form is asked: the path as its own SDKs have it, and the query, empty for none. */
export function requestPath(form: Form, streamed: boolean): { path: string; query: string } {
  if (form !== "GENERATE") return { path: PATHS[form], query: "" };
  const action = streamed ? "streamGenerateContent" : "generateContent";
  return { path: `/v1beta/models/{model}:${action}`, query: streamed ? "alt=sse" : "" };
}

const PATHS: Readonly<Record<Exclude<Form, "GENERATE">, string>> = {
  CHAT: "/v1/chat/completions",
  RESPONSES: "/v1/responses",
  MESSAGES: "/v1/messages",
};

/** The translator from a caller's form to a provider's; undefined where both are the same. */
export function translatorFor(from: Form, to: Form): Translator | undefined {
  if (from === to) return undefined;
  const forms = { caller: from, provider: to };
  return {
    forms,
    request: (body, target, call) => {
      const translated = translateRequest(forms, body, target, call);
      return { body: translated.body, ...wayBack(forms, call, translated.learnt) };
    },
  };
}

/** Made where nothing of the request is in sight: what these functions see stays in memory as long as the stream. */
export function wayBack(forms: Forms, input: CallInput, learnt: Learnt): WayBack {
  const pair = pairOf(forms);
  const { names, dropped } = learnt;
  const call: CallFacts = { ...input, ...learnt.facts };
  return {
    contentType:
      call.streamed && !call.asArray ? "text/event-stream; charset=utf-8" : "application/json",
    dropped,
    inData: { forms, call, names },
    reply: (reply) => translateReply(forms, reply, call, names),
    stream: () => new EventTranslation(pair, call, names),
    error: (httpStatus, text) => translateError(pair, httpStatus, text, call.id),
  };
}

const REASON_CHARS_MAX = 500;

function translateError(pair: Pair, httpStatus: number, text: string, id: string): string {
  const { dialect } = pair.caller;
  const body = errorObject(text);
  const failure = (body && pair.provider.readFailure(body, httpStatus)) ?? {
    httpStatus,
    code: "",
    message: text.slice(0, REASON_CHARS_MAX),
  };
  return CODECS[dialect].errorBody(problemOfFailure({ ...failure, httpStatus }, dialect, id));
}

/** Google answers with a list of one on some of its paths. */
function errorObject(text: string): Record<string, unknown> | undefined {
  try {
    const parsed = parseJson(text);
    return object(parsed) ?? object(list(parsed)[0]);
  } catch {
    return undefined;
  }
}

const NOTHING = Buffer.alloc(0);

class EventTranslation implements StreamEdit {
  readonly #events = new SseEvents();
  readonly #reader: StreamReader;
  readonly #writer: StreamWriter;
  readonly #names: GivenNames;
  readonly #dialect: Dialect;
  readonly #callId: string;
  #speaks = false;
  /** What came could not be read, and nothing after it is read. */
  #unreadable = false;
  #failure: StreamFailure | undefined;

  constructor(pair: Pair, call: CallFacts, names: GivenNames) {
    this.#names = names;
    this.#dialect = pair.caller.dialect;
    this.#callId = call.id;
    this.#reader = pair.provider.streamReader(call);
    this.#writer = pair.caller.streamWriter(call);
  }

  get keptBytes(): number {
    return this.#events.heldBytes + this.#reader.keptBytes + this.#writer.keptBytes;
  }

  get failure(): StreamFailure | undefined {
    return this.#failure;
  }

  push(bytes: Buffer): Buffer {
    return this.#told(() => this.#events.push(bytes));
  }

  errorEvents(problem: Problem): string {
    return this.#writer.fail(problem);
  }

  end(): Buffer {
    return Buffer.concat([this.#told(() => this.#events.rest()), this.#ended()]);
  }

  #ended(): Buffer {
    return this.#unreadable ? NOTHING : Buffer.from(this.#write(this.#reader.end()));
  }

  /** What the events say, up to one that cannot be read: that ends the stream as an error of the provider's would. */
  #told(events: () => readonly SseEvent[]): Buffer {
    if (this.#unreadable) return NOTHING;
    const said: string[] = [];
    try {
      for (const event of events()) said.push(this.#readEvent(event));
    } catch (thrown) {
      if (!(thrown instanceof Fault) || thrown.code !== "upstream_error") throw thrown;
      this.#unreadable = true;
      const failure = { httpStatus: 502, code: thrown.code, message: thrown.publicMessage };
      said.push(this.#fail(failure));
    }
    return Buffer.from(said.join(""));
  }

  #readEvent(event: SseEvent): string {
    if (nestsTooDeep(event.data)) throw replyTooDeep();
    return this.#write(this.#reader.push(event));
  }

  #write(steps: readonly StreamStep[]): string {
    return steps.map((step) => this.#step(step)).join("");
  }

  #step(step: StreamStep): string {
    if (step.kind === "FAIL") return this.#fail(step.failure);
    if (step.kind === "OPEN") this.#speaks = true;
    return this.#writer.push(stepAsGiven(step, this.#names));
  }

  #fail(failure: Failure): string {
    const { httpStatus, code, message } = failure;
    const error = JSON.stringify({ error: { code: httpStatus, type: code, message } });
    this.#failure = { opening: !this.#speaks, error };
    return this.errorEvents(problemOfFailure(callersFailure(failure), this.#dialect, this.#callId));
  }
}
