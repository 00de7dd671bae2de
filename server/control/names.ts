/** The names of what ids refer to. Each returns an empty text for what no longer exists. */
export interface NameLookup {
  usernameOf(userId: string): string;
  providerSlugOf(providerId: string): string;
  providerKeyNameOf(providerKeyId: string): string;
  clientKeyNameOf(clientKeyId: string): string;
}
