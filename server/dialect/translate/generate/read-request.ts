import type {
  Conversation,
  MediaPart,
  Part,
  ReplyFormat,
  Tool,
  ToolChoice,
  Turn,
} from "../conversation.js";
import { type JsonObject, list, number, object, objects, string, writeJson } from "../json.js";
import { malformed, type Notes, untranslatable } from "../losses.js";
import type { CallFacts } from "../side.js";
import { nonEmpty } from "../chat/reply.js";
import { CallIds } from "./call-ids.js";
import { callPart } from "./parts.js";
import { plainRequest } from "./proto-json.js";
import { jsonSchemaOf } from "./schema.js";

const READ = new Set([
  "model",
  "contents",
  "systemInstruction",
  "tools",
  "toolConfig",
  "generationConfig",
  "cachedContent",
  "safetySettings",
  "labels",
  "modelArmorConfig",
]);

/** Reads a generateContent request. Throws Fault `malformed_request`, `untranslatable`. */
export function readGenerateRequest(
  given: JsonObject,
  call: CallFacts,
  notes: Notes,
): Conversation {
  const body = plainRequest(given);
  notes.unread(body, READ);
  if (body["cachedContent"] !== undefined) throw untranslatable("cached_content");
  for (const name of ["safetySettings", "labels", "modelArmorConfig"]) {
    if (body[name] !== undefined) notes.lose("gemini_extras");
  }
  const config = object(body["generationConfig"]) ?? {};
  refuseOddities(config, notes);
  const chosen = choiceOf(object(body["toolConfig"]));
  const tools = objects(body["tools"]).flatMap(readTools);
  return {
    system: systemOf(body["systemInstruction"]),
    turns: turnsOf(body["contents"], call),
    tools: chosen.only.size === 0 ? tools : tools.filter((tool) => chosen.only.has(tool.name)),
    toolChoice: chosen.choice,
    parallelTools: undefined,
    maxTokens: number(config["maxOutputTokens"]),
    temperature: number(config["temperature"]),
    topP: number(config["topP"]),
    topK: number(config["topK"]),
    seed: number(config["seed"]),
    frequencyPenalty: number(config["frequencyPenalty"]),
    presencePenalty: number(config["presencePenalty"]),
    stop: list(config["stopSequences"]).flatMap((each) => string(each) ?? []),
    stream: call.streamed,
    usageAsked: true,
    format: formatOf(config),
    effort: undefined,
  };
}

function refuseOddities(config: JsonObject, notes: Notes): void {
  if ((number(config["candidateCount"]) ?? 1) > 1) throw untranslatable("candidates");
  if (config["responseLogprobs"] === true) throw untranslatable("logprobs", '"responseLogprobs"');
  const modalities = list(config["responseModalities"]);
  const onlyText = modalities.every((each) => string(each)?.toUpperCase() === "TEXT");
  if (!onlyText || config["speechConfig"] !== undefined || config["imageConfig"] !== undefined) {
    throw untranslatable("gemini_modalities");
  }
  if (config["thinkingConfig"] !== undefined || config["mediaResolution"] !== undefined) {
    notes.lose("gemini_extras");
  }
}

function systemOf(instruction: unknown): string[] {
  if (instruction === undefined) return [];
  if (typeof instruction === "string") return [instruction];
  return partsOf(instruction).flatMap((part) => string(part["text"]) ?? []);
}

function turnsOf(contents: unknown, call: CallFacts): Turn[] {
  const given = list(contents);
  if (given.length === 0) throw malformed('"contents" is missing.');
  const ids = new CallIds(call.id);
  return given.map((content) => turnOf(content, ids));
}

function turnOf(content: unknown, ids: CallIds): Turn {
  if (typeof content === "string")
    return { role: "USER", parts: [{ kind: "TEXT", text: content }] };
  const parts = partsOf(content);
  if (parts.length === 0) throw malformed('Each of the "contents" needs "parts".');
  return {
    role: object(content)?.["role"] === "model" ? "ASSISTANT" : "USER",
    parts: parts.flatMap((part) => readPart(part, ids)),
  };
}

function partsOf(content: unknown): JsonObject[] {
  const given = object(content)?.["parts"];
  const parts = objects(given);
  if (given === undefined || parts.length < list(given).length) {
    throw malformed('"parts" must be a list of objects.');
  }
  return parts;
}

function readPart(part: JsonObject, ids: CallIds): Part[] {
  const text = string(part["text"]);
  const functionCall = object(part["functionCall"]);
  const functionResponse = object(part["functionResponse"]);
  if (functionCall !== undefined) {
    const name = string(functionCall["name"]) ?? "";
    return [callPart(part, ids.ofCall(name, nonEmpty(functionCall["id"])))];
  }
  if (functionResponse !== undefined) return [readResult(functionResponse, ids)];
  if (part["inlineData"] !== undefined || part["fileData"] !== undefined) return [mediaOf(part)];
  if (text !== undefined && part["thought"] === true) {
    return [{ kind: "THINKING", text, signature: undefined, redacted: false }];
  }
  if (text !== undefined) return text === "" ? [] : [{ kind: "TEXT", text }];
  const kind = Object.keys(part).find((key) => key !== "thought" && key !== "thoughtSignature");
  // A signature alone belongs to the thoughts before it.
  if (kind === undefined) return [];
  throw untranslatable("unknown_part", `content of type "${kind.slice(0, 64)}"`);
}

function readResult(given: JsonObject, ids: CallIds): Part {
  const name = string(given["name"]) ?? "";
  const response = object(given["response"]);
  const text = textOfResponse(response);
  return {
    kind: "TOOL_RESULT",
    id: ids.ofResult(name, nonEmpty(given["id"])),
    name,
    parts: [
      ...(text === "" ? [] : [{ kind: "TEXT" as const, text }]),
      ...objects(given["parts"]).map(mediaOf),
    ],
    failed: response?.["error"] !== undefined,
  };
}

/** Results under Google's own names for them are taken out of their object. */
function textOfResponse(response: JsonObject | undefined): string {
  if (response === undefined) return "";
  const keys = Object.keys(response);
  const only = keys.length === 1 ? response[keys[0] ?? ""] : undefined;
  if (/^(?:output|result|error)$/.test(keys[0] ?? "") && typeof only === "string") return only;
  return writeJson(response);
}

function mediaOf(part: JsonObject): MediaPart {
  const inline = object(part["inlineData"]);
  const file = object(part["fileData"]);
  const mediaType = string((inline ?? file)?.["mimeType"]) ?? "";
  const data = string(inline?.["data"]);
  const url = string(file?.["fileUri"]);
  if (url?.startsWith("https://generativelanguage.") === true) throw untranslatable("file_id");
  const kind = kindOf(mediaType);
  return { kind, mediaType, data, url, name: undefined, detail: undefined };
}

function kindOf(mediaType: string): MediaPart["kind"] {
  if (mediaType.startsWith("image/")) return "IMAGE";
  if (mediaType.startsWith("audio/")) return "AUDIO";
  if (mediaType.startsWith("video/")) throw untranslatable("unknown_part", "video");
  return "DOCUMENT";
}

function readTools(tool: JsonObject): Tool[] {
  const hosted = Object.keys(tool).find((key) => key !== "functionDeclarations");
  if (hosted !== undefined) throw untranslatable("gemini_tools", `the tool "${hosted}"`);
  return objects(tool["functionDeclarations"]).map((each) => {
    const google = object(each["parameters"]);
    return {
      name: string(each["name"]) ?? "",
      description: string(each["description"]),
      schema:
        object(each["parametersJsonSchema"]) ??
        (google === undefined ? undefined : jsonSchemaOf(google)),
      strict: undefined,
      asDeclared: undefined,
    };
  });
}

function choiceOf(config: JsonObject | undefined): {
  choice: ToolChoice | undefined;
  only: ReadonlySet<string>;
} {
  const calling = object(config?.["functionCallingConfig"]);
  const names = list(calling?.["allowedFunctionNames"]).flatMap((each) => string(each) ?? []);
  const only = new Set(names);
  const [name] = names;
  switch (calling?.["mode"]) {
    case "NONE":
      return { choice: { kind: "NONE" }, only: new Set() };
    case "ANY":
      if (name !== undefined && names.length === 1) return { choice: { kind: "TOOL", name }, only };
      return { choice: { kind: "REQUIRED" }, only };
    case "AUTO":
    case "VALIDATED":
      return { choice: { kind: "AUTO" }, only };
    default:
      return { choice: undefined, only };
  }
}

function formatOf(config: JsonObject): ReplyFormat | undefined {
  if (config["responseMimeType"] !== "application/json") return undefined;
  const google = object(config["responseSchema"]);
  const schema = object(config["responseJsonSchema"]) ?? (google && jsonSchemaOf(google));
  return { name: "reply", schema, strict: undefined };
}
