import type { Side } from "../side.js";
import { readGenerateRequest } from "./read-request.js";
import { GenerateStreamReader } from "./read-stream.js";
import { readGenerateFailure, readGenerateReply, writeGenerateReply } from "./reply.js";
import { writeGenerateRequest } from "./write-request.js";
import { GenerateStreamWriter } from "./write-stream.js";

/** Gemini's generateContent. */
export const generateSide: Side = {
  form: "GENERATE",
  dialect: "GEMINI",
  readRequest: readGenerateRequest,
  writeRequest: writeGenerateRequest,
  readReply: readGenerateReply,
  writeReply: writeGenerateReply,
  streamReader: (call) => new GenerateStreamReader(call),
  streamWriter: (call) => new GenerateStreamWriter(call),
  readFailure: readGenerateFailure,
};
