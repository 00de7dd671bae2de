import type { Side } from "../side.js";
import { readMessagesRequest } from "./read-request.js";
import { MessagesStreamReader } from "./read-stream.js";
import { readMessagesFailure, readMessagesReply, writeMessagesReply } from "./reply.js";
import { writeMessagesRequest } from "./write-request.js";
import { MessagesStreamWriter } from "./write-stream.js";

/** Anthropic's Messages API. */
export const messagesSide: Side = {
  form: "MESSAGES",
  dialect: "ANTHROPIC",
  readRequest: readMessagesRequest,
  writeRequest: writeMessagesRequest,
  readReply: readMessagesReply,
  writeReply: writeMessagesReply,
  streamReader: (call) => new MessagesStreamReader(call),
  streamWriter: () => new MessagesStreamWriter(),
  readFailure: readMessagesFailure,
};
