import type { CallFacts, NamedTool } from "../../server/dialect/translate/side.js";

/** A call whose stream is translated. */
export const CALL: CallFacts = {
  id: "call",
  nowSeconds: 1,
  streamed: true,
  usageAsked: true,
  modelAsked: "asked",
  tools: [],
  asArray: false,
};

/** A tool of Codex that takes plain text. */
export const PATCH: NamedTool = {
  name: "patch",
  asDeclared: { name: "patch", namespace: "", custom: true },
};

/** A tool in a namespace, under the name that a provider knows. */
export const RUN: NamedTool = {
  name: "shell__run",
  asDeclared: { name: "run", namespace: "shell", custom: false },
};
