import { Fault } from "../../core/fault.js";
import { modelOfResource } from "../../core/model-resource.js";
import { LongElements, scanElements, scanMember, scanObject } from "../../dialect/json-scan.js";
import { isNull, readString, type Span } from "../../dialect/json-span.js";
import { LongScan } from "../../dialect/long-scan.js";
import { WantedMembers } from "../../dialect/wanted-members.js";
import type { MemberSpans } from "../request/body-head.js";

const MODEL_MEMBER = new WantedMembers(["model"]);
/** Where requests name models beside their own: to go on with, or for a tool to ask. */
const NAMING = ["models", "fallbacks", "tools", "plugins"];
const NAMING_MEMBERS = new WantedMembers(NAMING);
const ALL_MEMBERS = new WantedMembers(["model", ...NAMING]);

/** The models that a JSON request names beside its own. Throws Fault `malformed_request`. */
export function modelsBeside(body: Buffer): readonly string[] {
  return namedIn(body, scanObject(body, NAMING_MEMBERS));
}

const AGAIN_MEMBERS = new WantedMembers([
  "model",
  "requests",
  "generateContentRequest",
  "generate_content_request",
  "generationConfig",
  "generation_config",
]);

/**
 * The models that a request of Google's names again whose path names one: it, its parts, the request whose tokens it
 * counts, or what Vertex AI is to choose in the place of the path's. Throws Fault `malformed_request`.
 */
export function modelsAgain(body: Buffer): readonly string[] {
  const [model, requests, counted, countedToo, ...configs] = scanObject(body, AGAIN_MEMBERS);
  const parts = requests === undefined ? [] : scanElements(body, requests);
  const inside = [...parts, counted, countedToo].map((part) =>
    part === undefined ? undefined : scanMember(body, part, MODEL_MEMBER)[0],
  );
  const routed = allAt(body, configs, ROUTED);
  return [model, ...inside, ...routed].flatMap((span) => {
    const name = readString(body, span);
    return name === undefined ? [] : modelOfResource(name);
  });
}

/** Leads from an object to a member inside it; each step in all of its spellings. */
type Way = readonly WantedMembers[];

function way(...steps: readonly (string | readonly string[])[]): Way {
  return steps.map((each) => new WantedMembers(typeof each === "string" ? [each] : each));
}

const ROUTED = way(
  ["routingConfig", "routing_config"],
  ["manualMode", "manual_mode"],
  ["modelName", "model_name"],
);

/** What stands at the ends of a way, in whichever spelling: which of two would hold is known to the provider alone. */
function allAt(body: Buffer, from: MemberSpans, steps: Way): MemberSpans {
  return steps.reduce(
    (spans, step) =>
      spans.flatMap((span) => (span === undefined ? [] : scanMember(body, span, step))),
    from,
  );
}

/** Where a batch has what it asks for. */
export interface BatchForm {
  /** To what holds its requests, or names the uploaded file in which they stand. */
  readonly input: Way;
  /** In that, first what leads to the list of requests, then all names of a file. */
  readonly members: WantedMembers;
  /** On to that list; undefined where they stand in a file alone. */
  readonly list: Way | undefined;
  /** From each request to what is asked of a model. */
  readonly asked: Way;
  /** Names once more the model that the path has for all of them; undefined where each has its own. */
  readonly model: Way | undefined;
  /** What a caller is told of all this. */
  readonly rule: string;
  /** Its requests have an output, as those for embeddings have not. */
  readonly makesText: boolean;
}

// Google takes each name in either spelling.
const OF_GEMINI = {
  input: way("batch", ["inputConfig", "input_config"]),
  members: new WantedMembers(["requests", "fileName", "file_name"]),
  list: way("requests"),
  asked: way("request"),
  model: way("batch", "model"),
  rule: 'each of the "requests" in the "requests" of the "inputConfig" must have its "request"',
} as const;

/** Batches of each API. */
export const BATCHES = {
  openai: {
    input: [],
    members: new WantedMembers(["input_file_id"]),
    list: undefined,
    asked: [],
    model: undefined,
    rule: "",
    makesText: true,
  },
  anthropic: {
    input: [],
    members: new WantedMembers(["requests"]),
    list: [],
    asked: way("params"),
    model: undefined,
    rule: 'each of the "requests" must name its model in "params"',
    makesText: true,
  },
  gemini: { ...OF_GEMINI, makesText: true },
  geminiEmbeddings: { ...OF_GEMINI, makesText: false },
} as const satisfies Record<string, BatchForm>;

/**
 * The models that a batch and its requests name, each once. `all`: what each of them asks, if that is known already. Throws
 * Fault `malformed_request` for a body in which they do not stand where they belong: what cannot be read here may be read
 * there; and `model_not_allowed` where they stand in a file.
 */
export function modelsOfBatch(
  body: Buffer,
  form: BatchForm,
  all: readonly Span[] = askedIn(body, form),
): ReadonlySet<string> {
  const ofAll = form.model === undefined ? undefined : found(body, form.model, form);
  const models = new Set<string>(ofAll === undefined ? [] : [nameAt(body, ofAll, form)]);
  for (const asked of all) for (const each of namedBy(body, asked, form)) models.add(each);
  return models;
}

/** The models that one request of a batch names. */
export function namedBy(body: Buffer, asked: Span, form: BatchForm): readonly string[] {
  const [named, ...naming] = scanMember(body, asked, ALL_MEMBERS);
  const beside = namedIn(body, naming);
  if (named !== undefined && !isNull(body, named)) return [nameAt(body, named, form), ...beside];
  if (form.model === undefined) throw malformed(form);
  return beside;
}

/** What each request of a batch asks of a model. Throws what `modelsOfBatch` does. */
export function askedIn(body: Buffer, form: BatchForm): readonly Span[] {
  return [...askedInSteps(body, form, Infinity)].flat();
}

/** As `askedIn`, in steps of so many bytes. */
export function* askedInSteps(
  body: Buffer,
  form: BatchForm,
  stepBytes: number,
): Generator<readonly Span[], void> {
  const requests = yield* requestsIn(body, form, stepBytes);
  if (requests === undefined || body[requests.start] !== OPEN_BRACKET) throw malformed(form);
  const elements = new LongElements(body, requests);
  while (!elements.isRead) {
    yield elements.read(stepBytes).map((request) => {
      const asked = found(body, form.asked, form, request);
      if (asked === undefined || body[asked.start] !== OPEN_BRACE) throw malformed(form);
      return asked;
    });
  }
}

const NOTHING_YET: readonly Span[] = [];

/** Throws Fault `model_not_allowed` where they stand in a file. */
function* requestsIn(
  body: Buffer,
  form: BatchForm,
  stepBytes: number,
): Generator<readonly Span[], Span | undefined> {
  const { input, members, list } = form;
  if (list === undefined) throw inFile();
  const at = yield* foundInSteps(body, input, form, { span: wholeOf(body), stepBytes });
  if (at === undefined) return undefined;
  const all = yield* membersInSteps(body, at, members, stepBytes);
  const [requests, ...files] = all.map((each) =>
    each === undefined || isNull(body, each) ? undefined : each,
  );
  if (files.some((each) => each !== undefined)) throw inFile();
  if (requests === undefined) return undefined;
  return yield* foundInSteps(body, list, form, { span: requests, stepBytes });
}

function wholeOf(body: Buffer): Span {
  return { start: 0, end: body.length };
}

/** As `found`, in steps. */
function* foundInSteps(
  body: Buffer,
  steps: Way,
  form: BatchForm,
  from: { readonly span: Span; readonly stepBytes: number },
): Generator<readonly Span[], Span | undefined> {
  let { span } = from;
  for (const members of steps) {
    const next = theOnly(yield* membersInSteps(body, span, members, from.stepBytes), form);
    if (next === undefined || isNull(body, next)) return undefined;
    span = next;
  }
  return span;
}

/** As `scanMember`, in steps; of what stands in nothing else, as `scanObject`. */
function* membersInSteps(
  body: Buffer,
  { start, end }: Span,
  members: WantedMembers,
  stepBytes: number,
): Generator<readonly Span[], readonly (Span | undefined)[]> {
  if (start > 0 && body[start] !== OPEN_BRACE) return members.none();
  const scan = new LongScan(body.subarray(start, end), members);
  while (!scan.read(stepBytes)) yield NOTHING_YET;
  return scan.found.map((each) => each && { start: start + each.start, end: start + each.end });
}

/** What stands at the end of a way, if anything. Which of two spellings would hold is known to the provider alone. */
function found(body: Buffer, steps: Way, form: BatchForm, from?: Span): Span | undefined {
  let span = from;
  for (const members of steps) {
    const all = span === undefined ? scanObject(body, members) : scanMember(body, span, members);
    span = theOnly(all, form);
    if (span === undefined || isNull(body, span)) return undefined;
  }
  return span;
}

/** Of spellings of one member that which is there. */
function theOnly(all: readonly (Span | undefined)[], form: BatchForm): Span | undefined {
  const there = all.flatMap((each) => each ?? []);
  if (there.length > 1) throw malformed(form);
  return there[0];
}

function nameAt(body: Buffer, span: Span, form: BatchForm): string {
  const name = readString(body, span);
  if (name === undefined) throw malformed(form);
  return modelOfResource(name);
}

const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;

/** Of one list. No API takes as many, and each takes time to read. */
const LISTED_MAX = 1_000;

/** Throws Fault `invalid_argument` for a list that is longer than anybody's. */
function namedIn(body: Buffer, lists: readonly (Span | undefined)[]): readonly string[] {
  const [models, fallbacks, ...others] = lists;
  const named = (list: Span | undefined, mayBeText: boolean): string[] => {
    const listed = list === undefined ? [] : scanElements(body, list, LISTED_MAX);
    if (listed.length > LISTED_MAX)
      throw new Fault("invalid_argument", "The request has too many models or tools in one list.");
    return listed.flatMap((each) => {
      const text = mayBeText ? readString(body, each) : undefined;
      return text ?? modelIn(body, each) ?? [];
    });
  };
  return [
    ...named(models, true),
    ...named(fallbacks, true),
    ...others.flatMap((list) => named(list, false)),
  ];
}

function modelIn(body: Buffer, span: Span): string | undefined {
  return readString(body, scanMember(body, span, MODEL_MEMBER)[0]);
}

function malformed({ rule }: BatchForm): Fault {
  return new Fault("malformed_request", `The batch cannot be read: ${rule}.`);
}

function inFile(): Fault {
  return new Fault(
    "model_not_allowed",
    "Your client key allows some models only, and a batch may name its models in a file that is not looked into.",
  );
}
