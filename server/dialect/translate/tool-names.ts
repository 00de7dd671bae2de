import { createHash } from "node:crypto";
import type { Conversation, Part, ToolChoice } from "./conversation.js";
import type { Notes } from "./notes.js";
import type { SaidStep } from "./reply.js";
import type { Form } from "./side.js";

const CHARS_MAX = 64;
const PLAIN = /^[\w-]{1,64}$/;

/** The names of tools that providers of a form take. */
const FITTING: Readonly<Record<Form, RegExp>> = {
  CHAT: PLAIN,
  RESPONSES: PLAIN,
  MESSAGES: PLAIN,
  GENERATE: /^[A-Za-z_][\w.:-]{0,63}$/,
};
/** Characters of a hash in base64url: 48 bits, so that no two names of a conversation are the same. */
const HASH_CHARS = 8;

/** The caller's names of tools by those that stand for them. */
export type GivenNames = ReadonlyMap<string, string>;

export interface Renamed {
  readonly conversation: Conversation;
  readonly names: GivenNames;
}

const NONE: GivenNames = new Map();

/**
 * The conversation with no name of a tool that the form does not take. A name always becomes the same: the next
 * request begins with the same text, which providers cache.
 */
export function withFittingNames(conversation: Conversation, form: Form, notes: Notes): Renamed {
  const given = new Set(namesIn(conversation));
  const unfit = [...given].filter((name) => name !== "" && !FITTING[form].test(name));
  if (unfit.length === 0) return { conversation, names: NONE };
  notes.lose("tool_names");
  const fitting = new Map(unfit.map((name) => [name, fit(name)]));
  const renamed = <T extends { readonly name: string }>(each: T): T => {
    const name = fitting.get(each.name);
    return name === undefined ? each : { ...each, name };
  };
  const { tools, toolChoice, turns } = conversation;
  return {
    conversation: {
      ...conversation,
      tools: tools.map(renamed),
      toolChoice: toolChoice?.kind === "TOOL" ? renamed(toolChoice) : toolChoice,
      turns: turns.map(({ role, parts }) => ({
        role,
        parts: parts.map((part) => (isNamed(part) ? renamed(part) : part)),
      })),
    },
    names: new Map([...fitting].map(([name, stands]) => [stands, name])),
  };
}

/** Whatever names a tool, under the name that its caller gave it. */
export function asGiven<T extends { readonly kind: string }>(each: T, names: GivenNames): T {
  if (each.kind !== "TOOL_CALL" || !("name" in each)) return each;
  const name = names.get(String(each.name));
  return name === undefined ? each : { ...each, name };
}

/** A step that may begin a call, as above. */
export function stepAsGiven(step: SaidStep, names: GivenNames): SaidStep {
  if (step.kind !== "OPEN" || names.size === 0) return step;
  return { ...step, block: asGiven(step.block, names) };
}

function* namesIn(conversation: Conversation): Generator<string> {
  for (const { name } of conversation.tools) yield name;
  if (isTool(conversation.toolChoice)) yield conversation.toolChoice.name;
  for (const { parts } of conversation.turns) {
    for (const part of parts) if (isNamed(part)) yield part.name;
  }
}

function isTool(choice: ToolChoice | undefined): choice is ToolChoice & { kind: "TOOL" } {
  return choice?.kind === "TOOL";
}

function isNamed(part: Part): part is Part & { kind: "TOOL_CALL" | "TOOL_RESULT" } {
  return part.kind === "TOOL_CALL" || part.kind === "TOOL_RESULT";
}

function fit(name: string): string {
  const hash = createHash("sha256").update(name).digest("base64url").slice(0, HASH_CHARS);
  const plain = name.replaceAll(/[^\w-]/g, "_").replace(/^(?=[^A-Za-z_])/, "_");
  return `${plain.slice(0, CHARS_MAX - HASH_CHARS - 1)}_${hash}`;
}
