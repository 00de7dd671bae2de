import { Fault } from "../core/fault.js";
import { scanElements, scanMember, scanObject } from "../dialect/json-scan.js";
import { readString, type Span } from "../dialect/json-span.js";
import { WantedMembers } from "../dialect/wanted-members.js";

const BATCH_MEMBERS = new WantedMembers(["requests"]);
const REQUEST_MEMBERS = new WantedMembers(["params"]);
const MODEL_MEMBER = new WantedMembers(["model"]);
/** Where requests name models beside their own: to go on with, or for a tool to ask. */
const NAMING_MEMBERS = new WantedMembers(["models", "fallbacks", "tools", "plugins"]);

/** The models that a JSON request names beside its own. Throws Fault `malformed_request`. */
export function modelsBeside(body: Buffer): readonly string[] {
  return namedIn(body, scanObject(body, NAMING_MEMBERS));
}

/**
 * The models that the requests of a batch name, each once. Throws Fault `malformed_request` for a body in which
 * they do not stand where they belong: what cannot be read here may be read there.
 */
export function modelsOfBatch(body: Buffer): ReadonlySet<string> {
  const [requests] = scanObject(body, BATCH_MEMBERS);
  if (requests === undefined || body[requests.start] !== OPEN_BRACKET) throw malformed();
  const models = new Set<string>();
  for (const request of scanElements(body, requests)) {
    const [params] = scanMember(body, request, REQUEST_MEMBERS);
    const model = params === undefined ? undefined : modelIn(body, params);
    if (params === undefined || model === undefined) throw malformed();
    models.add(model);
    for (const each of namedIn(body, scanMember(body, params, NAMING_MEMBERS))) models.add(each);
  }
  return models;
}

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
    'Your client key allows some models only, so each of the "requests" must name its model in "params".',
  );
}
