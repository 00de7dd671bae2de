import { endpointUrl } from "../../catalog/base-url.js";
import type { Provider } from "../../core/provider.js";

/** Paths kept of one provider; endpoints, times models where the model is part of the path. */
const PATHS_MAX = 1024;

type PathOwner = Pick<Provider, "baseUrl" | "authStyle" | "dialect">;

/** Where a call goes at a provider: path and query, made once for each endpoint of each provider. */
export class EndpointPaths {
  /** By provider as it is now: one that is changed is another object. */
  readonly #paths = new WeakMap<PathOwner, Map<string, string>>();

  /**
   * Path and query of an endpoint at a provider. `path` begins with the version that the caller used;
   * `query` is the caller's, empty for none.
   */
  of(provider: PathOwner, path: string, model: string, query: string): string {
    const known = this.#known(provider, path, model);
    if (query === "") return known;
    if (!known.includes("?")) return `${known}?${query}`;
    // Both have a query, and which parameter wins is not decided here.
    return withoutOrigin(endpointUrl(provider, `${path}?${query}`, model));
  }

  #known(provider: PathOwner, path: string, model: string): string {
    let paths = this.#paths.get(provider);
    if (paths === undefined) this.#paths.set(provider, (paths = new Map()));
    const name = provider.authStyle === "AZURE" ? `${path}\n${model}` : path;
    let known = paths.get(name);
    if (known === undefined) {
      known = withoutOrigin(endpointUrl(provider, path, model));
      if (paths.size >= PATHS_MAX) paths.clear();
      paths.set(name, known);
    }
    return known;
  }
}

function withoutOrigin(url: string): string {
  return url.slice(new URL(url).origin.length);
}
