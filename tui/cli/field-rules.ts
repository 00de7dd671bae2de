import { getOption, hasOption, type DescField } from "@bufbuild/protobuf";
import {
  field as fieldRules,
  Ignore,
  type FieldRules,
} from "../../proto/gen/buf/validate/validate_pb.js";

/** What the API's definition says a field must be; undefined where it says nothing. */
export function rulesOf(field: DescField): FieldRules | undefined {
  return hasOption(field, fieldRules) ? getOption(field, fieldRules) : undefined;
}

/** The server refuses a request in which this field is left out. */
export function isRequired(field: DescField): boolean {
  const rules = rulesOf(field);
  if (rules === undefined || field.proto.proto3Optional || field.oneof !== undefined) return false;
  if (rules.required) return true;
  if (rules.ignore === Ignore.IF_ZERO_VALUE) return false;
  const { type } = rules;
  if (type.case === "string") return type.value.minLen > 0n || refusesBlank(type.value.pattern);
  return type.case === "enum" && type.value.notIn.includes(0);
}

function refusesBlank(pattern: string): boolean {
  if (pattern === "") return false;
  // The patterns are RE2, which JavaScript reads once it is told that they are Unicode.
  return !new RegExp(pattern, "u").test("");
}
