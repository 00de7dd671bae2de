import { Fault } from "../core/fault.js";

/** Throws Fault `not_found` unless a statement changed a row. */
export function requireRow(noun: string, changed: number): void {
  if (changed === 0) throw noSuchRow(noun);
}

export function noSuchRow(noun: string): Fault {
  return new Fault("not_found", `There is no such ${noun}.`);
}
