import type { ReplyFormat } from "../conversation.js";
import { type JsonObject, list, object, objects, string, writeJson } from "../json.js";
import { malformed, type Notes, untranslatable } from "../notes.js";
import { jsonSchemaOf } from "./schema.js";

/** The shape that a reply is to have: as a format, or in words where other dialects have no format for it. */
export interface AskedFormat {
  readonly format: ReplyFormat | undefined;
  /** For the system prompt. */
  readonly instruction: string | undefined;
}

/** Reads what `generationConfig` says of the reply's shape. Throws Fault `malformed_request`, `untranslatable`. */
export function readFormat(config: JsonObject, notes: Notes): AskedFormat {
  const text = textFormatOf(config);
  const given =
    object(text?.["schema"]) ??
    object(config["responseJsonSchema"]) ??
    object(config["responseSchema"]);
  const schema = given && jsonSchemaOf(given);
  switch (text?.["mimeType"] ?? config["responseMimeType"]) {
    case "application/json":
    case "APPLICATION_JSON":
      return jsonFormat(schema, notes);
    case "text/x.enum":
      notes.lose("gemini_enum");
      return { format: undefined, instruction: choiceInstruction(schema) };
    default:
      return { format: undefined, instruction: undefined };
  }
}

/** Google's newer way to say it, beside formats of sounds and pictures. */
function textFormatOf(config: JsonObject): JsonObject | undefined {
  const formats = objects(config["responseFormat"]);
  if (formats.some((format) => Object.keys(format).some((kind) => kind !== "text"))) {
    throw untranslatable("gemini_modalities");
  }
  return object(formats[0]?.["text"]);
}

function jsonFormat(given: JsonObject | undefined, notes: Notes): AskedFormat {
  const schema = withRootType(given);
  if (schema !== undefined && schema["type"] !== "object") {
    notes.lose("gemini_root");
    return { format: undefined, instruction: schemaInstruction(schema) };
  }
  const instruction = schema === undefined ? JSON_INSTRUCTION : undefined;
  if (instruction !== undefined) notes.lose("gemini_json");
  return { format: { name: "reply", schema, strict: undefined }, instruction };
}

/** OpenAI refuses its JSON mode where nobody says the word, which Google's callers need not. */
const JSON_INSTRUCTION = "Reply with JSON.";

/** Google takes properties alone for an object; others want it said. */
function withRootType(schema: JsonObject | undefined): JsonObject | undefined {
  if (schema?.["type"] !== undefined || schema?.["properties"] === undefined) return schema;
  return { type: "object", ...schema };
}

function schemaInstruction(schema: JsonObject): string {
  return `Reply with one JSON value and nothing else: no other text, no code fence. It must be valid against this JSON Schema:\n${writeJson(schema)}`;
}

function choiceInstruction(schema: JsonObject | undefined): string {
  const values = list(schema?.["enum"]).flatMap((each) => string(each) ?? []);
  if (values.length === 0) throw malformed('"text/x.enum" needs an "enum" in "responseSchema".');
  return `Reply with exactly one of these values and nothing else:\n${values.join("\n")}`;
}
