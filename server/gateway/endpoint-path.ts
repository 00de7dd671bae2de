import { endpointUrl } from "../catalog/base-url.js";
import type { Provider } from "../core/provider.js";

/** Paths kept; providers times endpoints, times models where the model is part of the path. */
const PATHS_MAX = 4096;

/** Where a call goes at a provider: path and query, made once for each endpoint of each provider. */
export class EndpointPaths {
  readonly #paths = new Map<string, string>();

  /**
   * Path and query of an endpoint at a provider. `path` begins with the version that the caller used;
   * `query` is the caller's, empty for none.
   */
  of(
    provider: Pick<Provider, "baseUrl" | "authStyle" | "dialect">,
    path: string,
    model: string,
    query: string,
  ): string {
    const azureModel = provider.authStyle === "AZURE" ? model : "";
    const name = `${provider.baseUrl}\n${provider.authStyle}\n${path}\n${azureModel}`;
    let known = this.#paths.get(name);
    if (known === undefined) {
      known = withoutOrigin(endpointUrl(provider, path, model));
      if (this.#paths.size >= PATHS_MAX) this.#paths.clear();
      this.#paths.set(name, known);
    }
    if (query === "") return known;
    if (!known.includes("?")) return `${known}?${query}`;
    // Both have a query, and which parameter wins is not decided here.
    return withoutOrigin(endpointUrl(provider, `${path}?${query}`, model));
  }
}

function withoutOrigin(url: string): string {
  return url.slice(new URL(url).origin.length);
}
