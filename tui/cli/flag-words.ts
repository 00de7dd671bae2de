import { ApiError } from "../api/api-error.js";
import type { Command } from "./commands.js";
import { flagsOf } from "./flags.js";

/** A field of a request in front of what is wrong with it, in the API's words. */
const FIELD = /(^|; )([a-z_.]+)(?:\[(\d+)\])?(?=: )/g;

/** A refusal in which the request's fields have the names of this command's flags, which is what people gave. */
export function inFlags(command: Command, error: unknown): unknown {
  if (!(error instanceof ApiError) || Object.keys(error.details.fields).length === 0) return error;
  const { nested } = command;
  const names = new Map(
    flagsOf(command).map(({ field, name }) => [
      field.parent === nested?.message ? `${nested.name}.${field.name}` : field.name,
      `--${name}`,
    ]),
  );
  const message = error.message.replaceAll(
    FIELD,
    (all: string, before: string, field: string, index: string | undefined) => {
      const flag = names.get(field);
      if (flag === undefined) return all;
      const item = index === undefined ? "" : `, number ${String(Number(index) + 1)}`;
      return `${before}${flag}${item}`;
    },
  );
  return new ApiError(error.code, message, { cause: error, details: error.details });
}
