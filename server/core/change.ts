import type { ClientKey } from "./client-key.js";
import type { ProviderKey } from "./provider-key.js";
import type { Model, Provider } from "./provider.js";
import type { User } from "./user.js";

/** The nouns whose changes are announced, with the object that each carries. */
export interface ChangeKinds {
  user: User;
  provider: Provider;
  model: Model;
  provider_key: ProviderKey;
  client_key: ClientKey;
  /** Value as JSON text. */
  setting: { readonly id: string; readonly value: string };
}

export type ChangeKind = keyof ChangeKinds;

const KINDS: Record<ChangeKind, true> = {
  user: true,
  provider: true,
  model: true,
  provider_key: true,
  client_key: true,
  setting: true,
};

/** All of them. */
export const CHANGE_KINDS = Object.keys(KINDS) as readonly ChangeKind[];

/** A change before it is committed. */
export type ChangeDraft<K extends ChangeKind = ChangeKind> = {
  [P in K]: {
    readonly kind: P;
    readonly id: string;
    readonly value: ChangeKinds[P] | null;
  };
}[K];

/**
 * A committed change. It carries the whole new object, so that a listener needs no query; `value` is
 * null when the object was deleted.
 */
export type Change<K extends ChangeKind = ChangeKind> = ChangeDraft<K> & {
  /** Rises by one with every change, in commit order. */
  readonly seq: number;
};
