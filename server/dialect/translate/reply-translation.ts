import { utf8 } from "../../core/bytes.js";
import { Fault } from "../../core/fault.js";
import { nestsTooDeep } from "../json-depth.js";
import { parseObject, writeJson } from "./json.js";
import { type Forms, pairOf } from "./pair.js";
import type { CallFacts, Form } from "./side.js";
import { asGiven, type GivenNames } from "./tool-names.js";

/** One of these is in every reply of a form, however short. */
const REPLY_MEMBERS: Readonly<Record<Form, readonly string[]>> = {
  CHAT: ["choices"],
  RESPONSES: ["output"],
  MESSAGES: ["content"],
  GENERATE: ["candidates", "promptFeedback", "usageMetadata"],
};

/** A whole reply in the caller's language. Throws Fault `upstream_error` for what is no reply. */
export function translateReply(
  forms: Forms,
  body: Buffer,
  call: CallFacts,
  names: GivenNames,
): Buffer {
  const { caller, provider } = pairOf(forms);
  const text = utf8(body);
  const parsed = parseObject(text);
  if (parsed === undefined) throw nestsTooDeep(text) ? replyTooDeep() : noObject();
  const failure = provider.readFailure(parsed, 502);
  if (failure !== undefined) throw new Fault("upstream_error", failure.message);
  if (!REPLY_MEMBERS[provider.form].some((name) => name in parsed)) {
    throw new Fault("upstream_error", "The provider's reply holds no answer.");
  }
  const reply = provider.readReply(parsed, call);
  const parts = reply.parts.map((part) => asGiven(part, names));
  return Buffer.from(writeJson(caller.writeReply({ ...reply, parts }, call)));
}

function noObject(): Fault {
  return new Fault("upstream_error", "The provider's reply is no JSON object.");
}

export function replyTooDeep(): Fault {
  return new Fault("upstream_error", "The provider's reply is nested too deep to be translated.");
}
