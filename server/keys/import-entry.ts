import type { Secret } from "../core/secret.js";

/** What an import's text can be. */
export type ImportFormat = "ENV" | "JSON" | "ONE_API" | "LINES";

/** One entry of an import as it was read; a `problem` says why it cannot be used. */
export interface ImportEntry {
  /** Line in the text, or place in the list, from 1. */
  readonly position: number;
  /** Slug, id or another name of a provider; empty if the entry names none. */
  readonly provider: string;
  /** Where the entry says its provider is; empty if it does not. */
  readonly baseUrl: string;
  readonly name: string;
  readonly secret: Secret;
  readonly description?: string;
  readonly tier?: string;
  readonly service?: string;
  readonly modelAllowlist?: readonly string[];
  readonly quotaGroup?: string;
  readonly weight?: number;
  readonly enabled?: boolean;
  readonly problem?: string;
}
