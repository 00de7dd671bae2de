import { Fault } from "../../core/fault.js";
import { utf8 } from "../../core/bytes.js";
import { openaiCodec } from "../openai.js";
import {
  type JsonObject,
  number,
  object,
  objects,
  parseObject,
  string,
  writeJson,
} from "../translate/json.js";
import { malformed, Notes, untranslatable } from "../translate/notes.js";
import type { CallInput } from "../translate/request-translation.js";
import type { FollowUp, Translation } from "../translate/translator.js";
import type { Target } from "../translate/side.js";

// Alibaba's DashScope makes images as tasks: one request begins a task, and further ones ask for what became
// of it. Paths, fields and states as in its reference of wanx, "text-to-image v1 and v2".

/** Where a task begins, under the native API of the base URL. */
export const DASHSCOPE_IMAGES_PATH = "/v1/services/aigc/text2image/image-synthesis";

/** The header line without which DashScope refuses such a call, with its CR LF. */
export const DASHSCOPE_TASK_HEADERS = "x-dashscope-async: enable\r\n";

const READ = new Set([
  "model",
  "prompt",
  "n",
  "size",
  "seed",
  "negative_prompt",
  "response_format",
  "stream",
]);
/** OpenAI's; of the models here some make four where none are asked for. */
const IMAGES_DEFAULT = 1;
const SIZE = /^(\d{2,5})[x*](\d{2,5})$/;

/** Turns a request for images into a task, and what became of the task into OpenAI's reply. */
export const dashscopeImages = {
  /** Throws Fault `malformed_request` and `untranslatable`. */
  request(body: Buffer, target: Target, call: CallInput): Translation {
    const notes = new Notes();
    const given = parseObject(utf8(body));
    if (given === undefined) throw malformed("The body must be a JSON object.");
    const inBytes = given["response_format"] === "b64_json";
    return {
      body: Buffer.from(writeJson(taskOf(given, target.model, notes))),
      contentType: "application/json",
      dropped: notes.dropped,
      followUp: (reply) => followUp(reply, inBytes),
      reply: (last, files) => replyOf(last, inBytes ? files : undefined, call.nowSeconds),
      stream: () => {
        throw new Fault("internal", "Tasks do not stream.");
      },
      error: (httpStatus, text) => errorOf(httpStatus, text, call.id),
    };
  },
};

function taskOf(given: JsonObject, model: string, notes: Notes): JsonObject {
  notes.unread(given, READ);
  if (given["stream"] === true) throw untranslatable("image_stream");
  const prompt = string(given["prompt"]);
  if (prompt === undefined || prompt === "") throw malformed('A "prompt" is needed.');
  return {
    model,
    input: { prompt, negative_prompt: string(given["negative_prompt"]) },
    parameters: {
      size: sizeOf(given["size"]),
      n: number(given["n"]) ?? IMAGES_DEFAULT,
      seed: number(given["seed"]),
    },
  };
}

/** `1024x1024` is `1024*1024` there; what is left open is the model's default. */
function sizeOf(given: unknown): string | undefined {
  if (given === undefined || given === null || given === "auto") return undefined;
  const [, width, height] = SIZE.exec(string(given) ?? "") ?? [];
  if (width === undefined || height === undefined) {
    throw malformed('The "size" must be such as 1024x1024, or auto.');
  }
  return `${width}*${height}`;
}

const UNDER_WAY: ReadonlySet<unknown> = new Set(["PENDING", "RUNNING", "SUSPENDED"]);

/** `inBytes`: the caller wants the images themselves and not their addresses. */
function followUp(body: Buffer, inBytes: boolean): FollowUp {
  const output = object(parseObject(utf8(body))?.["output"]) ?? {};
  const id = string(output["task_id"]) ?? "";
  if (UNDER_WAY.has(output["task_status"]) && /^[\w-]{1,128}$/.test(id)) {
    return { kind: "ASK", path: `/v1/tasks/${id}` };
  }
  const images = imagesOf(output);
  if (images.length > 0) {
    return inBytes
      ? { kind: "FETCH", urls: images.map(({ url }) => secured(url)) }
      : { kind: "DONE" };
  }
  const failed = objects(output["results"]).find((each) => string(each["code"]) !== undefined);
  const code = string(output["code"]) ?? string(failed?.["code"]) ?? "";
  const message = string(output["message"]) ?? string(failed?.["message"]) ?? "";
  const text = message === "" ? "The provider's task ended without an image." : message;
  return { kind: "FAILED", httpStatus: statusOf(code), message: text };
}

/** What is wrong with the prompt stays wrong with every other key. */
function statusOf(code: string): number {
  if (code.startsWith("Throttling")) return 429;
  return /^(?:InvalidParameter|DataInspectionFailed|IPInfringementSuspect)/.test(code) ? 400 : 502;
}

/** Its storage is named without TLS now and then, and has it always. */
function secured(url: string): string {
  return url.replace(/^http:(?=\/\/[\w.-]+\.aliyuncs\.com\/)/, "https:");
}

interface MadeImage {
  readonly url: string;
  readonly revised_prompt: string | undefined;
}

function imagesOf(output: JsonObject): MadeImage[] {
  return objects(output["results"]).flatMap((each) => {
    const url = string(each["url"]);
    return url === undefined ? [] : [{ url, revised_prompt: string(each["actual_prompt"]) }];
  });
}

/** `files`: of each image its bytes; undefined where the caller gets addresses. */
function replyOf(body: Buffer, files: readonly Buffer[] | undefined, nowSeconds: number): Buffer {
  const images = imagesOf(object(parseObject(utf8(body))?.["output"]) ?? {});
  const data =
    files === undefined
      ? images
      : images.map(({ revised_prompt }, i) => {
          return { b64_json: files[i]?.toString("base64"), revised_prompt };
        });
  return Buffer.from(writeJson({ created: nowSeconds, data }));
}

function errorOf(httpStatus: number, text: string, requestId: string): string {
  const given = parseObject(text);
  const message = string(given?.["message"]) ?? "The provider refused the request.";
  const code = string(given?.["code"]) ?? "upstream_error";
  return openaiCodec.errorBody({ httpStatus, code, message, detail: message, requestId });
}
