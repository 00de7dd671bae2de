const LIMITED = /quota|balance|billing|rate.?limit|too.many.requests|resource_exhausted/i;
/** By the names that providers give to their errors. */
const NAMED: readonly (readonly [RegExp, number])[] = [
  [LIMITED, 429],
  [/overloaded|unavailable/i, 503],
  [/authentication/i, 401],
  [/permission/i, 403],
  [/invalid|bad_request|context_length|not_found/i, 400],
  // Somebody called it off, which says nothing of a key; Google has this number for it.
  [/^cancelled$/i, 499],
];

/**
 * The status with which a provider would say over HTTP what it tells inside a reply. `names`: what it calls the error,
 * in one text.
 */
export function statusOfTold(names: string, message: unknown): number {
  const named = NAMED.find(([pattern]) => pattern.test(names));
  if (named !== undefined) return named[1];
  return typeof message === "string" && LIMITED.test(message) ? 429 : 500;
}
