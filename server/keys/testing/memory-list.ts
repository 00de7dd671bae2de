import { invalidField } from "../../core/fault.js";
import type { Condition, Page, PageQuery } from "../../core/page.js";

/** A page of what is in memory; it knows equality alone. */
export function listOf<T extends object>(items: readonly T[], query: PageQuery): Page<T> {
  const matching = items.filter((item) => query.conditions.every((each) => fits(item, each)));
  const from = query.pageToken === "" ? 0 : Number(query.pageToken);
  const page = matching.slice(from, from + query.pageSize);
  const more = from + query.pageSize < matching.length;
  return {
    items: page,
    nextPageToken: more ? String(from + query.pageSize) : "",
    total: matching.length,
  };
}

function fits(item: object, { field, op, value }: Condition): boolean {
  const fields = item as Readonly<Record<string, unknown>>;
  if (field === "visible_to") {
    return fields["createdBy"] === null || fields["createdBy"] === value;
  }
  const name = field.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  if (!(name in fields)) throw invalidField("filter", `there is no field ${field}`);
  const equal = String(fields[name] ?? "") === value;
  if (op === "=") return equal;
  if (op === "!=") return !equal;
  throw invalidField("filter", `the memory store does not know ${op}`);
}
