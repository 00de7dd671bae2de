/** What becomes of something that a provider's dialect cannot say. */
export interface Loss {
  /** As callers know it. */
  readonly what: string;
  /** Which way it is lost: `caller → provider`. */
  readonly way: string;
  readonly outcome: "REFUSED" | "DROPPED" | "CHANGED";
  /** Why, or into what. A whole sentence, for a refusal says it to the caller. */
  readonly why: string;
}

/** What the caller is told cannot be said. */
export function refused(what: string, way: string, why: string): Loss {
  return { what, way, outcome: "REFUSED", why };
}

/** What is left out. */
export function dropped(what: string, way: string, why: string): Loss {
  return { what, way, outcome: "DROPPED", why };
}

/** What is said in another way. */
export function changed(what: string, way: string, why: string): Loss {
  return { what, way, outcome: "CHANGED", why };
}
