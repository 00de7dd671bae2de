import { type JsonObject, object } from "../json.js";

/** A message of Google's API. Members that are not named here are left as they are. */
interface Message {
  /** Members of which there may be several. */
  readonly lists?: ReadonlySet<string>;
  /** Members that are messages themselves. */
  readonly inner?: Readonly<Record<string, Message>>;
}

const PLAIN: Message = {};
const MEDIA: Message = { inner: { inlineData: PLAIN, fileData: PLAIN } };
const PART: Message = {
  inner: {
    inlineData: PLAIN,
    fileData: PLAIN,
    functionCall: PLAIN,
    functionResponse: { lists: new Set(["parts"]), inner: { parts: MEDIA } },
  },
};
const CONTENT: Message = { lists: new Set(["parts"]), inner: { parts: PART } };
const TOOL: Message = {
  lists: new Set(["functionDeclarations"]),
  inner: { functionDeclarations: PLAIN },
};
const TOOL_CONFIG: Message = {
  inner: { functionCallingConfig: { lists: new Set(["allowedFunctionNames"]) } },
};
const REQUEST: Message = {
  lists: new Set(["contents", "tools"]),
  inner: {
    contents: CONTENT,
    systemInstruction: CONTENT,
    tools: TOOL,
    toolConfig: TOOL_CONFIG,
    generationConfig: {
      lists: new Set(["stopSequences", "responseModalities", "responseFormat"]),
      inner: { responseFormat: { inner: { text: PLAIN } }, thinkingConfig: PLAIN },
    },
  },
};

/**
 * A generateContent request in one spelling. Google reads names in snake case as well, one value as a list of
 * one, and null as nothing; its own examples are written so. What callers name themselves (arguments, results,
 * schemas) keeps its names.
 */
export function plainRequest(body: JsonObject): JsonObject {
  return plain(body, REQUEST);
}

function plain(given: JsonObject, message: Message): JsonObject {
  const members: [string, unknown][] = [];
  for (const [key, value] of Object.entries(given)) {
    if (value === null) continue;
    const name = camelCase(key);
    const isMany = message.lists?.has(name) === true && !Array.isArray(value);
    members.push([name, plainMember(isMany ? [value] : value, message.inner?.[name])]);
  }
  return Object.fromEntries(members);
}

function plainMember(value: unknown, message: Message | undefined): unknown {
  if (message === undefined) return value;
  if (Array.isArray(value)) return value.map((each) => plainMember(each, message));
  const given = object(value);
  return given === undefined ? value : plain(given, message);
}

/** A name as Google's JSON has it, from that in its definitions. */
export function camelCase(name: string): string {
  if (!name.includes("_")) return name;
  return name.replaceAll(/_([a-z0-9])/g, (_found, letter: string) => letter.toUpperCase());
}
