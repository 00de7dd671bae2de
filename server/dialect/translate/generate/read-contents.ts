import { type MediaPart, mergedTurns, type Part, type Turn } from "../conversation.js";
import { type JsonObject, list, nonEmpty, object, objects, string, writeJson } from "../json.js";
import { malformed, untranslatable } from "../notes.js";
import { unknownPart } from "../request-members.js";
import { CallIds } from "./call-ids.js";
import { callPart } from "./parts.js";

/** The texts of a system instruction. Throws Fault `malformed_request`. */
export function readSystem(instruction: unknown): string[] {
  if (instruction === undefined) return [];
  if (typeof instruction === "string") return [instruction];
  return partsOf(instruction).flatMap((part) => string(part["text"]) ?? []);
}

/** The turns of a request. Throws Fault `malformed_request`, `untranslatable`. */
export function readContents(contents: unknown): Turn[] {
  const given = list(contents);
  if (given.length === 0) throw malformed('"contents" is missing.');
  const ids = new CallIds(idsIn(given));
  const turns = given.map((content) => turnOf(content, ids));
  return mergedTurns(turns, ({ role }) => role === "ASSISTANT").map(withWholeTexts);
}

/** What the model said in one go: Google's SDKs bring each piece of its stream back as a content of its own. */
function withWholeTexts(turn: Turn): Turn {
  if (turn.role !== "ASSISTANT") return turn;
  const parts: Part[] = [];
  for (const part of turn.parts) {
    const last = parts.at(-1);
    const goesOn =
      (part.kind === "TEXT" && last?.kind === "TEXT") ||
      (part.kind === "THINKING" && last?.kind === "THINKING");
    if (goesOn) parts[parts.length - 1] = { ...last, text: last.text + part.text };
    else parts.push(part);
  }
  return { role: turn.role, parts };
}

/** The ids that a caller gave its calls. */
function idsIn(contents: readonly unknown[]): Set<string> {
  const ids = new Set<string>();
  for (const content of contents) {
    for (const part of objects(object(content)?.["parts"])) {
      const id = nonEmpty(object(part["functionCall"])?.["id"]);
      if (id !== undefined) ids.add(id);
    }
  }
  return ids;
}

function turnOf(content: unknown, ids: CallIds): Turn {
  if (typeof content === "string") {
    return { role: "USER", parts: [{ kind: "TEXT", text: content }] };
  }
  const parts = partsOf(content);
  if (parts.length === 0) throw malformed('Each of the "contents" needs "parts".');
  const read = parts.flatMap((part) => readPart(part, ids));
  if (!isModel(object(content)?.["role"])) return { role: "USER", parts: read };
  if (read.some(({ kind }) => MEDIA.has(kind))) throw untranslatable("media_past");
  return { role: "ASSISTANT", parts: read };
}

/** Some callers name the model as other dialects do, and would lose their calls of tools. */
function isModel(role: unknown): boolean {
  return role === "model" || role === "assistant";
}

const MEDIA: ReadonlySet<Part["kind"]> = new Set(["IMAGE", "DOCUMENT", "AUDIO"]);

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
  throw unknownPart(kind);
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
  if (url !== undefined && OF_GOOGLE.test(url)) throw untranslatable("file_id");
  const kind = kindOf(mediaType);
  return { kind, mediaType, data, url, name: undefined, detail: undefined };
}

/** Where files lie that only Google can read. */
const OF_GOOGLE = /^(?:https:\/\/generativelanguage\.|gs:\/\/)/;

function kindOf(mediaType: string): MediaPart["kind"] {
  if (mediaType.startsWith("image/")) return "IMAGE";
  if (mediaType.startsWith("audio/")) return "AUDIO";
  if (mediaType.startsWith("video/")) throw untranslatable("unknown_part", "video");
  return "DOCUMENT";
}
