import type { ServerResponse } from "node:http";
import { type Received, replyJson, type Script } from "./upstream-stub.js";

/** How a batch of the stand-in has ended. */
export interface BatchEnd {
  /** OpenAI's; `completed` unless said otherwise. */
  readonly status?: string;
  /** What OpenAI's batch says of itself beside that, such as `usage` and `model`. */
  readonly said?: object;
  /** Each as text or as what is to become JSON. */
  readonly results?: Iterable<string | object>;
  /** Writes the results instead. */
  readonly write?: (res: ServerResponse) => void;
  /** Google's results stand in the reply, or in a file. */
  readonly inFile?: boolean;
}

/** Without what stands before it at Google; results have it at the end of their file's name. */
const SHORT_ID = /(?:(?:msg)?batch_|\bb)\d+(?=$|[/:])/;

function shortOf(id: string): string {
  return id.replace("batches/", "");
}

/** The one file of a form. */
function fileIn(form: Buffer): string {
  return /filename=[^]*?\r\n\r\n([^]*?)\r\n--/.exec(form.toString())?.[1] ?? "";
}

/** Of what a batch was asked for with, what its provider tells again. */
interface Asked {
  readonly input_file_id?: string;
  readonly requests?: readonly unknown[];
  readonly batch?: { readonly displayName?: string };
}

interface Kept {
  readonly secret: string;
  readonly id: string;
  readonly asked: Asked;
  /** As the clock of this host says. */
  readonly madeAt: Date;
  end: BatchEnd | undefined;
  /** Answers looks with this status instead. */
  failsWith: number;
}

/** Works off batches as OpenAI, Anthropic and Google do, each secret in an account of its own; they end when told so. */
export class BatchProvider {
  readonly #kept = new Map<string, Kept>();
  #made = 0;
  readonly #files = new Map<string, string>();
  /** Batches are made from now on, and nobody hears of it. */
  isMute = false;
  /** Of lists. */
  pageSize = 1;

  readonly script: Script = (received, res) => this.#answer(received)(received, res);

  /** Of all batches that there are. */
  get ids(): readonly string[] {
    return [...this.#kept.values()].map(({ id }) => id);
  }

  end(id: string, end: BatchEnd): void {
    this.#of(id).end = end;
  }

  fail(id: string, status: number): void {
    this.#of(id).failsWith = status;
  }

  #of(id: string): Kept {
    const kept = this.#kept.get(shortOf(id));
    if (kept === undefined) throw new Error(`no batch ${id}`);
    return kept;
  }

  #answer({ method, url, secret, body }: Received): Script {
    const path = url.split("?")[0] ?? "";
    if (method === "POST" && path === "/v1/files") {
      const id = `file-${String(++this.#made)}`;
      this.#files.set(id, fileIn(body));
      return replyJson(200, JSON.stringify({ id, object: "file", bytes: body.length }));
    }
    if (method === "GET" && path.endsWith("/batches")) return this.#list(secret, path);
    const content = this.#files.get(/^\/v1\/files\/([^/]+)\/content$/.exec(path)?.[1] ?? "");
    if (content !== undefined) return (_received, res) => void res.end(content);
    if (method === "POST" && path === "/v1/batches") {
      return this.#make(`batch_`, secret, body, openai);
    }
    if (method === "POST" && path === "/v1/messages/batches") {
      return this.#make("msgbatch_", secret, body, anthropic);
    }
    if (method === "POST" && /:(?:batchGenerate|asyncBatchEmbed)Content$/.test(path)) {
      return this.#make("batches/b", secret, body, gemini);
    }
    const kept = this.#kept.get(SHORT_ID.exec(path)?.[0] ?? "");
    if (kept?.secret !== secret) return replyJson(404, '{"error":{"message":"No such batch"}}');
    if (kept.failsWith !== 0) return replyJson(kept.failsWith, '{"error":{"message":"failed"}}');
    if (method === "DELETE") this.#kept.delete(shortOf(kept.id));
    if (/\/content$|\/results$|:download$/.test(path)) return results(kept.end);
    return replyJson(200, said(kept));
  }

  #make(prefix: string, secret: string, body: Buffer, say: (kept: Kept) => object): Script {
    const id = `${prefix}${String(++this.#made)}`;
    const asked = JSON.parse(body.toString()) as Asked;
    const kept = { secret, id, asked, madeAt: new Date(), end: undefined, failsWith: 0 };
    this.#kept.set(shortOf(id), kept);
    return this.isMute ? () => undefined : replyJson(200, JSON.stringify(say(kept)));
  }

  /** The newest first. */
  #list(secret: string, path: string): Script {
    return ({ url }, res) => {
      const query = new URLSearchParams(url.split("?")[1]);
      const after = query.get("after") ?? query.get("after_id") ?? query.get("pageToken");
      const all = [...this.#kept.values()].filter((kept) => kept.secret === secret).toReversed();
      const from = all.findIndex(({ id }) => id === after) + 1;
      const page = all
        .slice(from, from + this.pageSize)
        .map((kept) => JSON.parse(said(kept)) as object);
      const last = all[Math.min(from + this.pageSize, all.length) - 1]?.id;
      const more = from + this.pageSize < all.length;
      const list = path.startsWith("/v1beta/")
        ? { ...(page.length > 0 && { operations: page }), ...(more && { nextPageToken: last }) }
        : { data: page, last_id: last ?? null, has_more: more };
      return replyJson(200, JSON.stringify(list))({ url } as Received, res);
    };
  }
}

function said(kept: Kept): string {
  if (kept.id.startsWith("batch_")) return JSON.stringify(openai(kept));
  if (kept.id.startsWith("msgbatch_")) return JSON.stringify(anthropic(kept));
  return JSON.stringify(gemini(kept));
}

function openai({ id, end, asked, madeAt }: Kept): object {
  const hasFile = end?.results !== undefined || end?.write !== undefined;
  return {
    id,
    object: "batch",
    endpoint: "/v1/chat/completions",
    errors: null,
    input_file_id: asked.input_file_id,
    completion_window: "24h",
    status: end === undefined ? "in_progress" : (end.status ?? "completed"),
    output_file_id: hasFile ? `file-of-${id}` : null,
    error_file_id: null,
    created_at: Math.floor(madeAt.getTime() / 1000),
    request_counts: { total: 2, completed: hasFile ? 2 : 0, failed: 0 },
    metadata: null,
    ...end?.said,
  };
}

function anthropic({ id, end, asked, madeAt }: Kept): object {
  const succeeded =
    end?.results === undefined && end?.write === undefined ? 0 : (asked.requests?.length ?? 0);
  const processing = (asked.requests?.length ?? 0) - succeeded;
  return {
    id,
    type: "message_batch",
    processing_status: end === undefined ? "in_progress" : "ended",
    request_counts: { processing, succeeded, errored: 0, canceled: 0, expired: 0 },
    ended_at: null,
    created_at: madeAt.toISOString(),
    expires_at: "2026-11-21T18:37:24.100435Z",
    archived_at: null,
    cancel_initiated_at: null,
    results_url: `https://api.anthropic.example/v1/messages/batches/${id}/results`,
    ...end?.said,
  };
}

/** As Google answers: the same output stands in the metadata and in the response. */
function gemini({ id, end, asked, madeAt }: Kept): object {
  const name = id;
  const about = {
    "@type": "type.googleapis.com/GenerateContentBatch",
    name,
    model: "models/x",
    displayName: asked.batch?.displayName,
    createTime: madeAt.toISOString(),
  };
  if (end === undefined) return { name, metadata: { ...about, state: "BATCH_STATE_RUNNING" } };
  const list = [...(end.results ?? [])].map((each) =>
    typeof each === "string" ? (JSON.parse(each) as object) : each,
  );
  const output =
    end.inFile === true
      ? { responsesFile: `files/of-${shortOf(id)}` }
      : { inlinedResponses: { inlinedResponses: list } };
  const count = String(list.length);
  const batchStats = { requestCount: count, successfulRequestCount: count };
  const metadata = { ...about, state: "BATCH_STATE_SUCCEEDED", output, batchStats };
  return { name, metadata, done: true, response: output };
}

function results(end: BatchEnd | undefined): Script {
  return (_received, res) => {
    if (end?.write !== undefined) {
      end.write(res);
      return;
    }
    res.writeHead(200, { "content-type": "application/x-jsonl" });
    for (const each of end?.results ?? []) {
      res.write(`${typeof each === "string" ? each : JSON.stringify(each)}\n`);
    }
    res.end();
  };
}
