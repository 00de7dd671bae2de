import { type JsonObject, nonEmpty, number, string } from "../json.js";
import { keptBytesOf } from "../kept-bytes.js";
import { callOf } from "./reply.js";

type Call = ReturnType<typeof callOf>;

/** A call of a tool as far as a stream has told it. */
export interface StreamedCall {
  /** Of its piece in the queue. */
  readonly key: string;
  readonly call: Call;
  /** Some of its arguments have gone on. */
  isTold: boolean;
  isEnded: boolean;
}

/**
 * The calls of a streamed response. OpenAI numbers its items and names them; of its imitators some only name them, by
 * the id of the item or that of the call, some number all alike, and some name one item otherwise in each event.
 */
export class StreamedCalls {
  readonly #calls: StreamedCall[] = [];
  readonly #byName = new Map<string, StreamedCall>();
  /** Bytes that it holds; see `keptBytesOf`. */
  keptBytes = 0;

  /** The call whose item begins. */
  begun(event: JsonObject, item: JsonObject): StreamedCall {
    const call = callOf(item);
    return this.#byName.get(ofCall(call.id)) ?? this.#add(call, namesOf(event, item));
  }

  /** The call of which an event tells more; undefined where none has begun. */
  goingOn(event: JsonObject): StreamedCall | undefined {
    const id = string(event["item_id"]) ?? "";
    const index = number(event["output_index"]) ?? -1;
    return (
      this.#byName.get(ofItem(id)) ??
      this.#byName.get(ofCall(id)) ??
      this.#byName.get(atIndex(index)) ??
      this.#calls.at(-1)
    );
  }

  /** The call whose item has ended, which may be the first that is told of it. */
  ended(event: JsonObject, item: JsonObject): StreamedCall {
    const call = callOf(item);
    const names = namesOf(event, item);
    const there = this.#byName.get(ofCall(call.id)) ?? this.#named(names);
    const isThere = there !== undefined && (!there.isEnded || there.call.id === call.id);
    const ended = isThere ? there : this.#add(call, names);
    ended.isEnded = true;
    return ended;
  }

  /** Those that have begun and of which no arguments came. */
  get untold(): readonly StreamedCall[] {
    return this.#calls.filter(({ isTold }) => !isTold);
  }

  /** The call of each of all the items of calls that the response holds; none for what has gone by under another id. */
  inAll(items: readonly JsonObject[]): readonly (StreamedCall | undefined)[] {
    let missing = items.length - this.#calls.length;
    return items.map((item) => {
      const call = callOf(item);
      const known = this.#byName.get(ofCall(call.id));
      return known ?? (missing-- > 0 ? this.#add(call, []) : undefined);
    });
  }

  #named(names: readonly string[]): StreamedCall | undefined {
    for (const name of names) {
      const named = this.#byName.get(name);
      if (named !== undefined) return named;
    }
    return undefined;
  }

  #add(call: Call, names: readonly string[]): StreamedCall {
    const key = `call ${String(this.#calls.length)}`;
    const added: StreamedCall = { key, call, isTold: false, isEnded: false };
    this.#calls.push(added);
    this.keptBytes += keptBytesOf(call.id) + keptBytesOf(call.name) + keptBytesOf(call.args);
    for (const name of call.id === "" ? names : [ofCall(call.id), ...names]) {
      this.#byName.set(name, added);
      this.keptBytes += keptBytesOf(name);
    }
    return added;
  }
}

function ofCall(id: string): string {
  return `call ${id}`;
}

function ofItem(id: string): string {
  return `item ${id}`;
}

function atIndex(index: number): string {
  return `at ${String(index)}`;
}

/** What an event calls its item, the surest name first. */
function namesOf(event: JsonObject, item: JsonObject): string[] {
  const names: string[] = [];
  const id = nonEmpty(item["id"]);
  const index = number(event["output_index"]);
  if (id !== undefined) names.push(ofItem(id));
  if (index !== undefined) names.push(atIndex(index));
  return names;
}
