import type { DescMessage, Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator, type Validator, type Violation } from "@bufbuild/protovalidate";
import type { Interceptor } from "@connectrpc/connect";
import { apiError } from "./error-info.js";

/**
 * Refuses requests that break a rule of the proto, before any service sees them; the error names every
 * field at fault. The messages of rules tell their limits and never quote a value.
 */
export function validationInterceptor(): Interceptor {
  const validator = createValidator();
  return (next) => (req) => {
    if (!req.stream) {
      validate(validator, req.method.input, req.message);
      return next(req);
    }
    const message = checkedStream(validator, req.method.input, req.message);
    return next({ ...req, message });
  };
}

async function* checkedStream<M extends Message>(
  validator: Validator,
  schema: DescMessage,
  messages: AsyncIterable<M>,
): AsyncIterable<M> {
  for await (const message of messages) {
    validate(validator, schema, message);
    yield message;
  }
}

function validate(validator: Validator, schema: DescMessage, message: Message): void {
  const result = validator.validate(schema, message);
  if (result.kind === "valid") return;
  // A rule that cannot be evaluated is our own bug, not the caller's.
  if (result.kind === "error") throw result.error;
  const fieldViolations = result.violations.map(violationMessage);
  const first = fieldViolations[0];
  const more = fieldViolations.length - 1;
  throw apiError(
    "invalid_argument",
    `${first?.field ?? "the request"}: ${first?.message ?? "is not valid"}${more > 0 ? `; and ${more} more` : ""}`,
    { fieldViolations },
  );
}

function violationMessage({ field, ruleId, message }: Violation) {
  const kind = ID_PATTERN.exec(message)?.[1];
  const said = kind === undefined ? message : `must be an id that begins with ${kind}`;
  return { field: pathToString(field), rule: ruleId, message: said };
}

/** What the validator says of an id that is none: a pattern, which tells people less than its prefix. */
const ID_PATTERN = /regex pattern `\^([a-z]+_)\[/;
