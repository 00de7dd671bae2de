import { ProviderLists, type ListAnswer } from "../catalog/provider-lists.js";
import { toFault } from "../core/fault.js";
import type { Principal } from "../core/client-key.js";
import type { Provider } from "../core/provider.js";
import { EndpointPaths } from "../gateway/route/endpoint-path.js";
import type { SecretOpener } from "../gateway/ports.js";
import type { Pool } from "../pool/pool.js";
import { askModels } from "../upstream/model-list.js";
import type { EndpointPath } from "../upstream/probe-request.js";
import type { Upstream } from "../upstream/upstream.js";
import type { Foundation } from "./foundation.js";

/** Keys asked in a row, of which one may lack the right to list models that another has. */
const KEYS_MAX = 3;

/** What fetching the lists needs; missing until the serving parts are made. */
export interface ListSources {
  readonly pool: Pool;
  readonly upstream: Upstream;
  readonly secrets: SecretOpener;
}

/**
 * The lists of models that providers have, fetched independently of calls: no call waits for one, and a failure is not
 * held against a key.
 */
export function providerLists(
  { clock, logger }: Foundation,
  sources: () => ListSources | undefined,
): ProviderLists {
  const paths = new EndpointPaths();
  const endpointPath: EndpointPath = (provider, path, model) => paths.of(provider, path, model, "");
  const askEach = async (
    provider: Provider,
    keys: ReturnType<Pool["keysToAsk"]>,
    { upstream, secrets }: ListSources,
  ): Promise<ListAnswer> => {
    let answer: ListAnswer = { problem: "no key could be used" };
    for (const key of keys) {
      try {
        // The next key is tried only where this one is no good.
        const secret = await secrets.open(key, new URL(provider.baseUrl).origin);
        answer = await askModels({ upstream, clock, endpointPath }, { provider, secret });
      } catch (thrown) {
        answer = { problem: toFault(thrown).publicMessage };
      }
      if ("models" in answer) break;
    }
    return answer;
  };
  return new ProviderLists({
    clock,
    logger,
    ask: (provider: Provider, principal: Principal, turn: number) => {
      const from = sources();
      const keys = from?.pool.keysToAsk(provider.id, principal, { turn, keysMax: KEYS_MAX }) ?? [];
      return from === undefined || keys.length === 0 ? undefined : askEach(provider, keys, from);
    },
  });
}
