import { isFieldSet, type DescMessage, type Message } from "@bufbuild/protobuf";
import type { FieldMask } from "@bufbuild/protobuf/wkt";
import { invalidField } from "../core/fault.js";

/** What every update request has. */
type UpdateRequest = Message & { readonly updateMask?: FieldMask | undefined };

/** Fields of an update request that say what to change and how, and are no part of the change. */
type Address = "$typeName" | "$unknown" | "id" | "updateMask" | "expectedVersion";

/**
 * What each changeable field of an update request does to a patch. The keys are those of the message, so
 * that the compiler asks when a field is added.
 */
export type FieldPatches<R extends UpdateRequest, P> = {
  readonly [K in Exclude<keyof R, Address>]-?: (request: R) => Partial<P>;
};

const ADDRESS_FIELDS = new Set(["id", "update_mask", "expected_version"]);

/**
 * The patch that an update request asks for, by the rules at the head of common.proto: with a mask exactly
 * the named fields, left out ones being emptied; without one every field that is present. Names of the
 * resource that cannot be changed are ignored. Throws `invalid_argument` for a name that does not exist.
 */
export function patchOf<R extends UpdateRequest, P>(
  schemas: { readonly request: DescMessage; readonly resource: DescMessage },
  request: R,
  patches: FieldPatches<R, P>,
): Partial<P> {
  const wanted = fieldsToSet(schemas, request);
  const parts: Partial<P>[] = [];
  for (const [name, patch] of Object.entries<(request: R) => Partial<P>>(patches)) {
    if (wanted.has(name)) parts.push(patch(request));
  }
  return Object.assign({}, ...parts) as Partial<P>;
}

/** The changeable fields to set, by their names in the generated code. */
function fieldsToSet(
  { request: schema, resource }: { readonly request: DescMessage; readonly resource: DescMessage },
  request: UpdateRequest,
): ReadonlySet<string> {
  const changeable = schema.fields.filter((field) => !ADDRESS_FIELDS.has(field.name));
  const mask = request.updateMask;
  if (mask === undefined || mask.paths.length === 0) {
    const present = changeable.filter((field) => isFieldSet(request, field));
    return new Set(present.map((field) => field.localName));
  }
  const wanted = new Set<string>();
  for (const path of mask.paths) {
    const named = path === "*" ? changeable : changeable.filter((field) => field.name === path);
    for (const field of named) wanted.add(field.localName);
    if (named.length === 0) requireKnown(path, resource);
  }
  return wanted;
}

function requireKnown(path: string, resource: DescMessage): void {
  if (resource.fields.some((field) => field.name === path)) return;
  const [head, rest] = path.split(".", 2);
  const isPart = rest !== undefined && resource.fields.some((field) => field.name === head);
  throw invalidField(
    "update_mask",
    isPart
      ? `${JSON.stringify(head)} is replaced as a whole: name it without what follows the dot.`
      : `there is no field ${JSON.stringify(path.slice(0, 100))}.`,
  );
}
