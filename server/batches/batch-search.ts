import type { OpenBatch, Sought } from "../core/batch.js";
import { utf8 } from "../core/bytes.js";
import { BATCH_LISTS, isLike, type ListedBatch, readBatchList } from "../dialect/batch-list.js";
import { parseRecord } from "../dialect/json-record.js";
import { type Account, askProvider, type Look, type LookTools, unanswered } from "./batch-look.js";
import { MADE_AFTER_MAX_MS, MADE_BEFORE_MAX_MS, PAGES_MAX, RESULT_BYTES_MAX } from "./limits.js";

/** Looks for a batch in its provider's list that was asked for and of whose making no reply told. */
export async function searchBatch(
  batch: OpenBatch,
  sought: Sought,
  account: Account,
  tools: LookTools,
): Promise<Look> {
  const first = BATCH_LISTS[batch.dialect];
  const from = batch.madeAt - MADE_BEFORE_MAX_MS;
  const to = batch.madeAt + MADE_AFTER_MAX_MS;
  const names: ListedBatch[] = [];
  let next = "";
  for (let page = 0; page < PAGES_MAX; page++) {
    const pieces: Buffer[] = [];
    let bytes = 0;
    // eslint-disable-next-line no-await-in-loop -- each page says where the next is
    const asked = await askProvider(first + next, account, tools, (piece) => {
      bytes += piece.length;
      if (bytes > RESULT_BYTES_MAX) throw new Error("the list of batches is too long");
      pieces.push(piece);
    });
    if (asked !== 200) return unanswered(asked, undefined, "the list of batches");
    const reply = parseRecord(utf8(Buffer.concat(pieces)));
    const list = reply === undefined ? undefined : readBatchList(batch.dialect, reply);
    if (list === undefined) return { kind: "FAILED", problem: "the reply is no list of batches" };
    const { batches } = list;
    names.push(
      ...batches.filter((each) => {
        const { madeAtMs = batch.madeAt } = each;
        return madeAtMs >= from && madeAtMs <= to && isLike(each, sought);
      }),
    );
    const oldest = batches[batches.length - 1]?.madeAtMs;
    ({ next } = list);
    if (next === "" || batches.length === 0 || (oldest !== undefined && oldest < from)) break;
  }
  const away = ({ madeAtMs = to }: ListedBatch): number => Math.abs(madeAtMs - batch.madeAt);
  names.sort((a, b) => away(a) - away(b));
  return { kind: "SOUGHT", names: names.map(({ batchId, path }) => ({ batchId, path })) };
}
