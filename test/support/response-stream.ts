// Streams of OpenAI's Responses API, as providers send them.

/** What a model does in one response, one item each. */
export type StreamedItem =
  | { readonly kind: "THOUGHT"; readonly pieces: readonly string[]; readonly sealed: string }
  | { readonly kind: "TEXT" | "REFUSAL"; readonly pieces: readonly string[] }
  /** Calls whose arguments come by turns. */
  | { readonly kind: "CALLS"; readonly calls: readonly (readonly string[])[] };

const CREATED = { id: "resp_1", object: "response", model: "gpt-5.4", output: [], error: null };

/** The events of a response with these items, complete with what it used. */
export function responseEvents(items: readonly StreamedItem[], usage: object): string[] {
  const stream = new ResponseStream();
  stream.say("created", { response: { ...CREATED, status: "in_progress" } });
  stream.say("in_progress", { response: { ...CREATED, status: "in_progress" } });
  for (const item of items) {
    if (item.kind === "THOUGHT") stream.thought(item.pieces, item.sealed);
    else if (item.kind === "CALLS") stream.calls(item.calls);
    else stream.message(item.kind, item.pieces);
  }
  const { output } = stream;
  stream.say("completed", { response: { ...CREATED, status: "completed", output, usage } });
  return stream.events;
}

class ResponseStream {
  readonly events: string[] = [];
  readonly output: object[] = [];

  say(name: string, members: object): void {
    const type = `response.${name}`;
    const data = { type, sequence_number: this.events.length, ...members };
    this.events.push(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  thought(pieces: readonly string[], sealed: string): void {
    const id = `rs_${String(this.output.length)}`;
    const at = { item_id: id, output_index: this.output.length, summary_index: 0 };
    const part = (text: string) => ({ type: "summary_text", text });
    const whole = part(pieces.join(""));
    this.#added({ id, type: "reasoning", summary: [], encrypted_content: sealed.slice(0, 4) });
    this.say("reasoning_summary_part.added", { ...at, part: part("") });
    for (const delta of pieces) this.say("reasoning_summary_text.delta", { ...at, delta });
    this.say("reasoning_summary_text.done", { ...at, text: whole.text });
    this.say("reasoning_summary_part.done", { ...at, part: whole });
    this.#done({ id, type: "reasoning", summary: [whole], encrypted_content: sealed });
  }

  message(kind: "TEXT" | "REFUSAL", pieces: readonly string[]): void {
    const [name, member] = kind === "TEXT" ? ["output_text", "text"] : ["refusal", "refusal"];
    const id = `msg_${String(this.output.length)}`;
    const at = { item_id: id, output_index: this.output.length, content_index: 0 };
    const whole = { type: name, [member]: pieces.join(""), annotations: [] };
    const item = { id, type: "message", role: "assistant" };
    this.#added({ ...item, status: "in_progress", content: [] });
    this.say("content_part.added", { ...at, part: { ...whole, [member]: "" } });
    for (const delta of pieces) this.say(`${name}.delta`, { ...at, delta });
    this.say(`${name}.done`, { ...at, [member]: whole[member] });
    this.say("content_part.done", { ...at, part: whole });
    this.#done({ ...item, status: "completed", content: [whole] });
  }

  calls(calls: readonly (readonly string[])[]): void {
    const first = this.output.length;
    const items = calls.map((pieces, at) => ({
      id: `fc_${String(first + at)}`,
      type: "function_call",
      call_id: `call_${String(at)}`,
      name: "look",
      arguments: pieces.join(""),
    }));
    const places = items.map(({ id }, at) => ({ item_id: id, output_index: first + at }));
    items.forEach((item, at) => {
      this.#added({ ...item, arguments: "", status: "in_progress" }, first + at);
    });
    const rounds = Math.max(...calls.map((pieces) => pieces.length));
    for (let round = 0; round < rounds; round++) {
      calls.forEach((pieces, at) => {
        const delta = pieces[round];
        if (delta !== undefined)
          this.say("function_call_arguments.delta", { ...places[at], delta });
      });
    }
    items.forEach((item, at) => {
      const told = { ...places[at], arguments: item.arguments };
      this.say("function_call_arguments.done", told);
      this.#done({ ...item, status: "completed" });
    });
  }

  #added(item: object, index = this.output.length): void {
    this.say("output_item.added", { output_index: index, item });
  }

  #done(item: object): void {
    this.say("output_item.done", { output_index: this.output.length, item });
    this.output.push(item);
  }
}
