import type { Dialect } from "../core/provider.js";
import { ENDPOINTS } from "./endpoints.js";

const DOUBLED = /^(\/v1(?:beta(?:\/openai)?)?)(\/v1(?:beta)?\/.+)$/;
const NAMES: Readonly<Record<Dialect, string>> = {
  OPENAI: "OpenAI's",
  ANTHROPIC: "Anthropic's",
  GEMINI: "Gemini's",
};

/**
 * Why nothing answers at a path: a base URL that ends wrongly, as far as that shows, or else what the API has here.
 * `isServed`: something answers at a path.
 */
export function whyUnserved(
  path: string,
  dialect: Dialect,
  isServed: (path: string) => boolean,
): string {
  const [, version = "", rest = ""] = DOUBLED.exec(path) ?? [];
  if (rest !== "" && isServed(rest)) {
    return `There is no such endpoint: the base URL of this SDK must not end with ${version}.`;
  }
  const missing = dialect === "GEMINI" ? ["/v1beta", "/v1"] : ["/v1", "/v1beta"];
  const end = missing.find((each) => isServed(each + path));
  if (end !== undefined) {
    return `There is no such endpoint: the base URL of this SDK must end with ${end}.`;
  }
  return `There is no such endpoint here. Of ${NAMES[dialect]} API are served: ${SERVED[dialect]}.`;
}

const SERVED: Readonly<Record<Dialect, string>> = {
  OPENAI: servedOf("OPENAI"),
  ANTHROPIC: servedOf("ANTHROPIC"),
  GEMINI: servedOf("GEMINI"),
};

/** What is done with a model by its name, and all else by what it begins with. */
function servedOf(dialect: Dialect): string {
  const paths = ENDPOINTS.filter((each) => each.dialect === dialect).map((each) => each.path);
  const names = paths.map((path) => {
    const [, action] = path.split("{model}:");
    return action ?? /^\/(?:upload\/)?\w+\/(\w+)/.exec(path)?.[1] ?? path;
  });
  return [...new Set(names)].join(", ");
}
