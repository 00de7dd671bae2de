/** Which provider key's account holds a file, a response or whatever else has an id there. */
export interface Home {
  /** Who draws on that key: the id of its owner, or `*` for the pool. */
  readonly scope: string;
  /** The provider's id of the thing. */
  readonly thingId: string;
  readonly providerKeyId: string;
  /** Whose call it was learnt from, for the shares of the room that there is for homes. Empty where that was not kept. */
  readonly ownerId: string;
  readonly clientKeyId: string;
}

/** A home that is to be stored for the next start, or removed from what is stored. */
export interface HomeChange {
  readonly home: Home;
  readonly isForgotten: boolean;
}
