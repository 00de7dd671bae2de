import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  Rewrite_Kind,
  type RewriteSchema,
  type RewritesSchema,
} from "../../../proto/gen/latchkey/v1/providers_pb.js";
import { invalidField } from "../../core/fault.js";
import type { Rewrite, RewriteKind } from "../../keys/rewrites.js";
import { wordOf, type EnumWords } from "./values.js";

const KIND_WORDS: EnumWords<typeof Rewrite_Kind, RewriteKind> = {
  UNSPECIFIED: undefined,
  ALIAS: "ALIAS",
  FALLBACK: "FALLBACK",
};

export function rewriteMessage(
  rewrite: Rewrite,
  unserved: readonly string[],
): MessageInitShape<typeof RewriteSchema> {
  return {
    kind: Rewrite_Kind[rewrite.kind],
    name: rewrite.name,
    targets: [...rewrite.targets],
    unserved: [...unserved],
  };
}

/** All of a kind. */
export function rewritesMessage(
  kind: RewriteKind,
  rewrites: readonly Rewrite[],
  unserved: (rewrite: Rewrite) => readonly string[],
): MessageInitShape<typeof RewritesSchema> {
  return {
    kind: Rewrite_Kind[kind],
    rewrites: rewrites.map((each) => rewriteMessage(each, unserved(each))),
  };
}

/** Undefined for a kind that is not given. */
export function rewriteKindOf(kind: Rewrite_Kind): RewriteKind | undefined {
  return wordOf("kind", Rewrite_Kind, KIND_WORDS, kind);
}

/** Throws `invalid_argument` for a kind that is not given. */
export function requiredKindOf(kind: Rewrite_Kind): RewriteKind {
  const word = rewriteKindOf(kind);
  if (word === undefined) throw invalidField("kind", "must be alias or fallback");
  return word;
}
