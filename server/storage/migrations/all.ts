import type { Migration } from "../migrate.js";
import { start } from "./0001-start.js";

/** Every step of the schema, oldest first. A released step is never edited; a change is a new step. */
export const MIGRATIONS: readonly Migration[] = [start];
