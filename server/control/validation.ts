import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import { apiError } from "./error-info.js";
import { RequestRules } from "./request-rules.js";

/**
 * Refuses requests that break a rule of the proto, before any service sees them; the error names every
 * field at fault. The messages of rules tell their limits and never quote a value.
 */
export function validationInterceptor(): Interceptor {
  const rules = new RequestRules();
  return (next) => (req) => {
    if (!req.stream) {
      validate(rules, req.method.input, req.message);
      return next(req);
    }
    const message = checkedStream(rules, req.method.input, req.message);
    return next({ ...req, message });
  };
}

async function* checkedStream<M extends Message>(
  rules: RequestRules,
  schema: DescMessage,
  messages: AsyncIterable<M>,
): AsyncIterable<M> {
  for await (const message of messages) {
    validate(rules, schema, message);
    yield message;
  }
}

function validate(rules: RequestRules, schema: DescMessage, message: Message): void {
  const fieldViolations = rules.violations(schema, message);
  const first = fieldViolations[0];
  if (first === undefined) return;
  const more = fieldViolations.length - 1;
  throw apiError(
    "invalid_argument",
    `${first.field}: ${first.message}${more > 0 ? `; and ${more} more` : ""}`,
    { fieldViolations: [...fieldViolations] },
  );
}
