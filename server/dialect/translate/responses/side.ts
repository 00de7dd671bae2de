import type { Side } from "../side.js";
import { readResponsesRequest } from "./read-request.js";
import { ResponsesStreamReader } from "./read-stream.js";
import { readResponsesFailure, readResponsesReply, writeResponsesReply } from "./reply.js";
import { writeResponsesRequest } from "./write-request.js";
import { ResponsesStreamWriter } from "./write-stream.js";

/** OpenAI's Responses API. */
export const responsesSide: Side = {
  form: "RESPONSES",
  dialect: "OPENAI",
  readRequest: readResponsesRequest,
  writeRequest: writeResponsesRequest,
  readReply: readResponsesReply,
  writeReply: writeResponsesReply,
  streamReader: (call) => new ResponsesStreamReader(call),
  streamWriter: (call) => new ResponsesStreamWriter(call),
  readFailure: readResponsesFailure,
};
