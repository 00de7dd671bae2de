import type { CallFacts } from "../../server/dialect/translate/side.js";

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
