import { owned, utf8 } from "../../core/bytes.js";
import { Fault } from "../../core/fault.js";
import { holdsTooMuch } from "../json-values.js";
import type { AskedItems, Conversation, Turn } from "./conversation.js";
import { HeldMedia } from "./held-media.js";
import { object, parseJson, writeJson } from "./json.js";
import { malformed, Notes, untranslatable } from "./notes.js";
import { type Forms, type Pair, pairOf } from "./pair.js";
import { withResultsInOrder, withResultsInPlace, withSingleResults } from "./result-order.js";
import type { Asked, CallFacts, Form, Target } from "./side.js";
import { withShortIds, withUniqueIds } from "./tool-ids.js";
import { type GivenNames, withFittingNames } from "./tool-names.js";
import { withTakenSchemas } from "./tool-schema.js";

/** What is known of a call before its body is read. */
export type CallInput = Omit<CallFacts, keyof ReadFacts>;

/** What is known of a call once its body is read. */
type ReadFacts = Pick<CallFacts, "usageAsked" | "tools" | "asked" | "settings" | "thoughtsShown">;

/** What the way back wants to know of a request that was translated. In data, as all that is in it. */
export interface Learnt {
  readonly facts: ReadFacts;
  readonly names: GivenNames;
  /** What the provider's language cannot say, in words, for the log. */
  readonly dropped: readonly string[];
}

export interface TranslatedRequest {
  readonly body: Buffer;
  readonly learnt: Learnt;
}

/**
 * A request in the provider's language, made without its media where what comes of it has a place for each. Throws Fault
 * `malformed_request`, and `untranslatable` with the name of what cannot be said.
 */
export function translateRequest(
  forms: Forms,
  body: Buffer,
  target: Target,
  input: CallInput,
): TranslatedRequest {
  const pair = pairOf(forms);
  const held = HeldMedia.of(body, input.id);
  if (held !== undefined) {
    const made = translateText(pair, held.text, target, input);
    const whole = held.putBack(made.text);
    if (whole !== undefined) {
      return { body: whole, learnt: learnt(made, (text) => held.part(text)) };
    }
  }
  const made = translateText(pair, utf8(body), target, input);
  return { body: Buffer.from(made.text), learnt: learnt(made, (text) => Buffer.from(text)) };
}

interface TranslatedText {
  readonly read: Conversation;
  readonly names: GivenNames;
  readonly text: string;
  readonly dropped: readonly string[];
}

function translateText(
  pair: Pair,
  given: string,
  target: Target,
  input: CallInput,
): TranslatedText {
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

/** Without what is not named again: this stays in memory as long as the reply. */
function learnt(
  { read, names, dropped }: TranslatedText,
  bytesOf: (text: string) => Buffer,
): Learnt {
  const { usageAsked, thoughtsShown, asked } = read;
  const settings = read.settings && utf8(bytesOf(read.settings));
  const tools = read.tools.flatMap(({ name, asDeclared }) =>
    asDeclared === undefined ? [] : [{ name, asDeclared }],
  );
  const kept = asked === undefined ? undefined : askedWith(asked, bytesOf);
  return { facts: { usageAsked, tools, asked: kept, settings, thoughtsShown }, names, dropped };
}

function askedWith({ previousId, input }: AskedItems, bytesOf: (items: string) => Buffer): Asked {
  return { previousId, input: owned(bytesOf(input)) };
}

/** The turns in an order, and with ids, such as providers of the form take. */
function turnsFor(form: Form, { turns }: Conversation, notes: Notes): readonly Turn[] {
  const single = withSingleResults(turns, notes);
  if (form === "RESPONSES") return single;
  const inPlace = withResultsInOrder(withResultsInPlace(single));
  return form === "MESSAGES" ? withUniqueIds(inPlace, notes) : inPlace;
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
