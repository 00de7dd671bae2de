import { replaceModel } from "../request/edit-body.js";
import { headOfForm, headOfJson, type MemberSpans } from "../request/body-head.js";
import { withField } from "../request/multipart.js";

const PREFIX = "/openai/";
const DEPLOYMENT = /^\/openai\/deployments\/([^/]+)\/(.+)$/;

/** What a path in Azure's scheme means: the path under `/v1`, and the deployment that it names, still encoded. */
export interface AzurePath {
  readonly path: string;
  /** Empty where the path names none. */
  readonly deployment: string;
}

/** Reads a path in the scheme of Azure OpenAI; undefined for any other. */
export function azurePath(path: string): AzurePath | undefined {
  if (!path.startsWith(PREFIX)) return undefined;
  const [, deployment = "", rest = ""] = DEPLOYMENT.exec(path) ?? [];
  if (deployment !== "") return { path: `/v1/${rest}`, deployment };
  const plain = path.slice(PREFIX.length);
  return { path: plain.startsWith("v1/") ? `/${plain}` : `/v1/${plain}`, deployment: "" };
}

/** The query that means something behind the gateway: in Azure's scheme the version is of the caller's language. */
export function queryBehind(path: string, query: string): string {
  if (!path.startsWith(PREFIX) || !query.includes("api-version=")) return query;
  return query
    .split("&")
    .filter((part) => !part.startsWith("api-version="))
    .join("&");
}

/**
 * The body with the deployment as its model, whatever model it named: Azure goes by the deployment alone.
 * `spans`: as a scan of it has found them. Throws Fault `malformed_request`.
 */
export function bodyOfDeployment(
  body: Buffer,
  contentType: string,
  deployment: string,
  spans?: MemberSpans,
): Buffer {
  if (/^multipart\//i.test(contentType)) {
    const head = headOfForm(body, contentType);
    if (head.modelSpan !== undefined) return replaceModel(body, head, deployment);
    return withField(body, contentType, "model", deployment);
  }
  const head = headOfJson(body, "OPENAI", spans);
  if (head.modelSpan !== undefined) return replaceModel(body, head, deployment);
  const at = body.indexOf(0x7b) + 1;
  const rest = body.subarray(at);
  const comma = /^\s*\}/.test(rest.toString("latin1", 0, 64)) ? "" : ",";
  const member = `"model":${JSON.stringify(deployment)}${comma}`;
  return Buffer.concat([body.subarray(0, at), Buffer.from(member), rest]);
}
