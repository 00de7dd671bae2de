const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^/?#@*\s]+\/?$/i;

/** The origin of pages as browsers write it, such as `https://app.example`, whatever else is meant by the same; undefined for no origin. */
export function webOrigin(given: string): string | undefined {
  if (!ORIGIN.test(given) || !URL.canParse(given)) return undefined;
  const { origin } = new URL(given);
  // Schemes that browsers have of their own, as for extensions.
  return origin === "null" ? given.toLowerCase().replace(/\/$/, "") : origin;
}
