import { PROTO_REVISION } from "../../proto/gen/revision.js";
import type { Api } from "../api/services.js";

/**
 * Another version of the API may lack what this one shows, which is better said once than wondered at.
 * Answers the sentence, or undefined when there is nothing to say or the caller may not ask.
 */
export async function versionWarning(
  api: Api,
  version: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const status = await api.system.getStatus({}, { signal });
    if (status.protoRevision === "" || status.protoRevision === PROTO_REVISION) return undefined;
    return `the server is ${status.version} and speaks another version of the API than this ${version}`;
  } catch {
    // Why it cannot be asked is told where people look for it: in the System view and the banner.
    return undefined;
  }
}
