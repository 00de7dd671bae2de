import { utf8 } from "../core/bytes.js";
import { Fault } from "../core/fault.js";
import { isRecord, parseRecord } from "../dialect/json-find.js";

/**
 * The models that the requests of a batch name, each once. Throws Fault `malformed_request` for a body in which
 * they do not stand where they belong: what cannot be read here may be read there.
 */
export function modelsOfBatch(body: Buffer): ReadonlySet<string> {
  const requests = parseRecord(utf8(body))?.["requests"];
  if (!Array.isArray(requests)) throw malformed();
  const models = new Set<string>();
  for (const request of requests as readonly unknown[]) {
    const params = isRecord(request) ? request["params"] : undefined;
    const model = isRecord(params) ? params["model"] : undefined;
    if (typeof model !== "string") throw malformed();
    models.add(model);
  }
  return models;
}

function malformed(): Fault {
  return new Fault(
    "malformed_request",
    'Your client key allows some models only, so each of the "requests" must name its model in "params".',
  );
}
