import { Fault } from "../core/fault.js";

/** Throws Fault `not_found` unless a statement changed a row. */
export function requireRow(noun: string, changed: number): void {
  if (changed === 0) throw new Fault("not_found", `There is no such ${noun}.`);
}
