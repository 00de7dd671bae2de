import { type Received, replyEvents, replyJson, type Script } from "./upstream-stub.js";

/** What an account at the stand-in holds, by id. */
type Things = Map<string, Readonly<Record<string, unknown>>>;

/** What OpenAI keeps, and how its ids begin. */
const KINDS: ReadonlyMap<string, string> = new Map([
  ["conversations", "conv"],
  ["vector_stores", "vs"],
  ["containers", "cntr"],
  ["uploads", "upload"],
  ["skills", "skill"],
  ["chat/completions", "chatcmpl"],
]);
/** Ids of things, wherever a request names them. */
const NAMED =
  /(?:(?:file-|conv_|vs_|cntr_|upload_|skill_|chatcmpl-)|(?:files\/f|cachedContents\/c|batches\/b))\d+/g;

/** As Google's SDKs write it, and with the other spelling that they have for embeddings. */
interface GeminiBatch {
  readonly batch: {
    readonly displayName?: string;
    readonly inputConfig: {
      readonly fileName?: string;
      readonly file_name?: string;
      readonly requests?: {
        readonly requests: readonly { readonly request: { readonly model?: string } }[];
      };
    };
  };
}

/**
 * A provider at which each secret is of an account of its own: what was made with one is found with that one
 * alone, in the words of OpenAI, Anthropic and Google.
 */
export class AccountProvider {
  readonly #accounts = new Map<string, Things>();
  #made = 0;

  readonly script: Script = (received, res) => this.#answer(received)(received, res);

  #answer(received: Received): Script {
    const { method, url, secret, body } = received;
    const things = this.#accounts.get(secret) ?? new Map<string, never>();
    this.#accounts.set(secret, things);
    const [, , collection = "", id = "", action] = (url.split("?")[0] ?? "").split("/");
    const absent = (url + body.toString("latin1")).match(NAMED)?.find((name) => !things.has(name));
    if (absent !== undefined && url.startsWith("/v1beta/")) return forbidden(absent);
    if (absent !== undefined) return missing(404, `The item with id ${absent} was not found.`);
    if (url.startsWith("/upload/")) return this.#upload(things, received);
    if (/^\/(?:download\/)?v1beta\//.test(url)) return this.#gemini(things, received);
    const kind = [...KINDS].find(([path]) => url.startsWith(`/v1/${path}`));
    if (kind !== undefined) return this.#kept(things, received, kind);
    if (url.startsWith("/v1/messages/batches")) return this.#batches(things, url.split("/")[4]);
    if (method === "POST" && id === "") return this.#make(collection, things, received);
    const thing = things.get(id);
    if (thing === undefined) return missing(404, `No such ${collection} object: ${id}`);
    if (method === "DELETE") things.delete(id);
    if (action === "content") {
      return (_received, res) => void res.writeHead(200).end(`content of ${id}`);
    }
    return replyJson(200, JSON.stringify(thing));
  }

  #kept(things: Things, { method, url, body }: Received, [path, kind]: [string, string]): Script {
    const rest = (url.split("?")[0] ?? "").slice(`/v1/${path}`.length);
    if (rest === "" && method === "GET") return replyJson(200, '{"object":"list","data":[]}');
    if (rest === "" && path === "chat/completions") return this.#complete(things, body);
    if (rest === "") return replyJson(200, JSON.stringify(this.#keep(things, kind, {})));
    const thing = things.get(rest.match(NAMED)?.[0] ?? "");
    const file = rest.endsWith("/complete") ? { file: this.#keep(things, "file", {}) } : {};
    return replyJson(200, JSON.stringify({ ...thing, ...file }));
  }

  #complete(things: Things, body: Buffer): Script {
    const { store, stream } = JSON.parse(body.toString()) as Record<string, unknown>;
    const id = `chatcmpl-${String(++this.#made)}`;
    if (store === true) things.set(id, { id, object: "chat.completion" });
    const said = { content: "Hi." };
    const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
    const of = (member: string): object => ({
      id,
      object: "chat.completion",
      choices: [{ index: 0, [member]: said, finish_reason: "stop" }],
      usage,
    });
    if (stream !== true) return replyJson(200, JSON.stringify(of("message")));
    return replyEvents([`data: ${JSON.stringify(of("delta"))}\n\n`, "data: [DONE]\n\n"]);
  }

  /** Google's protocol of resumable uploads. The address at which one goes on holds the key, as it may there. */
  #upload(things: Things, { url, headers, secret, body }: Received): Script {
    const command = String(headers["x-goog-upload-command"]);
    const asked = new URL(url, `http://${String(headers["host"])}`);
    const status = (said: string, more = {}) => ({ "x-goog-upload-status": said, ...more });
    if (command === "start") {
      const id = `up-${String(++this.#made)}`;
      things.set(id, { bytes: 0 });
      asked.searchParams.set("key", secret);
      asked.searchParams.set("upload_id", id);
      asked.searchParams.set("upload_protocol", "resumable");
      return empty(status("active", { "x-goog-upload-url": asked.href }));
    }
    const id = asked.searchParams.get("upload_id") ?? "";
    const upload = things.get(id);
    if (upload === undefined) return missing(404, `No such upload: ${id}`);
    const bytes = Number(upload["bytes"]) + body.length;
    things.set(id, { bytes });
    if (!command.includes("finalize")) return empty(status("active"));
    const name = `files/f${String(++this.#made)}`;
    const file = { name, uri: `https://google.example/v1beta/${name}`, sizeBytes: String(bytes) };
    things.set(name, file);
    return replyJson(200, JSON.stringify({ file }), status("final"));
  }

  #gemini(things: Things, { method, url, body }: Received): Script {
    const path = (url.split("?")[0] ?? "").replace(/^.*\/v1beta\//, "");
    const [asked = "", action = ""] = path.split(":");
    if (/batch(?:Generate|Embed)Content$/i.test(action))
      return this.#geminiBatch(things, asked, body);
    if (path === "batches") return listOf(things);
    if (action === "cancel") return replyJson(200, "{}");
    if (action === "download") return (_received, res) => void res.end(`content of ${asked}`);
    if (path.startsWith("models/")) {
      const content = { role: "model", parts: [{ text: "Hi." }] };
      return replyJson(
        200,
        JSON.stringify({
          candidates: [{ content, finishReason: "STOP" }],
          usageMetadata: { promptTokenCount: 9, candidatesTokenCount: 1 },
        }),
      );
    }
    const thing = things.get(path);
    if (thing !== undefined) {
      if (method === "DELETE") things.delete(path);
      return replyJson(200, method === "DELETE" ? "{}" : JSON.stringify(thing));
    }
    const { model } = JSON.parse(body.toString()) as Record<string, unknown>;
    const name = `cachedContents/c${String(++this.#made)}`;
    const cache = { name, model, usageMetadata: { totalTokenCount: 4096 } };
    things.set(name, cache);
    return replyJson(200, JSON.stringify(cache));
  }

  /** Done at once. Each request is asked of the model in the path, and may name no other. */
  #geminiBatch(things: Things, model: string, body: Buffer): Script {
    const { batch } = JSON.parse(body.toString()) as GeminiBatch;
    const { fileName, file_name: given = fileName, requests } = batch.inputConfig;
    const isFile = given !== undefined && requests === undefined;
    const isInline = given === undefined && Array.isArray(requests?.requests);
    const models = requests?.requests.map(({ request }) => request.model ?? model) ?? [];
    if (!(isFile || isInline) || models.some((each) => each !== model)) {
      const error = { code: 400, message: "Invalid batch.", status: "INVALID_ARGUMENT" };
      return replyJson(400, JSON.stringify({ error }));
    }
    const name = `batches/b${String(++this.#made)}`;
    const responsesFile = `files/f${String(++this.#made)}`;
    if (isFile) things.set(responsesFile, { name: responsesFile });
    const usageMetadata = { promptTokenCount: 9, candidatesTokenCount: 1, totalTokenCount: 10 };
    const candidates = [{ content: { role: "model", parts: [{ text: "Hi." }] } }];
    const inlinedResponses = models.map(() => ({ response: { candidates, usageMetadata } }));
    const output = isFile ? { responsesFile } : { inlinedResponses: { inlinedResponses } };
    const metadata = { model, displayName: batch.displayName, state: "BATCH_STATE_SUCCEEDED" };
    things.set(name, { name, metadata: { ...metadata, output }, done: true, response: output });
    const pending = { name, metadata: { ...metadata, state: "BATCH_STATE_PENDING", name } };
    return replyJson(200, JSON.stringify(pending));
  }

  #make(collection: string, things: Things, { body }: Received): Script {
    if (collection === "files") {
      return replyJson(200, JSON.stringify(this.#keep(things, "file", { filename: "a.jsonl" })));
    }
    const asked = JSON.parse(body.toString()) as Record<string, unknown>;
    if (collection === "batches") return this.#makeBatch(things, asked);
    const previous = asked["previous_response_id"];
    if (typeof previous === "string" && !things.has(previous)) {
      return missing(400, `Previous response with id '${previous}' not found.`);
    }
    const response = this.#keep(things, "resp", { object: "response", status: "completed" });
    if (asked["store"] === false) things.delete(String(response["id"]));
    if (asked["stream"] !== true) return replyJson(200, JSON.stringify(response));
    const event = (type: string): string =>
      `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: 0, response })}\n\n`;
    return replyEvents([event("response.created"), event("response.completed")]);
  }

  #makeBatch(things: Things, asked: Record<string, unknown>): Script {
    const input = asked["input_file_id"];
    if (typeof input !== "string" || !things.has(input)) return missing(404, "No such File object");
    const output = this.#keep(things, "file", { filename: "output.jsonl" });
    const more = { input_file_id: input, output_file_id: output["id"] };
    return replyJson(200, JSON.stringify(this.#keep(things, "batch", more)));
  }

  #batches(things: Things, id: string | undefined): Script {
    if (id === undefined) {
      const made = this.#keep(things, "msgbatch", { type: "message_batch" });
      return replyJson(200, JSON.stringify(made));
    }
    const thing = things.get(id);
    return thing === undefined
      ? missing(404, `Batch ${id} not found`)
      : replyJson(200, JSON.stringify(thing));
  }

  /** Ids stand after other members, as some providers write them. */
  #keep(things: Things, kind: string, more: object): Readonly<Record<string, unknown>> {
    const id = `${kind}${kind === "file" ? "-" : "_"}${String(++this.#made)}`;
    const thing = kind === "resp" ? { id, ...more } : { object: kind, ...more, id };
    things.set(id, thing);
    return thing;
  }
}

function missing(httpStatus: number, message: string): Script {
  const error = { message, type: "invalid_request_error", param: "id", code: null };
  return replyJson(httpStatus, JSON.stringify({ error }));
}

function listOf(things: Things): Script {
  const operations = [...things].flatMap(([name, each]) => (name.startsWith("b") ? [each] : []));
  return replyJson(200, JSON.stringify({ operations }));
}

/** As Google says that there is no such thing, or not for this key. */
function forbidden(name: string): Script {
  if (name.startsWith("batches/")) {
    const error = { code: 404, message: "Requested entity was not found.", status: "NOT_FOUND" };
    return replyJson(404, JSON.stringify({ error }));
  }
  const [, id = ""] = name.split("/");
  const message = name.startsWith("files/")
    ? `You do not have permission to access the File ${id} or it may not exist.`
    : "CachedContent not found (or permission denied)";
  const error = { code: 403, message, status: "PERMISSION_DENIED" };
  return replyJson(403, JSON.stringify({ error }));
}

function empty(headers: Readonly<Record<string, string>>): Script {
  return (_received, res) =>
    void res
      .writeHead(200, { "content-type": "text/plain", "content-length": 0, ...headers })
      .end();
}
