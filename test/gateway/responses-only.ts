import { replyJson, type UpstreamStub } from "../support/upstream-stub.js";
import { startGateway, type TestGateway } from "./fixture.js";

/** What OpenAI answers for a model that its Responses API alone has. */
export const RESPONSES_ONLY = JSON.stringify({
  error: {
    message: "This model is only supported in v1/responses and not in v1/chat/completions.",
    type: "invalid_request_error",
    param: "model",
    code: null,
  },
});

/** A gateway with two provider keys that has found out so of the model `m`, and asks for it there whoever calls. */
export async function startResponsesOnly(stub: UpstreamStub): Promise<TestGateway> {
  const secrets = ["sk-first-00000000000000000000", "sk-second-0000000000000000000"];
  const gateway = await startGateway({ providers: [{ baseUrl: stub.origin }], secrets });
  stub.script = replyJson(404, RESPONSES_ONLY);
  await (await gateway.post("/v1/chat/completions", { model: "m", messages: [] })).text();
  return gateway;
}
