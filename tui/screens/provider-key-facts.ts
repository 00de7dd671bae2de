import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { toApiError } from "../api/api-error.js";
import type { ProviderKeyFacts } from "../present/provider-keys.js";
import type { ViewContext } from "./view.js";

const DAY_MS = 86_400_000;
const HOUR_SECONDS = 3600n;

/**
 * Asks for the health and the last day's use of a key; what the server does not have or the user may not see is left
 * out.
 */
export async function fetchProviderKeyFacts(
  context: ViewContext,
  id: string,
  signal: AbortSignal,
): Promise<ProviderKeyFacts> {
  const { providerKeys } = context.api;
  const end = context.clock.now();
  const range = { startTime: timestampFromMs(end - DAY_MS), endTime: timestampFromMs(end) };
  const [health, usage] = await Promise.all([
    ifOffered(context, "provider_key.get_health", () =>
      providerKeys.getProviderKeyHealth({ id }, { signal }),
    ),
    ifOffered(context, "provider_key.get_usage", () =>
      providerKeys.getProviderKeyUsage({ id, range, bucketSeconds: HOUR_SECONDS }, { signal }),
    ),
  ]);
  return { health, usage };
}

async function ifOffered<T>(
  context: ViewContext,
  permission: string,
  ask: () => Promise<T>,
): Promise<T | undefined> {
  if (!context.may(permission)) return undefined;
  try {
    return await ask();
  } catch (thrown) {
    const error = toApiError(thrown);
    if (error.code !== "UNIMPLEMENTED") throw error;
    context.missing(permission);
    return undefined;
  }
}
