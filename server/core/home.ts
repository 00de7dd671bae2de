/** Which provider key's account holds a file, a response or whatever else has an id there. */
export interface Home {
  /** Who draws on that key: the id of its owner, or `*` for the pool. */
  readonly scope: string;
  /** The provider's id of the thing. */
  readonly thingId: string;
  readonly providerKeyId: string;
}
