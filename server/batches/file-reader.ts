import { ResultLines } from "../dialect/result-lines.js";
import { type Account, askProvider, type LookTools } from "./batch-look.js";
import type { SumsOptions } from "./batch-sums.js";
import { FILE_BYTES_MAX, FILE_TIMEOUT_MS, RESULT_BYTES_MAX } from "./limits.js";

type Tools = Omit<LookTools, keyof SumsOptions>;

const TOO_LONG = Buffer.alloc(0);

/** Reads uploaded files, for each user one after the other: they may have hundreds of megabytes. */
export class FileReader {
  readonly #tools: Tools;
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(tools: Tools) {
    this.#tools = tools;
  }

  /** Tells each line of a file in one of these accounts, one that is too long as empty; false where none has it, or it does not come whole. */
  async read(
    file: { readonly fileId: string; readonly ownerId: string },
    accounts: () => AsyncIterable<Account>,
    onLine: (line: Buffer) => void,
  ): Promise<boolean> {
    const { ownerId, fileId } = file;
    const before = this.#turns.get(ownerId);
    const read = (async () => {
      await before;
      for await (const account of accounts()) {
        const end = await this.#readFrom(account, fileId, onLine);
        if (end === 200) return true;
        // What has begun must not be told twice.
        if (typeof end !== "number") return false;
      }
      return false;
    })().catch(() => false);
    this.#turns.set(ownerId, read);
    const isWhole = await read;
    if (this.#turns.get(ownerId) === read) this.#turns.delete(ownerId);
    return isWhole;
  }

  async #readFrom(account: Account, fileId: string, onLine: (line: Buffer) => void) {
    const lines = new ResultLines(RESULT_BYTES_MAX, (line) => {
      onLine(line ?? TOO_LONG);
    });
    let bytes = 0;
    const path = `/v1/files/${encodeURIComponent(fileId)}/content`;
    const take = (piece: Buffer): void => {
      bytes += piece.length;
      if (bytes > FILE_BYTES_MAX) throw new Error("the file is too long");
      lines.push(piece);
    };
    const tools = { ...this.#tools, timeoutMs: FILE_TIMEOUT_MS };
    const end = await askProvider(path, account, tools, take);
    if (end === 200) lines.end();
    return end;
  }
}
