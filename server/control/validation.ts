import type { DescMessage, Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator, type Validator } from "@bufbuild/protovalidate";
import type { Interceptor } from "@connectrpc/connect";
import { apiError } from "./error-info.js";
import { ruleWords } from "./rule-words.js";

/** Fields at fault that the sentence names. */
const SAID_MAX = 3;
/** Fields at fault that the error's detail names: it travels as a header, and clients refuse those above 8 KiB. */
const NAMED_MAX = 20;

/**
 * Refuses requests that break a rule of the proto, before any service sees them; the error names the
 * fields at fault. The messages of rules tell their limits and never quote a value.
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
  const fieldViolations = result.violations.slice(0, NAMED_MAX).map((violation) => ({
    field: pathToString(violation.field),
    rule: violation.ruleId,
    message: ruleWords(violation),
  }));
  const said = fieldViolations
    .slice(0, SAID_MAX)
    .map(({ field, message: words }) => (field === "" ? words : `${field}: ${words}`));
  const more = result.violations.length - said.length;
  const rest = more > 0 ? [`and ${String(more)} more`] : [];
  throw apiError("invalid_argument", [...said, ...rest].join("; "), { fieldViolations });
}
