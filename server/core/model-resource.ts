const BEGIN = "models/";

/** A model's name as Google writes it, e.g. `models/gemini-2.5-flash`. */
export function modelResource(model: string): string {
  return BEGIN + model;
}

/** The model's own name, which the text may be already. */
export function modelOfResource(name: string): string {
  return name.startsWith(BEGIN) ? name.slice(BEGIN.length) : name;
}
