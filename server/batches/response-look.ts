import type { Batch } from "../core/batch.js";
import { utf8 } from "../core/bytes.js";
import { type LaterUsage, restOf } from "../core/later-usage.js";
import { CODECS } from "../dialect/codecs.js";
import { parseRecord } from "../dialect/json-record.js";
import { isUnfinished } from "../dialect/response-status.js";
import { type Account, askProvider, type Look, type LookTools, unanswered } from "./batch-look.js";
import type { ModelSum } from "./batch-sums.js";
import { RESULT_BYTES_MAX } from "./limits.js";

/** Asks a provider for a response that went on after its call, and reads what is left to be counted of it. */
export async function lookAtResponse(
  { path, dialect, batchId }: Batch,
  later: LaterUsage,
  account: Account,
  tools: LookTools,
): Promise<Look> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  const asked = await askProvider(path, account, tools, (piece) => {
    bytes += piece.length;
    if (bytes > RESULT_BYTES_MAX) throw new Error("the response is too long");
    pieces.push(piece);
  });
  if (asked !== 200) return unanswered(asked, undefined, "the response");
  const reply = Buffer.concat(pieces);
  if (parseRecord(utf8(reply))?.["id"] !== batchId) {
    return { kind: "FAILED", problem: "the reply is not the response" };
  }
  if (isUnfinished(reply)) return { kind: "RUNNING" };
  const told = CODECS[dialect].replyUsage(reply, "RESPONSES");
  const sums = told === undefined ? [] : sumsOf(later, restOf(told, later.counted), tools);
  return { kind: "ENDED", use: { sums, read: 1, untold: 0, problem: "" } };
}

/** None where nothing is left, as of one that failed. */
function sumsOf(
  { target: { upstreamModel: model, price } }: LaterUsage,
  tokens: ModelSum["tokens"],
  { costOf }: LookTools,
): readonly ModelSum[] {
  const isNothing = tokens.input + tokens.output === 0 && tokens.parts === undefined;
  return isNothing ? [] : [{ model, tokens, costMicros: costOf(price, tokens) }];
}
