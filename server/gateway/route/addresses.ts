import type { Provider, RouteTarget } from "../../core/provider.js";

/** Providers that have shown something of what is at their address; who moves to another has shown nothing there. */
export class Addresses {
  readonly #baseUrls = new Map<string, string>();

  has({ id, baseUrl }: Provider): boolean {
    return this.#baseUrls.get(id) === baseUrl;
  }

  add({ id, baseUrl }: Provider): void {
    this.#baseUrls.set(id, baseUrl);
  }
}

/** The name of a model by which is remembered what it has shown: a model of this name at another address may be another. */
export function modelAt({
  provider,
  upstreamModel,
}: Pick<RouteTarget, "provider" | "upstreamModel">): string {
  return `${provider.id} ${provider.baseUrl} ${upstreamModel}`;
}
