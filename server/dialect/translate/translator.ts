import { Fault } from "../../core/fault.js";
import type { Dialect } from "../../core/provider.js";
import { utf8 } from "../../core/bytes.js";
import type { Problem, StreamEdit, StreamFailure } from "../codec.js";
import { CODECS } from "../codecs.js";
import { nestsTooDeep } from "../json-depth.js";
import { holdsTooMuch } from "../json-values.js";
import { chatSide } from "./chat/side.js";
import type { Conversation, Turn } from "./conversation.js";
import { callersFailure } from "./failures.js";
import { HeldMedia } from "./held-media.js";
import { generateSide } from "./generate/side.js";
import { list, object, parseJson, parseObject, writeJson } from "./json.js";
import { malformed, Notes, untranslatable } from "./notes.js";
import { messagesSide } from "./messages/side.js";
import { problemOfFailure } from "./problems.js";
import { responsesSide } from "./responses/side.js";
import type { Failure, StreamStep } from "./reply.js";
import type { CallFacts, Form, Side, StreamReader, StreamWriter, Target } from "./side.js";
import { type SseEvent, SseEvents } from "./sse-events.js";
import { withResultsInOrder, withResultsInPlace, withSingleResults } from "./result-order.js";
import { withShortIds, withUniqueIds } from "./tool-ids.js";
import { asGiven, type GivenNames, stepAsGiven, withFittingNames } from "./tool-names.js";
import { withTakenSchemas } from "./tool-schema.js";

const SIDES: Readonly<Record<Form, Side>> = {
  CHAT: chatSide,
  RESPONSES: responsesSide,
  MESSAGES: messagesSide,
  GENERATE: generateSide,
};

/** What is known of a call before its body is read. */
export type CallInput = Omit<
  CallFacts,
  "usageAsked" | "tools" | "asked" | "settings" | "thoughtsShown"
>;

/** A request in the provider's language, and the way back for whatever the provider answers. */
export interface Translation {
  readonly body: Buffer;
  /** Of what the caller gets. */
  readonly contentType: string;
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
  const caller = SIDES[from];
  const provider = SIDES[to];
  if (from === to) return undefined;
  return {
    request: (body, target, call) => translate({ caller, provider }, body, target, call),
  };
}

interface Pair {
  readonly caller: Side;
  readonly provider: Side;
}

function translate(pair: Pair, body: Buffer, target: Target, input: CallInput): Translation {
  const { read, names, written, dropped } = translateRequest(pair, body, target, input);
  return { body: written, ...wayBack(pair, factsOf(input, read), { names, dropped }) };
}

interface TranslatedRequest {
  readonly read: Conversation;
  readonly names: GivenNames;
  readonly written: Buffer;
  readonly dropped: readonly string[];
}

/** Without its media, where what comes of it has a place for each. */
function translateRequest(
  pair: Pair,
  body: Buffer,
  target: Target,
  input: CallInput,
): TranslatedRequest {
  const held = HeldMedia.of(body, input.id);
  if (held !== undefined) {
    const { read, text, ...rest } = translateText(pair, held.text, target, input);
    const written = held.putBack(text);
    if (written !== undefined) {
      const { asked, settings } = held.whole({ asked: read.asked, settings: read.settings });
      return { ...rest, read: { ...read, asked, settings }, written };
    }
  }
  const { text, ...rest } = translateText(pair, utf8(body), target, input);
  return { ...rest, written: Buffer.from(text) };
}

function translateText(pair: Pair, given: string, target: Target, input: CallInput) {
  const notes = new Notes();
  const asked = { ...input, usageAsked: false, tools: [] };
  return guarded(() => {
    const read = pair.caller.readRequest(readBody(given), asked, notes);
    const { form } = pair.provider;
    const taken = withTakenSchemas({ ...read, turns: turnsFor(form, read, notes) }, notes);
    const short = withShortIds(taken, form, notes);
    const { conversation, names } = withFittingNames(short, form, notes);
    const text = writeJson(pair.provider.writeRequest(conversation, target, notes));
    return { read, names, text, dropped: notes.dropped };
  });
}

/** The turns in an order, and with ids, such as providers of the form take. */
function turnsFor(form: Form, { turns }: Conversation, notes: Notes): readonly Turn[] {
  const single = withSingleResults(turns, notes);
  if (form === "RESPONSES") return single;
  const inPlace = withResultsInOrder(withResultsInPlace(single));
  return form === "MESSAGES" ? withUniqueIds(inPlace, notes) : inPlace;
}

/** Made where nothing of the request is in sight: what these functions see stays in memory as long as the stream. */
function wayBack(
  pair: Pair,
  call: CallFacts,
  { names, dropped }: { readonly names: GivenNames; readonly dropped: readonly string[] },
): WayBack {
  return {
    contentType:
      call.streamed && !call.asArray ? "text/event-stream; charset=utf-8" : "application/json",
    dropped,
    reply: (reply) => translateReply(pair, reply, call, names),
    stream: () => new EventTranslation(pair, call, names),
    error: (httpStatus, text) => translateError(pair, httpStatus, text, call.id),
  };
}

function factsOf(input: CallInput, conversation: Conversation): CallFacts {
  const { usageAsked, tools, asked, settings, thoughtsShown } = conversation;
  return { ...input, usageAsked, tools, asked, settings, thoughtsShown };
}

function readBody(text: string): Record<string, unknown> {
  if (holdsTooMuch(text)) throw untranslatable("many_values");
  const parsed = object(parseJson(text));
  if (parsed === undefined) throw malformed("The body must be a JSON object.");
  return parsed;
}

/** Bodies that are no JSON are the caller's fault and not a bug. */
function guarded<T>(step: () => T): T {
  try {
    return step();
  } catch (thrown) {
    if (thrown instanceof SyntaxError) {
      throw new Fault("malformed_request", "The body is not valid JSON.", { cause: thrown });
    }
    throw thrown;
  }
}

/** One of these is in every reply of a form, however short. */
const REPLY_MEMBERS: Readonly<Record<Form, readonly string[]>> = {
  CHAT: ["choices"],
  RESPONSES: ["output"],
  MESSAGES: ["content"],
  GENERATE: ["candidates", "promptFeedback", "usageMetadata"],
};

function noObject(): Fault {
  return new Fault("upstream_error", "The provider's reply is no JSON object.");
}

function tooDeep(): Fault {
  return new Fault("upstream_error", "The provider's reply is nested too deep to be translated.");
}

function translateReply(pair: Pair, body: Buffer, call: CallFacts, names: GivenNames): Buffer {
  const text = utf8(body);
  const parsed = parseObject(text);
  if (parsed === undefined) throw nestsTooDeep(text) ? tooDeep() : noObject();
  const failure = pair.provider.readFailure(parsed, 502);
  if (failure !== undefined) throw new Fault("upstream_error", failure.message);
  if (!REPLY_MEMBERS[pair.provider.form].some((name) => name in parsed)) {
    throw new Fault("upstream_error", "The provider's reply holds no answer.");
  }
  const reply = pair.provider.readReply(parsed, call);
  const parts = reply.parts.map((part) => asGiven(part, names));
  return Buffer.from(writeJson(pair.caller.writeReply({ ...reply, parts }, call)));
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
    if (nestsTooDeep(event.data)) throw tooDeep();
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
