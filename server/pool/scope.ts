import type { ClientKeyKind } from "../core/client-key.js";

/** Who draws on provider keys. */
export interface Drawer {
  readonly ownerId: string;
  readonly clientKey: { readonly kind: ClientKeyKind };
}

/** Whose keys a call may draw on: an owner's own, private or public, or the public ones of all owners. */
export type Scope =
  { readonly kind: "OWN"; readonly ownerId: string } | { readonly kind: "PUBLIC" };

/** SUPER draws on all public keys, its owner's private ones excluded; the other kinds on their owner's. */
export function scopeOf({ ownerId, clientKey }: Drawer): Scope {
  return clientKey.kind === "SUPER" ? { kind: "PUBLIC" } : { kind: "OWN", ownerId };
}

/** A text that is the same for the same scope only. */
export function scopeName(scope: Scope): string {
  return scope.kind === "PUBLIC" ? "*" : scope.ownerId;
}
