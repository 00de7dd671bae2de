import { PROTO_REVISION } from "../../proto/gen/revision.js";
import type { Api } from "../api/services.js";

/**
 * A server with another version of the API may lack what this dashboard shows, so that is said once. Returns the
 * sentence, or undefined when there is nothing to say or the caller may not ask.
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
    // Why the server cannot be asked is shown in the System view and the banner.
    return undefined;
  }
}
