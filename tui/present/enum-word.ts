import type { DescEnum } from "@bufbuild/protobuf";

/** The value of an enum as people read it, e.g. `rate limited`; its number when it is newer than we are. */
export function enumWord(schema: DescEnum, value: number): string {
  return schema.value[value]?.localName.toLowerCase().replaceAll("_", " ") ?? String(value);
}
