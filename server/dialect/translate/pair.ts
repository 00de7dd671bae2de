import { chatSide } from "./chat/side.js";
import { generateSide } from "./generate/side.js";
import { messagesSide } from "./messages/side.js";
import { responsesSide } from "./responses/side.js";
import type { Form, Side } from "./side.js";

const SIDES: Readonly<Record<Form, Side>> = {
  CHAT: chatSide,
  RESPONSES: responsesSide,
  MESSAGES: messagesSide,
  GENERATE: generateSide,
};

/** Between which forms is translated. */
export interface Forms {
  readonly caller: Form;
  readonly provider: Form;
}

export interface Pair {
  readonly caller: Side;
  readonly provider: Side;
}

export function pairOf({ caller, provider }: Forms): Pair {
  return { caller: SIDES[caller], provider: SIDES[provider] };
}
