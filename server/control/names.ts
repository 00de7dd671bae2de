/** What ids are called. Each answers an empty text for what is gone. */
export interface NameLookup {
  usernameOf(userId: string): string;
  providerSlugOf(providerId: string): string;
  providerKeyNameOf(providerKeyId: string): string;
  clientKeyNameOf(clientKeyId: string): string;
}
