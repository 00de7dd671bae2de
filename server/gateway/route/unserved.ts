import type { Dialect } from "../../core/provider.js";
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
  if (path.startsWith("//") && isServed(path.slice(1))) {
    return "There is no such endpoint: the base URL of this SDK must not end with a slash.";
  }
  const missing = dialect === "GEMINI" ? ["/v1beta", "/v1"] : ["/v1", "/v1beta"];
  const end = missing.find((each) => isServed(each + path));
  if (end !== undefined) {
    return `There is no such endpoint: the base URL of this SDK must end with ${end}.`;
  }
  const served = SERVED[dialect];
  const asked = nameOf(path);
  const isKnown = asked === undefined || served.includes(asked);
  const not = isKnown ? "" : `; not ${asked}`;
  return `There is no such endpoint here. Of ${NAMES[dialect]} API are served: ${served.join(", ")}${not}.`;
}

const OF_MODEL = /\/models\/.+:([a-z][A-Za-z]{0,40})$/;
const THING = /^\/(?:upload\/|download\/)?v\d\w{0,9}\/(\w{1,40})(?:[/:]|$)/;

const SERVED: Readonly<Record<Dialect, readonly string[]>> = {
  OPENAI: servedOf("OPENAI"),
  ANTHROPIC: servedOf("ANTHROPIC"),
  GEMINI: servedOf("GEMINI"),
};

/** What is done with a model by its name, and all else by what it begins with. */
function servedOf(dialect: Dialect): readonly string[] {
  const paths = ENDPOINTS.filter((each) => each.dialect === dialect).map((each) => each.path);
  return [...new Set(paths.flatMap((path) => nameOf(path) ?? []))];
}

/** How what a path asks for is called; undefined for one that does not look like any. */
function nameOf(path: string): string | undefined {
  return (OF_MODEL.exec(path) ?? THING.exec(path))?.[1];
}
