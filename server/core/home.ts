/** Which provider key's account holds a file, a response or whatever else has an id there. */
export interface Home {
  /** Who draws on that key: the id of its owner, or `*` for the pool. */
  readonly scope: string;
  /** The provider's id of the thing. */
  readonly thingId: string;
  readonly providerKeyId: string;
  /** Whose call it is known from: among them there is room for so many. Empty where that was not kept. */
  readonly ownerId: string;
  readonly clientKeyId: string;
}

/** A home that is to be kept for the next start, or not any more. */
export interface HomeChange {
  readonly home: Home;
  readonly isForgotten: boolean;
}
