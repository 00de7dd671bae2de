import type { Received, Script } from "./upstream-stub.js";
import { replyEvents, replyJson } from "./upstream-stub.js";

/** What an account at the stand-in holds, by id. */
type Things = Map<string, Readonly<Record<string, unknown>>>;

/**
 * A provider at which each secret is of an account of its own: what was made with one is found with that one
 * alone, in the words of OpenAI and Anthropic.
 */
export class AccountProvider {
  readonly #accounts = new Map<string, Things>();
  #made = 0;

  readonly script: Script = (received, res) => this.#answer(received)(received, res);

  #answer(received: Received): Script {
    const { method, url, secret } = received;
    const things = this.#accounts.get(secret) ?? new Map<string, never>();
    this.#accounts.set(secret, things);
    const [, , collection = "", id = "", action] = (url.split("?")[0] ?? "").split("/");
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
