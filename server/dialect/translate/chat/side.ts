import type { Side } from "../side.js";
import { readChatRequest } from "./read-request.js";
import { ChatStreamReader } from "./read-stream.js";
import { readChatFailure, readChatReply, writeChatReply } from "./reply.js";
import { writeChatRequest } from "./write-request.js";
import { ChatStreamWriter } from "./write-stream.js";

/** OpenAI's chat completions. */
export const chatSide: Side = {
  form: "CHAT",
  dialect: "OPENAI",
  readRequest: readChatRequest,
  writeRequest: writeChatRequest,
  readReply: readChatReply,
  writeReply: writeChatReply,
  streamReader: (call) => new ChatStreamReader(call),
  streamWriter: (call) => new ChatStreamWriter(call),
  readFailure: readChatFailure,
};
