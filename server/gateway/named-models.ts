import { Fault } from "../core/fault.js";
import { scanElements, scanMember, scanObject } from "../dialect/json-scan.js";
import { isNull, readString, type Span } from "../dialect/json-span.js";
import { WantedMembers } from "../dialect/wanted-members.js";

const MODEL_MEMBER = new WantedMembers(["model"]);
/** Where requests name models beside their own: to go on with, or for a tool to ask. */
const NAMING_MEMBERS = new WantedMembers(["models", "fallbacks", "tools", "plugins"]);

/** The models that a JSON request names beside its own. Throws Fault `malformed_request`. */
export function modelsBeside(body: Buffer): readonly string[] {
  return namedIn(body, scanObject(body, NAMING_MEMBERS));
}

/** Leads from an object to a member inside it; each step in all of its spellings. */
type Way = readonly WantedMembers[];

function way(...steps: readonly (string | readonly string[])[]): Way {
  return steps.map((each) => new WantedMembers(typeof each === "string" ? [each] : each));
}

/** Where a batch has what it asks for. */
export interface BatchForm {
  /** The list of its requests; undefined where they stand in an uploaded file alone. */
  readonly requests: Way | undefined;
  /** From each of them to what is asked of a model. */
  readonly asked: Way;
  /** Names the uploaded file in which requests may stand instead. */
  readonly file: Way | undefined;
  /** Names a model for all of them. */
  readonly model: Way | undefined;
  /** The path names a model for all of them, so they need not. */
  readonly isModelKnown: boolean;
}

// Google takes each name in either spelling.
const INPUT = ["batch", ["inputConfig", "input_config"]] as const;

/** Batches of each API. */
export const BATCHES = {
  openai: {
    requests: undefined,
    asked: [],
    file: way("input_file_id"),
    model: undefined,
    isModelKnown: false,
  },
  anthropic: {
    requests: way("requests"),
    asked: way("params"),
    file: undefined,
    model: undefined,
    isModelKnown: false,
  },
  gemini: {
    requests: way(...INPUT, "requests", "requests"),
    asked: way("request"),
    file: way(...INPUT, ["fileName", "file_name"]),
    model: way("batch", "model"),
    isModelKnown: true,
  },
} as const satisfies Record<string, BatchForm>;

/**
 * The models that a batch and its requests name, each once. Throws Fault `malformed_request` for a body in which
 * they do not stand where they belong: what cannot be read here may be read there; and `model_not_allowed` where they
 * stand in a file.
 */
export function modelsOfBatch(body: Buffer, form: BatchForm): ReadonlySet<string> {
  const { requests: list, file, model, isModelKnown } = form;
  if (list === undefined || (file !== undefined && found(body, file) !== undefined)) {
    throw inFile();
  }
  const requests = found(body, list);
  if (requests === undefined || body[requests.start] !== OPEN_BRACKET) throw malformed();
  const ofAll = model === undefined ? undefined : found(body, model);
  const models = new Set<string>(ofAll === undefined ? [] : [nameAt(body, ofAll)]);
  for (const request of scanElements(body, requests)) {
    const asked = found(body, form.asked, request);
    if (asked === undefined || body[asked.start] !== OPEN_BRACE) throw malformed();
    const named = found(body, OWN_MODEL, asked);
    if (named !== undefined) models.add(nameAt(body, named));
    else if (!isModelKnown) throw malformed();
    for (const each of namedIn(body, scanMember(body, asked, NAMING_MEMBERS))) models.add(each);
  }
  return models;
}

const OWN_MODEL = way("model");

/** What stands at the end of a way, if anything. Which of two spellings would hold is known to the provider alone. */
function found(body: Buffer, steps: Way, from?: Span): Span | undefined {
  let span = from;
  for (const members of steps) {
    const all = span === undefined ? scanObject(body, members) : scanMember(body, span, members);
    const there = all.flatMap((each) => each ?? []);
    if (there.length > 1) throw malformed();
    [span] = there;
    if (span === undefined || isNull(body, span)) return undefined;
  }
  return span;
}

/** Of a model, without what Google writes before it. */
function nameAt(body: Buffer, span: Span): string {
  const name = readString(body, span);
  if (name === undefined) throw malformed();
  return name.startsWith(RESOURCE) ? name.slice(RESOURCE.length) : name;
}

const RESOURCE = "models/";
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;

function namedIn(body: Buffer, lists: readonly (Span | undefined)[]): readonly string[] {
  const [models, fallbacks, ...others] = lists;
  const named = (list: Span | undefined, mayBeText: boolean): string[] =>
    (list === undefined ? [] : scanElements(body, list)).flatMap((each) => {
      const text = mayBeText ? readString(body, each) : undefined;
      return text ?? modelIn(body, each) ?? [];
    });
  return [
    ...named(models, true),
    ...named(fallbacks, true),
    ...others.flatMap((list) => named(list, false)),
  ];
}

function modelIn(body: Buffer, span: Span): string | undefined {
  return readString(body, scanMember(body, span, MODEL_MEMBER)[0]);
}

function malformed(): Fault {
  return new Fault(
    "malformed_request",
    "Your client key allows some models only, so the requests of a batch must stand where the API has them, each with its model.",
  );
}

function inFile(): Fault {
  return new Fault(
    "model_not_allowed",
    "Your client key allows some models only, and a batch may name its models in a file that is not looked into.",
  );
}
